"""Serves captions with Ray Serve, with a replica of the Captioner on every core.

    python -m showtell.cluster.serve 8000      # on this machine, or the cluster of RAY_ADDRESS
    curl --data-binary @photo.jpg http://localhost:8000

The response is the row that ``showtell caption --out`` writes, with status 422 if the row has an
error. Status 503 means that too many requests are waiting. Requires the extra ``cluster``.
"""

import asyncio
import sys
from typing import TYPE_CHECKING

from ray import serve
from starlette.responses import JSONResponse

from showtell.batch.rows import Row, caption_rows
from showtell.captioner import load
from showtell.cluster.connection import connect
from showtell.limits import MAX_BYTES

if TYPE_CHECKING:
    from starlette.requests import Request

TOGETHER = 8  # maximum batch size of a replica
WAITING = 64  # maximum number of requests waiting for a replica; further ones are rejected


class Captions:
    """A replica: a Captioner on one core."""

    def __init__(self, model: str | None = None) -> None:
        self._captioner = load(model, threads=1)

    # A batch takes the requests that wait already; it does not wait for more.
    @serve.batch(max_batch_size=TOGETHER, batch_wait_timeout_s=0)  # type: ignore[untyped-decorator]
    async def _caption(self, photographs: list[bytes]) -> list[Row]:
        items = [("", data) for data in photographs]
        return await asyncio.to_thread(caption_rows, self._captioner, items)

    async def __call__(self, request: "Request") -> JSONResponse:
        """Answer a request; its body is a photograph."""
        data = b""
        async for part in request.stream():
            data += part
            if len(data) > MAX_BYTES:
                break  # one byte too many is enough for an error
        row = await self._caption(data)
        return JSONResponse(row, status_code=422 if row["error"] else 200)


def main() -> None:
    """Serve on the port given on the command line, 8000 by default, until Ctrl+C."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    replicas = connect()
    deployment = serve.deployment(
        Captions,
        num_replicas=replicas,
        ray_actor_options={"num_cpus": 1},
        max_ongoing_requests=2 * TOGETHER,  # the next batch arrives while one is captioned
        max_queued_requests=WAITING,
    )
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(deployment.bind(), blocking=True)


if __name__ == "__main__":
    main()
