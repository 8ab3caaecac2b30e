"""The application factory: one Captioner, uploads in memory, a strict policy on every answer."""

from io import BytesIO
from typing import Any

from flask import Flask, Request, Response

from showtell.captioner import Captioner, load
from showtell.image import MAX_BYTES
from showtell.web import api, views

# The page has no inline code and no inline styles, so the policy can be strict; `blob:` is the
# photograph that the visitor chose, shown before it is sent.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class InMemoryRequest(Request):
    """A request whose uploads never touch the disk; Werkzeug's are written there from 500 kB on."""

    def _get_file_stream(self, *args: Any, **kwargs: Any) -> BytesIO:
        return BytesIO()


def create_app(captioner: Captioner | None = None) -> Flask:
    """Make the web application.

    Parameters
    ----------
    captioner : what captions the uploads; None loads the model that ships.

    Raises
    ------
    BundleError : the model that ships is missing or damaged.
    """
    app = Flask("showtell.web")
    app.request_class = InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["captioner"] = load() if captioner is None else captioner
    app.register_blueprint(views.bp)
    app.register_blueprint(api.bp)
    app.after_request(_secure)
    return app


def _secure(response: Response) -> Response:
    response.headers.update(SECURITY_HEADERS)
    return response
