"""Fake captioners, a server for an application, and its clients."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.client import HTTPConnection
from threading import Event, Thread
from typing import Any

import numpy as np
from flask import Flask
from waitress import wasyncore

from showtell import image
from showtell.caption import Caption
from showtell.errors import ImageError, OptionError
from showtell.proof import Proof
from showtell.search import DEFAULTS, Search
from showtell.things import Thing
from showtell.vocab import detokenize
from showtell.web.server import make_server

WORDS = ("an", "astronaut", "'s", "smile", "in", "front", "of", "a", "flag")
GRID = (7, 7)
KNOWN = ("dog", "traffic light", "ball", "hat", "bus")  # words that can be mentioned
SEEN = {"dog": 0.62, "traffic light": 0.11}
CAPTIONS = "/api/v1/captions"


class FakeCaptioner:
    """Reads photographs as the real captioner does, and always returns the same caption."""

    name = "fake"

    def __init__(self) -> None:
        self.beams: list[int] = []
        self.together: list[int] = []

    def caption(
        self,
        source: image.Source,
        search: Search = DEFAULTS,
        **options: Any,
    ) -> Caption:
        """Return nine words, for a region four, or at most `max_length`; each alternative has one
        word less. Words at odd positions count as seen. Words to mention come last.
        """
        search = replace(search, **options)
        assert image.read(source, 28, search.region).shape == (28, 28, 3)
        self.beams.append(search.beam)
        words = (WORDS[5:] if search.region else WORDS) + self._asked(search.mention)
        longest = min(search.max_length, len(words))
        sentences = [words[: longest - i] for i in range(min(search.beam, 3))]
        best, *others = (self._say(words) for words in sentences if words)
        proof = self._prove(best) if search.proof else None
        things = tuple(map(self._see, SEEN, SEEN.values(), [search.things] * len(SEEN)))
        found = replace(best, alternatives=tuple(others), region=search.region, proof=proof)
        return replace(found, things=things)

    def _asked(self, mention: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [word for word in mention if word not in KNOWN]:
            raise OptionError(f"'mention': {unknown[0]!r} is not in the model's vocabulary")
        return tuple(word.split()[-1] for word in mention)

    def _see(self, name: str, probability: float, mapped: bool) -> Thing:
        """Return things in different corners, the first at the top left."""
        places = np.zeros(GRID, np.float32)
        places.flat[0 if name == "dog" else -1] = 1
        return Thing(name, probability, places if mapped else None)

    def _prove(self, caption: Caption) -> Proof:
        seen = np.arange(len(caption.words)) % 2 == 1
        return Proof(caption.probabilities * np.where(seen, 0.6, -0.1), 0.1 * seen, seen)

    def caption_each(
        self, sources: Sequence[image.Source], search: Search = DEFAULTS
    ) -> list[Caption | ImageError]:
        """Return a caption or an error for each photograph."""
        self.together.append(len(sources))
        return [self._caption_or_error(source, search) for source in sources]

    def _caption_or_error(self, source: image.Source, search: Search) -> Caption | ImageError:
        try:
            return self.caption(source, search)
        except ImageError as error:
            return error

    def _say(self, words: tuple[str, ...]) -> Caption:
        """Return maps of one cell each, from the bottom left upwards."""
        y, x = np.mgrid[: GRID[0], : GRID[1]]
        n = len(words)
        maps = np.array(
            [np.exp(-((y - 6 + 0.7 * i) ** 2 + (x - 0.7 * i) ** 2) / 3) for i in range(n)]
        )
        return Caption(
            text=detokenize(words),
            words=words,
            logprob=-0.75 * (n + 1),
            confidence=0.47,
            attention=(maps / maps.sum((1, 2), keepdims=True)).astype(np.float32),
            probabilities=np.linspace(0.9, 0.1, n, dtype=np.float32),
            gates=np.linspace(0.2, 0.95, n, dtype=np.float32),
            confidences=np.linspace(0.8, 0.4, n, dtype=np.float32),
            model=self.name,
        )


class HeldCaptioner(FakeCaptioner):
    """Blocks until `let_go` is set, except for the one word of the health check."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = Event()

    def caption(self, source: image.Source, search: Search = DEFAULTS, **options: Any) -> Caption:
        """Return the other captioner's caption when `let_go` is set."""
        found = super().caption(source, search, **options)
        assert replace(search, **options).max_length == 1 or self.let_go.wait(60)
        return found


def eventually(happened: Callable[[], bool]) -> None:
    """Wait until a condition is true, with a timeout for busy machines."""
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@contextmanager
def serving(app: Flask, port: int = 0) -> Iterator[int]:
    """Serve `app` in a thread on 127.0.0.1, on a free port if none is given."""
    server = make_server(app, "127.0.0.1", port)
    thread = Thread(target=server.run)
    thread.start()
    try:
        yield server.effective_port
    finally:
        # The last request may also have pulled the trigger, and closed it meanwhile.
        with suppress(OSError):
            server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
        thread.join()
        server.task_dispatcher.shutdown()


def ask(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Send a request; return the status, the headers and the body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body)
    response = connection.getresponse()
    answer = response.status, dict(response.headers), response.read()
    connection.close()
    return answer


@contextmanager
def asking(port: int, jpeg: bytes, beams: list[int]) -> Iterator[list[Future]]:
    """Request captions with each of the `beams` concurrently."""
    with ThreadPoolExecutor(len(beams)) as pool:
        yield [pool.submit(ask, port, "POST", f"{CAPTIONS}?beam={beam}", jpeg) for beam in beams]
