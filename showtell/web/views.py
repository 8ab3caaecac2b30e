"""The page, and the pictures that it offers to a visitor without one."""

from collections.abc import Callable

from flask import Blueprint, Response, abort, current_app, render_template

from showtell import formats
from showtell.data.corrections import LONGEST
from showtell.search import DEFAULTS, OPTIONS
from showtell.web import samples

bp = Blueprint("views", __name__)

# What the template asks for besides the model and the limits of the server.
PAGE = {
    "samples": samples.SAMPLES,
    "endings": formats.ENDINGS,
    "defaults": DEFAULTS,
    "limits": {name: option.schema for name, option in OPTIONS.items()},
    "longest_correction": LONGEST,
}


@bp.get("/")
def index() -> str:
    """Show the page; its scripts send photographs to the JSON interface."""
    return render_template(
        "index.html",
        model=current_app.extensions["captioner"].name,
        max_bytes=current_app.config["MAX_CONTENT_LENGTH"],
        corrections=current_app.extensions["corrections"] is not None,
        **PAGE,
    )


@bp.get("/samples/<name>.jpg")
def sample(name: str) -> Response:
    """Send one of the drawn pictures."""
    return _picture(name, samples.draw)


@bp.get("/samples/small/<name>.jpg")
def thumbnail(name: str) -> Response:
    """Send one of the drawn pictures, smaller."""
    return _picture(name, samples.thumbnail)


def _picture(name: str, draw: Callable[[str], bytes]) -> Response:
    if name not in samples.SAMPLES:
        abort(404)
    return Response(draw(name), mimetype="image/jpeg")
