"""The queue of the captioner: order, batches, limits, deadlines and fairness."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from werkzeug.exceptions import ClientDisconnected

from showtell import image
from showtell.caption import Caption
from showtell.captioner import load
from showtell.errors import ImageError
from showtell.search import DEFAULTS, Search
from showtell.web import create_app
from showtell.web.admission import is_heavy
from showtell.web.batcher import BATCH, HEAVY_WAITING, Batcher
from showtell.web.problems import Problem
from tests.odd_files import encode
from tests.web.standins import CAPTIONS, HeldCaptioner, ask, asking, eventually, serving


def stays() -> bool:
    return False


class NamingCaptioner(HeldCaptioner):
    """Returns the brightness of a photograph as the model's name."""

    def caption(self, source: bytes, search: Search = DEFAULTS, **options: Any) -> Caption:
        """Return the other captioner's caption with that name."""
        found = super().caption(source, search, **options)
        return replace(found, model=str(image.read(source, 1).max()))


def grey(brightness: int) -> bytes:
    return encode(Image.new("L", (8, 8), brightness), "PNG")


class Bench:
    """A batcher with a blocked captioner, and threads that send requests one after another."""

    def __init__(self, pool: ThreadPoolExecutor, **options: Any) -> None:
        self.captioner = NamingCaptioner()
        self.batcher = Batcher(self.captioner, **options)
        self._pool = pool

    def caption(
        self, photograph: bytes, beam: int = 5, gone: Callable[[], bool] = stays
    ) -> Future[Caption]:
        """Send a photograph, and return when it is in progress or in the queue."""
        return self._send(self.batcher.caption, photograph, Search(beam=beam), gone)

    def draw(self, draw: Callable[[], Any]) -> Future[Any]:
        """Send a drawing, as :meth:`caption` sends a photograph."""
        return self._send(lambda: self.batcher.draw(draw, stays, heavy=False))

    def draw_heavy(self, draw: Callable[[], Any], n: int) -> list[Future[Any]]:
        """Send `n` heavy drawings, and return when one is in progress and the others wait."""
        answers = [self._pool.submit(self.batcher.draw, draw, stays, heavy=True) for _ in range(n)]
        eventually(lambda: (self.batcher.working, self.batcher.depth) == (1, n - 1))
        return answers

    def _send(self, *call: Any) -> Future[Any]:
        # Otherwise two waiting requests could share a batch, or be taken in either order.
        before = self.batcher.working + self.batcher.depth
        answer = self._pool.submit(*call)
        eventually(lambda: self.batcher.working + self.batcher.depth > before)
        busy = min(self.batcher.workers, before + 1)
        eventually(lambda: self.batcher.working >= busy or answer.done())
        return answer

    def is_idle(self) -> bool:
        """Return whether no request is in the queue or in progress."""
        return self.batcher.working == self.batcher.depth == 0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as pool:
        yield pool


# Order and limits


def test_first_come_first_served(pool: ThreadPoolExecutor) -> None:
    bench, go, order = Bench(pool, workers=1), Event(), []
    first = bench.draw(lambda: go.wait(30))
    others = [bench.draw(lambda i=i: order.append(i)) for i in range(8)]
    go.set()
    for answer in (first, *others):
        answer.result(30)
    assert order == list(range(8))
    eventually(bench.is_idle)


def test_all_workers_work_and_no_more(pool: ThreadPoolExecutor) -> None:
    bench, meet, most = Bench(pool, workers=3), Event(), []

    def work() -> None:
        most.append(bench.batcher.working)
        if len(most) == 3:
            meet.set()
        assert meet.wait(30), "three never worked at the same time"

    answers = [pool.submit(lambda: bench.batcher.draw(work, stays, heavy=False)) for _ in range(12)]
    for answer in answers:
        answer.result(30)
    assert max(most) == 3


def test_a_full_queue_refuses_and_recovers(pool: ThreadPoolExecutor) -> None:
    bench, go = Bench(pool, workers=1, waiting=1), Event()
    answers = [bench.draw(lambda: go.wait(30)) for _ in range(2)]
    with pytest.raises(Problem) as caught:
        bench.batcher.caption(grey(0), DEFAULTS, stays)
    assert (caught.value.code, caught.value.slug) == (503, "busy")
    go.set()
    assert all(answer.result(30) for answer in answers)
    assert bench.batcher.draw(lambda: "drawn", stays, heavy=False) == "drawn"


def test_nothing_waits_for_ever(pool: ThreadPoolExecutor) -> None:
    """A worker that hung blocked all requests after it."""
    bench, go = Bench(pool, workers=1, patience=0.05), Event()
    hung = bench.draw(lambda: go.wait(30))
    with pytest.raises(Problem, match="Too many"):
        bench.batcher.caption(grey(0), DEFAULTS, stays)
    assert (bench.batcher.depth, bench.batcher.working) == (0, 1)
    go.set()
    assert hung.result(30), "what is worked on has no deadline"


