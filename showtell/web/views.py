"""The page."""

from flask import Blueprint, current_app, render_template

from showtell import formats
from showtell.data.corrections import LONGEST
from showtell.search import DEFAULTS, OPTIONS

bp = Blueprint("views", __name__)

# The sample photographs, static/samples/NAME.jpg, and their alt texts. docs/gallery.md names their
# photographers.
SAMPLES = {
    "astronaut": "A smiling astronaut beside a flag",
    "cat": "The face of a tabby cat",
    "coffee": "A cup of coffee on a wooden table",
}

# Variables of the template, besides those of the server.
PAGE = {
    "samples": SAMPLES,
    "endings": formats.ENDINGS,
    "defaults": DEFAULTS,
    "limits": {name: option.schema for name, option in OPTIONS.items()},
    "longest_correction": LONGEST,
}


@bp.get("/")
def index() -> str:
    """Return the page; its scripts send photographs to the HTTP API."""
    return render_template(
        "index.html",
        model=current_app.extensions["captioner"].name,
        max_bytes=current_app.config["MAX_CONTENT_LENGTH"],
        corrections=current_app.extensions["corrections"] is not None,
        **PAGE,
    )
