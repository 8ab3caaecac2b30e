"""Support for a path prefix, as in ``https://nas.lan/captions/`` behind a reverse proxy."""

import re
from collections.abc import Callable, Iterable
from typing import Any

_PATH = re.compile(r"(/[\w.~-]+)+", re.ASCII)

Application = Callable[..., Iterable[bytes]]


class Below:
    """WSGI middleware that sets ``SCRIPT_NAME`` to the path prefix, so that links include it.

    The prefix is the first of these that is set: the server's ``SCRIPT_NAME``, such as gunicorn's;
    `path`; the proxy's header ``X-Forwarded-Prefix``. Requests may have the prefix or not.

    Parameters
    ----------
    application : the WSGI application.
    path : prefix such as ``/captions``, or empty.
    """

    def __init__(self, application: Application, path: str = "") -> None:
        self._application = application
        self._path = path

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        """Set the prefix, and call the application."""
        prefix = self._path or environ.get("HTTP_X_FORWARDED_PREFIX", "")
        path = prefix.rstrip("/")
        if not environ.get("SCRIPT_NAME") and _PATH.fullmatch(path):
            environ["SCRIPT_NAME"] = path
            if f"{environ['PATH_INFO']}/".startswith(f"{path}/"):
                environ["PATH_INFO"] = environ["PATH_INFO"][len(path) :]
        return self._application(environ, start_response)
