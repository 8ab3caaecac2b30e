"""The application factory. The application has one Captioner and keeps uploads in memory."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any

from flask import Flask, Request

from showtell import memory
from showtell.captioner import Captioner, load
from showtell.data.corrections import Corrections
from showtell.limits import MAX_BYTES, limit
from showtell.web import api, docs, guard, metrics, monitoring, problems, views
from showtell.web.batcher import Batcher
from showtell.web.prefix import Below


class InMemoryRequest(Request):
    """A request that keeps uploads in memory; Werkzeug writes those over 500 kB to the disk."""

    def _get_file_stream(self, *args: Any, **kwargs: Any) -> BytesIO:
        return BytesIO()


def create_app(captioner: Captioner | None = None, corrections: Path | None = None) -> Flask:
    """Create the web application.

    Two environment variables configure it: ``SHOWTELL_HOSTS``, host names that it answers to, and
    ``SHOWTELL_MAX_CONTENT_LENGTH``, the maximum size of an upload in bytes.

    Parameters
    ----------
    captioner : captions the uploads; None loads the model that ships.
    corrections : folder to save corrected captions to; None does not accept corrections.

    Raises
    ------
    BundleError : the model that ships is missing or damaged.
    OSError : the folder is not writable.
    SystemExit : a limit in the environment is not a whole number of 1 or more.
    """
    memory.give_back()
    app = Flask("showtell.web")
    app.request_class = InMemoryRequest
    longest = limit("SHOWTELL_MAX_CONTENT_LENGTH", MAX_BYTES)
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = longest
    app.config["HOSTS"] = os.environ.get("SHOWTELL_HOSTS", "")
    app.json.sort_keys = False  # type: ignore[attr-defined]
    # One thread per photograph is faster than several: with two photographs at a time on two cores,
    # 56 photographs per second with one thread each, 33 with two.
    captioner = app.extensions["captioner"] = load(threads=1) if captioner is None else captioner
    app.extensions["corrections"] = Corrections(corrections) if corrections else None
    app.extensions["batcher"] = Batcher(captioner)
    below = os.environ.get("SCRIPT_NAME", "")
    app.wsgi_app = Below(app.wsgi_app, below)  # type: ignore[method-assign]
    metrics.register(app)
    guard.register(app)
    problems.register(app)
    for blueprint in (views.bp, api.bp, docs.bp, monitoring.bp):
        app.register_blueprint(blueprint)
    return app
