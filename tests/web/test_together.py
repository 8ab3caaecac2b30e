"""Those who wait are captioned together, each gets its own caption, and nobody another's error."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from odd_files import encode
from PIL import Image
from standins import HeldCaptioner, eventually

from showtell import image
from showtell.captioner import Caption, load
from showtell.errors import ImageError
from showtell.search import DEFAULTS, Search
from showtell.web.together import Together
from showtell.web.turns import TOGETHER, Turns


class NamingCaptioner(HeldCaptioner):
    """Tells how bright a photograph is, in the place of the model's name."""

    def caption(self, source: bytes, search: Search = DEFAULTS, **options: Any) -> Caption:
        """Return the other one's caption with that name."""
        found = super().caption(source, search, **options)
        return replace(found, model=str(image.read(source, 1).max()))


def grey(brightness: int) -> bytes:
    return encode(Image.new("L", (8, 8), brightness), "PNG")


class Queue:
    """A held captioner, and those who ask it one after the other."""

    def __init__(self, pool: ThreadPoolExecutor, at_once: int) -> None:
        self.captioner = NamingCaptioner()
        self.turns = Turns(at_once=at_once, waiting=64)
        self._together = Together(self.captioner)
        self._pool = pool

    def ask(self, photograph: bytes, beam: int = 5) -> Future[Caption]:
        """Ask, and return when the question has its turn or waits for one."""
        before = self.turns.working + self.turns.depth
        answer = self._pool.submit(
            self._together.caption, photograph, Search(beam=beam), self.turns, lambda: False
        )
        eventually(lambda: self.turns.working + self.turns.depth > before)
        return answer


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as pool:
        yield pool


def test_each_of_those_that_wait_gets_its_own_caption(pool: ThreadPoolExecutor) -> None:
    queue = Queue(pool, at_once=1)
    answers = [queue.ask(grey(i)) for i in range(4)]
    queue.captioner.let_go.set()
    assert [answer.result(30).model for answer in answers] == ["0", "1", "2", "3"]
    assert queue.captioner.together == [1, 3]
    assert queue.turns.working == queue.turns.depth == 0


def test_no_more_together_than_may_be(pool: ThreadPoolExecutor) -> None:
    queue = Queue(pool, at_once=1)
    answers = [queue.ask(grey(i)) for i in range(1 + TOGETHER + 2)]
    queue.captioner.let_go.set()
    assert len({answer.result(30).model for answer in answers}) == len(answers)
    assert queue.captioner.together == [1, TOGETHER, 2]


def test_two_turns_share_what_waits(pool: ThreadPoolExecutor) -> None:
    """One took all that came with it, and a core was idle."""
    queue = Queue(pool, at_once=2)
    answers = [queue.ask(grey(i)) for i in range(8)]
    queue.captioner.let_go.set()
    assert len({answer.result(30).model for answer in answers}) == 8
    assert queue.captioner.together[:2] == [1, 1]
    assert max(queue.captioner.together) <= 4


def test_another_search_is_another_turn(pool: ThreadPoolExecutor) -> None:
    queue = Queue(pool, at_once=1)
    answers = [queue.ask(grey(i), beam=beam) for i, beam in enumerate((5, 1, 5, 1))]
    queue.captioner.let_go.set()
    assert [answer.result(30).model for answer in answers] == ["0", "1", "2", "3"]
    assert queue.captioner.together == [1, 2, 1]


def test_a_bad_photograph_is_an_error_of_its_own(pool: ThreadPoolExecutor) -> None:
    queue = Queue(pool, at_once=1)
    answers = [queue.ask(data) for data in (grey(0), b"no photograph", grey(2))]
    queue.captioner.let_go.set()
    with pytest.raises(ImageError, match="not a photograph"):
        answers[1].result(30)
    assert answers[2].result(30).model == "2"


def test_a_fault_is_told_to_all_whom_it_meets(pool: ThreadPoolExecutor) -> None:
    """Those who were taken along would have waited for ever."""
    queue = Queue(pool, at_once=1)
    first = queue.ask(grey(0))
    queue.captioner.caption_each = lambda *_, **__: 1 / 0  # type: ignore[assignment]
    others = [queue.ask(grey(i)) for i in range(2)]
    queue.captioner.let_go.set()
    assert first.result(30)
    for answer in others:
        with pytest.raises(ZeroDivisionError):
            answer.result(30)


def test_the_real_one_captions_each_as_it_does_alone(jpeg: bytes) -> None:
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
