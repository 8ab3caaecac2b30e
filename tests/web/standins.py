"""A captioner without a network, and a server around an application."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import numpy as np
from flask import Flask
from waitress import wasyncore

from showtell import image
from showtell.captioner import Caption
from showtell.vocab import detokenize
from showtell.web.server import make_server

WORDS = ("an", "astronaut", "'s", "smile", "in", "front", "of", "a", "flag")
GRID = (7, 7)


class FakeCaptioner:
    """Reads the photograph as the real one does, and always sees the same."""

    name = "fake"

    def __init__(self) -> None:
        self.beams: list[int] = []

    def caption(self, source: image.Source, *, beam: int = 5) -> Caption:
        """Return nine words, the light a spot that moves from the lower left upwards."""
        assert image.read(source, 28).shape == (28, 28, 3)
        self.beams.append(beam)
        y, x = np.mgrid[: GRID[0], : GRID[1]]
        maps = np.array(
            [np.exp(-((y - 6 + 0.7 * i) ** 2 + (x - 0.7 * i) ** 2) / 3) for i in range(len(WORDS))]
        )
        return Caption(
            text=detokenize(WORDS),
            words=WORDS,
            logprob=-7.5,
            confidence=0.47,
            attention=(maps / maps.sum((1, 2), keepdims=True)).astype(np.float32),
            probabilities=np.full(len(WORDS), 0.5, np.float32),
            gates=np.full(len(WORDS), 0.9, np.float32),
            model=self.name,
        )


@contextmanager
def serving(app: Flask) -> Iterator[int]:
    """Serve `app` in a thread, at a free port of 127.0.0.1, which is given."""
    server = make_server(app, "127.0.0.1", 0)
    thread = Thread(target=server.run)
    thread.start()
    try:
        yield server.effective_port
    finally:
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
        thread.join()
        server.task_dispatcher.shutdown()
