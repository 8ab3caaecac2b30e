"""The HTTP API: captions, figures and animations of photographs, previews and corrections."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request
from PIL.Image import Image

from showtell import attention, image
from showtell.caption import Caption
from showtell.captioner import Captioner
from showtell.search import OPTIONS, Search
from showtell.web.admission import is_heavy
from showtell.web.batcher import Batcher
from showtell.web.problems import Problem

bp = Blueprint("api", __name__, url_prefix="/api/v1")

# Options of captions, and of drawings (figures and animations), which show no proof and no things.
CAPTION_OPTIONS = tuple(OPTIONS)
DRAWING_OPTIONS = tuple(name for name in OPTIONS if name not in ("proof", "things"))
ALTERNATIVES = range(OPTIONS["beam"].schema["maximum"])
PREVIEW = 1024  # pixels
SWITCH = {"true": True, "false": False}


@bp.post("/captions")
def create_caption() -> Response:
    """Return the caption as JSON."""
    photograph, options = _photograph(), _options(*CAPTION_OPTIONS, "attention", "alternatives")
    search = _search(options)
    parts: dict[str, Any] = {
        "attention": _switch(options, "attention", True),
        "alternatives": _switch(options, "alternatives", False),
    }
    caption = _batcher().caption(photograph, search, _gone())
    return jsonify(caption.to_dict(**parts))


@bp.post("/figures")
def create_figure() -> Response:
    """Return the figure of the caption, or of one of its alternatives, as a PNG."""
    return _drawn(_png, "image/png", heavy=False)


@bp.post("/animations")
def create_animation() -> Response:
    """Return the animation of the caption, or of one of its alternatives, as a GIF."""
    return _drawn(attention.animation, "image/gif", heavy=True)


@bp.post("/previews")
def create_preview() -> Response:
    """Return the upright photograph, smaller, as a JPEG that every browser can display."""
    photograph = _photograph()
    _options()
    heavy = is_heavy(photograph, whole=False)
    drawing = _batcher().draw(lambda: _preview(photograph), _gone(), heavy=heavy)
    return Response(drawing, mimetype="image/jpeg")


@bp.post("/corrections")
def create_correction() -> Response:
    """Save a corrected caption of the photograph, if the server accepts corrections."""
    corrections = current_app.extensions["corrections"]
    if corrections is None:
        raise Problem(
            404,
            "no_corrections",
            "This server does not accept corrections. Start it with --corrections FOLDER.",
        )
    photograph, options = _photograph(), _options("caption")
    text, heavy = options.get("caption", ""), is_heavy(photograph, whole=False)
    kept = _batcher().draw(lambda: corrections.add(photograph, text), _gone(), heavy=heavy)
    return jsonify(kept)


def _drawn(draw: Callable[[Image, Caption], bytes], mimetype: str, *, heavy: bool) -> Response:
    photograph, options = _photograph(), _options(*DRAWING_OPTIONS, "alternative")
    search, chosen = _search(options), _number(options, "alternative", ALTERNATIVES, 0)
    captioner: Captioner = current_app.extensions["captioner"]

    def drawing() -> bytes:
        caption = captioner.caption(photograph, search)
        captions = (caption, *caption.alternatives)
        if chosen >= len(captions):
            raise _invalid(f"'alternative' must be below {len(captions)} for this photograph.")
        return draw(image.open_upright(photograph), captions[chosen])

    heavy = heavy or is_heavy(photograph, whole=True)
    return Response(_batcher().draw(drawing, _gone(), heavy=heavy), mimetype=mimetype)


def _preview(photograph: bytes) -> bytes:
    picture = image.open_upright(photograph, at_least=PREVIEW // 2)
    picture.thumbnail((PREVIEW, PREVIEW))
    return _encoded(picture, "JPEG")


def _png(photograph: Image, caption: Caption) -> bytes:
    return _encoded(attention.figure(photograph, caption), "PNG")


def _encoded(picture: Image, form: str) -> bytes:
    file = BytesIO()
    picture.save(file, form)
    return file.getvalue()


def _batcher() -> Batcher:
    return current_app.extensions["batcher"]


def _gone() -> Callable[[], bool]:
    # Only waitress reports whether the client is still connected.
    return request.environ.get("waitress.client_disconnected", lambda: False)


# Reading requests


def _photograph() -> bytes:
    # Unless the request is a multipart form, the body is the photograph, whatever its content type:
    # `curl --data-binary` declares every body as a URL-encoded form.
    if _is_form():
        uploads = request.files.getlist("image")
        if len(uploads) > 1:
            raise _invalid("Send one photograph per request: there is more than one 'image'.")
        data = uploads[0].read() if uploads else b""
    else:
        data = request.get_data(parse_form_data=False)
    if not data:
        raise Problem(
            400, "no_image", "Send a photograph as the form field 'image', or as the request body."
        )
    return data


def _options(*known: str) -> dict[str, str]:
    """Return the parameters of the query and of the form, if there is one."""
    options = request.values if _is_form() else request.args
    for name, values in options.lists():
        if name not in known:
            raise _invalid(
                f"Unknown parameter '{name}'. Known parameters: {', '.join(known) or 'none'}."
            )
        if len(values) > 1:
            raise _invalid(f"'{name}' is given more than once.")
    return options.to_dict()


def _search(options: dict[str, str]) -> Search:
    texts = {name: text for name, text in options.items() if name in OPTIONS}
    return Search(**{name: OPTIONS[name].read(name, text) for name, text in texts.items()})


def _number(options: dict[str, str], name: str, allowed: range, default: int) -> int:
    """Return a whole number, written without a sign and without leading zeros."""
    values = {str(value): value for value in allowed}
    text = options.get(name, str(default))
    if text not in values:
        raise _invalid(f"'{name}' must be a whole number from {allowed[0]} to {allowed[-1]}.")
    return values[text]


def _switch(options: dict[str, str], name: str, default: bool) -> bool:
    text = options.get(name, str(default).lower())
    if text not in SWITCH:
        raise _invalid(f"'{name}' must be true or false.")
    return SWITCH[text]


def _invalid(detail: str) -> Problem:
    return Problem(422, "invalid_parameter", detail)


def _is_form() -> bool:
    return request.mimetype == "multipart/form-data"
