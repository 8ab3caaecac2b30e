"""Photographs that wait are captioned together: a step of the decoder costs little more for many.

Whoever gets a turn takes along some of those that wait behind it. When their own turn comes they
have nothing left to do but to give it back.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock

from showtell.captioner import Caption, Captioner
from showtell.errors import ImageError
from showtell.search import Search
from showtell.web.turns import TOGETHER, Turns


@dataclass(eq=False)
class _Wish:
    photograph: bytes
    search: Search
    caption: Future[Caption] = field(default_factory=Future)


class Together:
    """Captions photographs that wait for a turn, several in one.

    Parameters
    ----------
    captioner : who captions.
    """

    def __init__(self, captioner: Captioner) -> None:
        self._captioner = captioner
        self._lock = Lock()
        self._waiting: list[_Wish] = []  # those that nobody has taken

    def caption(
        self, photograph: bytes, search: Search, turns: Turns, gone: Callable[[], bool]
    ) -> Caption:
        """Caption a photograph, in a turn of its own or in another's.

        Parameters
        ----------
        photograph : the bytes of the file.
        search : options of the caption; only photographs with the same are captioned together.
        turns, gone : see :meth:`Turns.take`.

        Raises
        ------
        ImageError : the photograph cannot be used.
        Problem, ClientDisconnected : see :meth:`Turns.take`.
        """
        wish = _Wish(photograph, search)
        with self._lock:
            self._waiting.append(wish)
        try:
            with turns.take(gone):
                self._work(self._take(wish, turns.at_once))
        finally:
            with self._lock:
                self._leave(wish)
        return wish.caption.result()

    def _take(self, wish: _Wish, at_once: int) -> list[_Wish]:
        """Return `wish` and its part of those that wait; nothing when another has taken it."""
        with self._lock:
            if wish not in self._waiting:
                return []
            others = [one for one in self._waiting if one is not wish and one.search == wish.search]
            part = len(others) // at_once  # the other turns get theirs
            taken = [wish, *others[: min(part, TOGETHER - 1)]]
            for one in taken:
                self._leave(one)
            return taken

    def _leave(self, wish: _Wish) -> None:
        if wish in self._waiting:
            self._waiting.remove(wish)

    def _work(self, wishes: list[_Wish]) -> None:
        if not wishes:
            return
        try:
            photographs = [wish.photograph for wish in wishes]
            found = self._captioner.caption_each(photographs, wishes[0].search)
        except BaseException as error:
            for wish in wishes:
                wish.caption.set_exception(error)
            return
        for wish, caption in zip(wishes, found, strict=True):
            if isinstance(caption, ImageError):
                wish.caption.set_exception(caption)
            else:
                wish.caption.set_result(caption)