def test_a_drawing_that_fails_raises_its_error_and_frees_its_worker(
    pool: ThreadPoolExecutor,
) -> None:
    bench = Bench(pool, workers=1)
    with pytest.raises(ZeroDivisionError):
        bench.batcher.draw(lambda: 1 // 0, stays, heavy=False)
    eventually(bench.is_idle)


def test_a_client_that_left_is_not_worked_for(pool: ThreadPoolExecutor) -> None:
    bench = Bench(pool, workers=1)
    bench.captioner.let_go.set()
    with pytest.raises(ClientDisconnected):
        bench.batcher.caption(grey(0), DEFAULTS, lambda: True)
    assert bench.captioner.beams == []
    eventually(bench.is_idle)


# Batches


def test_those_that_wait_share_a_batch_and_each_gets_its_own_caption(
    pool: ThreadPoolExecutor,
) -> None:
    bench = Bench(pool, workers=1)
    answers = [bench.caption(grey(i)) for i in range(4)]
    bench.captioner.let_go.set()
    assert [answer.result(30).model for answer in answers] == ["0", "1", "2", "3"]
    assert bench.captioner.together == [1, 3]


def test_a_batch_is_bounded(pool: ThreadPoolExecutor) -> None:
    bench = Bench(pool, workers=1)
    answers = [bench.caption(grey(i)) for i in range(1 + BATCH + 2)]
    bench.captioner.let_go.set()
    assert len({answer.result(30).model for answer in answers}) == len(answers)
    assert bench.captioner.together == [1, BATCH, 2]


def test_workers_share_what_waits(pool: ThreadPoolExecutor) -> None:
    """One worker took all waiting requests, and a core was idle."""
    bench = Bench(pool, workers=2)
    answers = [bench.caption(grey(i)) for i in range(8)]
    bench.captioner.let_go.set()
    assert len({answer.result(30).model for answer in answers}) == 8
    assert bench.captioner.together[:2] == [1, 1]
    assert max(bench.captioner.together) <= 4


def test_another_search_is_another_batch(pool: ThreadPoolExecutor) -> None:
    bench = Bench(pool, workers=1)
    answers = [bench.caption(grey(i), beam=beam) for i, beam in enumerate((5, 1, 5, 1))]
    bench.captioner.let_go.set()
    assert [answer.result(30).model for answer in answers] == ["0", "1", "2", "3"]
    assert bench.captioner.together == [1, 2, 1]


def test_a_bad_photograph_is_an_error_of_its_own(pool: ThreadPoolExecutor) -> None:
    bench = Bench(pool, workers=1)
    answers = [bench.caption(data) for data in (grey(0), b"no photograph", grey(2))]
    bench.captioner.let_go.set()
    with pytest.raises(ImageError, match="not a supported image format"):
        answers[1].result(30)
    assert answers[2].result(30).model == "2"


def test_a_fault_reaches_the_whole_batch(pool: ThreadPoolExecutor) -> None:
    """All requests but the first would have waited forever."""
    bench = Bench(pool, workers=1)
    first = bench.caption(grey(0))
    eventually(lambda: bench.captioner.beams != [])
    bench.captioner.caption_each = lambda *_, **__: 1 / 0  # type: ignore[assignment]
    others = [bench.caption(grey(i)) for i in range(2)]
    bench.captioner.let_go.set()
    assert first.result(30)
    for answer in others:
        with pytest.raises(ZeroDivisionError):
            answer.result(30)


def test_an_answer_does_not_wait_for_the_next_request(pool: ThreadPoolExecutor) -> None:
    """A caption was only returned when its worker was free again."""
    bench, go = Bench(pool, workers=1), Event()
    first, *batch = [bench.caption(grey(i)) for i in range(3)]
    slow = bench.draw(lambda: go.wait(30))
    bench.captioner.let_go.set()
    assert [answer.result(10).model for answer in (first, *batch)] == ["0", "1", "2"]
    assert not slow.done()
    go.set()


def test_the_real_captioner_captions_each_as_it_does_alone(jpeg: bytes) -> None:
    captioner = load(threads=1)
    several = encode(
        Image.new("L", (9, 9)), "GIF", save_all=True, append_images=[Image.new("L", (9, 9), 9)]
    )
    good, bad, warned = captioner.caption_each([jpeg, b"none", several], beam=2)
    assert isinstance(good, Caption)
    assert isinstance(bad, ImageError)
    assert isinstance(warned, Caption)
    assert good.text == captioner.caption(jpeg, beam=2).text
    assert warned.warnings == captioner.caption(several, beam=2).warnings != ()


# Fairness


def test_heavy_requests_leave_a_worker_to_the_others(pool: ThreadPoolExecutor) -> None:
    """A small photograph waited 7 s for six animations of 60 megapixels."""
    bench, go = Bench(pool, workers=2), Event()
    bench.captioner.let_go.set()
    heavy = bench.draw_heavy(lambda: go.wait(30), 6)
    for i in range(3):
        assert bench.batcher.caption(grey(i), DEFAULTS, stays).model == str(i)
    assert not any(answer.done() for answer in heavy)
    go.set()
    assert all(answer.result(30) for answer in heavy)


def test_heavy_requests_leave_room_in_the_queue(pool: ThreadPoolExecutor) -> None:
    bench, go = Bench(pool, workers=2), Event()
    bench.captioner.let_go.set()
    heavy = bench.draw_heavy(lambda: go.wait(30), 1 + HEAVY_WAITING)
    with pytest.raises(Problem, match="Too many"):
        bench.batcher.draw(lambda: None, stays, heavy=True)
    assert bench.batcher.caption(grey(0), DEFAULTS, stays).model == "0"
    go.set()
    assert all(answer.result(30) for answer in heavy)


def progressive(scans: int) -> bytes:
    """Return a progressive JPEG of 2 megapixels with one scan repeated."""
    file = encode(Image.new("L", (2000, 1000)), "JPEG", progressive=True)
    last = file[file.rindex(b"\xff\xda") : -2]
    return file[:-2] + scans * last + file[-2:]


@pytest.mark.parametrize(
    ("photograph", "heavy"),
    [
        (encode(Image.new("L", (4000, 3000)), "JPEG"), False),
        (encode(Image.new("L", (1500, 1000)), "PNG"), False),
        (b"no photograph", False),
        (encode(Image.new("L", (9000, 6600)), "PNG"), True),
        (encode(Image.new("L", (9000, 6600)), "PNG")[:-2000], True),
        (encode(Image.new("1", (9000, 6600)), "TIFF"), True),
        (encode(Image.new("P", (9000, 6600)), "GIF"), True),
        (encode(Image.new("L", (9000, 6600)), "JPEG"), True),
        (progressive(scans=100), True),
        (b"\xff\xd8" + b"\xff\xe5\x00\x02" * 1_000_000, True),
    ],
    ids=["phone", "screenshot", "text", "png", "cut", "tiff", "gif", "jpeg", "scans", "segments"],
)
def test_heavy_is_what_takes_long_to_decode(photograph: bytes, heavy: bool) -> None:
    began = time.thread_time()
    assert is_heavy(photograph, whole=False) == heavy
    assert time.thread_time() - began < 0.5, "it was decoded"


def test_a_jpeg_is_heavier_when_all_of_it_is_needed() -> None:
    phone = encode(Image.new("L", (4000, 3000)), "JPEG")
    assert is_heavy(phone, whole=True)


# In a server


@pytest.fixture
def captioner() -> Iterator[HeldCaptioner]:
    held = HeldCaptioner()
    yield held
    held.let_go.set()


@pytest.fixture
def app(captioner: HeldCaptioner) -> Flask:
    return create_app(captioner)


def test_a_full_server_says_so_goes_on_answering_and_recovers(
    app: Flask, captioner: HeldCaptioner, jpeg: bytes
) -> None:
    batcher = app.extensions["batcher"] = Batcher(captioner, workers=1, waiting=9)
    with serving(app) as port, asking(port, jpeg, [1]) as first, ThreadPoolExecutor(9) as pool:
        try:
            eventually(lambda: batcher.working == 1)
            others = [pool.submit(ask, port, "POST", CAPTIONS, jpeg) for _ in range(9)]
            eventually(lambda: batcher.depth == 9)
            status, headers, body = ask(port, "POST", CAPTIONS, jpeg)
            assert (status, headers["Retry-After"]) == (503, "1")
            assert json.loads(body)["code"] == "busy"
            for path in ("/", "/static/page.js", "/healthz", "/metrics"):
                assert ask(port, "GET", path)[0] == 200
        finally:
            captioner.let_go.set()
        assert {answer.result(60)[0] for answer in (*first, *others)} == {200}
        assert ask(port, "POST", CAPTIONS, jpeg)[0] == 200


def test_a_client_that_hangs_up_while_it_waits_is_not_worked_for(
    app: Flask, captioner: HeldCaptioner, jpeg: bytes
) -> None:
    batcher = app.extensions["batcher"]
    batcher.workers = 1
    with serving(app) as port, asking(port, jpeg, [2]) as (first,):
        try:
            eventually(lambda: captioner.beams == [2])
            with socket.create_connection(("127.0.0.1", port)) as client:
                head = f"POST {CAPTIONS}?beam=3 HTTP/1.1\r\nHost: localhost\r\n"
                client.sendall(f"{head}Content-Length: {len(jpeg)}\r\n\r\n".encode() + jpeg)
                eventually(lambda: batcher.depth == 1)
            eventually(lambda: batcher.depth == 0)
        finally:
            captioner.let_go.set()
        assert first.result(60)[0] == 200
        assert ask(port, "POST", f"{CAPTIONS}?beam=4", jpeg)[0] == 200
    assert captioner.beams == [2, 4]
