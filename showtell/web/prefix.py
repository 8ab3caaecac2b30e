"""Below a path of a proxy, as ``https://nas.lan/captions/``: links keep the path."""

import re
from collections.abc import Callable, Iterable
from typing import Any

_PATH = re.compile(r"(/[\w.~-]+)+", re.ASCII)

Application = Callable[..., Iterable[bytes]]


class Below:
    """WSGI middleware that lets an application know the path which a proxy has it at.

    The path is the server's own, as gunicorn sets it; else `path`; else what the proxy says in
    ``X-Forwarded-Prefix``. Requests may come with the path or without it.

    Parameters
    ----------
    application : what answers.
    path : such as ``/captions``; empty for none.
    """

    def __init__(self, application: Application, path: str = "") -> None:
        self._application = application
        self._path = path

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        """Answer a request."""
        prefix = self._path or environ.get("HTTP_X_FORWARDED_PREFIX", "")
        path = prefix.rstrip("/")
        if not environ.get("SCRIPT_NAME") and _PATH.fullmatch(path):
            environ["SCRIPT_NAME"] = path
            if f"{environ['PATH_INFO']}/".startswith(f"{path}/"):
                environ["PATH_INFO"] = environ["PATH_INFO"][len(path) :]
        return self._application(environ, start_response)
