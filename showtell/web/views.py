"""The page, and the sign of life that a load balancer asks for."""

from flask import Blueprint, current_app, render_template

bp = Blueprint("views", __name__)


@bp.get("/")
def index() -> str:
    """Show the page; its script sends the photograph to the JSON interface."""
    return render_template(
        "index.html",
        model=current_app.extensions["captioner"].name,
        max_bytes=current_app.config["MAX_CONTENT_LENGTH"],
    )


@bp.get("/healthz")
def healthz() -> dict[str, str]:
    """Answer once the model is loaded, since the application is not made before."""
    return {"status": "ok", "model": current_app.extensions["captioner"].name}
