"""The web application: a page and an HTTP API around one Captioner."""

from showtell.web.app import create_app
from showtell.web.server import serve

__all__ = ["create_app", "serve"]
