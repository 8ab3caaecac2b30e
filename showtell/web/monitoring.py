"""Endpoints for operators: health check and metrics."""

import numpy as np
from flask import Blueprint, Response, current_app
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

bp = Blueprint("monitoring", __name__)

PICTURE = np.full((32, 32, 3), 128, np.uint8)


@bp.get("/healthz")
def healthz() -> tuple[dict[str, str], int]:
    """Check that the model can caption a grey picture with one word; bypasses the queue."""
    captioner = current_app.extensions["captioner"]
    try:
        captioner.caption(PICTURE, beam=1, max_length=1)
    except Exception:
        current_app.logger.exception("The model cannot caption")
        return {"status": "failing", "model": captioner.name}, 503
    return {"status": "ok", "model": captioner.name}, 200


@bp.get("/metrics")
def metrics() -> Response:
    """Return the metrics of this process; with several processes, each has its own."""
    text = current_app.extensions["metrics"].text()
    return Response(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)
