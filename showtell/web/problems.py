"""Errors of the HTTP API: problem details (RFC 9457), each with a stable code."""

import json
from http import HTTPStatus

from flask import Flask, current_app, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from showtell.errors import (
    BrokenImageError,
    CorrectionError,
    ImageError,
    ImageTooLargeError,
    OptionError,
    RegionError,
    UnsupportedImageError,
)

IMAGE_PROBLEMS: dict[type[ImageError], tuple[int, str]] = {
    UnsupportedImageError: (415, "unsupported_image"),
    BrokenImageError: (422, "broken_image"),
    ImageTooLargeError: (413, "too_large"),
    RegionError: (422, "invalid_parameter"),
}


class Problem(HTTPException):
    """An error response.

    Parameters
    ----------
    status : HTTP status.
    slug : the stable code that identifies the problem for clients.
    detail : a sentence that explains what to do.
    retry_after : seconds after which the same request may succeed; None if it never will.
    """

    def __init__(
        self, status: int, slug: str, detail: str, *, retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.code = status
        self.slug = slug
        self.retry_after = retry_after


def register(app: Flask) -> None:
    """Register the error handlers of `app`."""
    app.register_error_handler(ImageError, _image_problem)
    app.register_error_handler(OptionError, _option_problem)
    app.register_error_handler(CorrectionError, _correction_problem)
    app.register_error_handler(413, _too_large)
    app.register_error_handler(HTTPException, _http_problem)


def _image_problem(error: ImageError) -> Response:
    """Return the response for a photograph that cannot be read."""
    status, slug = IMAGE_PROBLEMS.get(type(error), (422, "broken_image"))
    return _http_problem(Problem(status, slug, f"This file cannot be captioned: {error}."))


def _option_problem(error: OptionError) -> Response:
    """Return the response for an invalid search option, such as an unknown word to mention."""
    return _http_problem(Problem(422, "invalid_parameter", f"{error}."))


def _correction_problem(error: CorrectionError) -> Response:
    """Return the response for a correction that cannot be saved."""
    detail = f"This correction cannot be saved: {error}."
    return _http_problem(Problem(422, "invalid_correction", detail))


def _too_large(error: HTTPException) -> Response:
    """Return the response for an upload that is too large, with the limit."""
    limit = current_app.config["MAX_CONTENT_LENGTH"] // 2**20
    return _http_problem(
        Problem(
            413,
            "too_large",
            f"An upload may have at most {limit} MB, and a form at most 1,000 parts.",
        )
    )


def _http_problem(error: HTTPException) -> Response:
    """Return problem details as JSON under /api, and Werkzeug's plain page elsewhere."""
    response = error.get_response()
    status = HTTPStatus(response.status_code)
    g.problem = error.slug if isinstance(error, Problem) else status.name.lower()  # for the metrics
    if isinstance(error, Problem) and error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    if not request.path.startswith("/api/"):
        return response
    problem = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status,
        "detail": error.description,
        "code": g.problem,
    }
    response.data = json.dumps(problem)
    response.content_type = "application/problem+json"
    return response
