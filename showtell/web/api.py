"""The JSON interface: a photograph in, its caption and attention out, problems as in RFC 9457."""

import json
from http import HTTPStatus

from flask import Blueprint, Response, current_app, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from showtell.captioner import BEAM
from showtell.errors import (
    BrokenImageError,
    ImageError,
    ImageTooLargeError,
    UnsupportedImageError,
)

bp = Blueprint("api", __name__, url_prefix="/api/v1")

BEAMS = {str(width): width for width in range(1, 21)}
IMAGE_PROBLEMS: dict[type[ImageError], tuple[int, str]] = {
    UnsupportedImageError: (415, "unsupported_image"),
    BrokenImageError: (422, "broken_image"),
    ImageTooLargeError: (413, "too_large"),
}


class Problem(HTTPException):
    """An error that a client can tell by its `slug`, which never changes."""

    def __init__(self, status: int, slug: str, detail: str) -> None:
        super().__init__(detail)
        self.code = status
        self.slug = slug


@bp.post("/captions")
def create_caption() -> Response:
    """Caption the photograph in the field `image`, or in the body itself."""
    photograph, beam = _photograph(), _beam()
    caption = current_app.extensions["captioner"].caption(photograph, beam=beam)
    return jsonify(caption.to_dict())


def _photograph() -> bytes:
    # The body is read as it is whatever its type says, unless it is a form with a file in it:
    # `curl --data-binary` calls every body a URL-encoded form.
    if _is_form():
        upload = request.files.get("image")
        data = upload.read() if upload else b""
    else:
        data = request.get_data(parse_form_data=False)
    if not data:
        raise Problem(
            400, "no_image", "Send a photograph as the form's field 'image', or as the body."
        )
    return data


def _beam() -> int:
    fields = request.values if _is_form() else request.args
    text = fields.get("beam", str(BEAM))
    if text not in BEAMS:
        raise Problem(422, "invalid_parameter", "'beam' is a whole number from 1 to 20.")
    return BEAMS[text]


def _is_form() -> bool:
    return request.mimetype == "multipart/form-data"


@bp.errorhandler(ImageError)
def image_problem(error: ImageError) -> BaseResponse:
    """Tell why a photograph cannot be used."""
    status, slug = IMAGE_PROBLEMS.get(type(error), (422, "broken_image"))
    return http_problem(Problem(status, slug, f"This file cannot be captioned: {error}."))


@bp.app_errorhandler(413)
def too_large(error: HTTPException) -> BaseResponse:
    """Say how large an upload may be, which Werkzeug leaves out."""
    limit = current_app.config["MAX_CONTENT_LENGTH"] // 2**20
    return http_problem(Problem(413, "too_large", f"An upload may have {limit} MB at most."))


@bp.app_errorhandler(HTTPException)
def http_problem(error: HTTPException) -> BaseResponse:
    """Answer in JSON under /api; elsewhere with the plain page that Werkzeug makes."""
    response = error.get_response()
    if not request.path.startswith("/api/"):
        return response
    status = HTTPStatus(response.status_code)
    slug = error.slug if isinstance(error, Problem) else status.name.lower()
    response.data = json.dumps(
        {
            "type": "about:blank",
            "title": status.phrase,
            "status": status,
            "detail": error.description,
            "code": slug,
        }
    )
    response.content_type = "application/problem+json"
    return response
