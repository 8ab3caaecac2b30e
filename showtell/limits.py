"""What a photograph may cost at most. Each limit can be set in the environment, under its name."""

import os
from io import BytesIO
from time import thread_time

from showtell.errors import ImageTooLargeError


def limit(name: str, default: int) -> int:
    """Return the whole number that the environment has under `name`, 1 or more.

    Raises
    ------
    SystemExit : it is something else.
    """
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        # While modules are imported nobody is there yet who would tell an error in one line.
        raise SystemExit(f"showtell: {name} is {text!r}; set it to a whole number of 1 or more")
    return int(text)


MAX_BYTES = limit("SHOWTELL_MAX_BYTES", 32 * 2**20)
MAX_PIXELS = limit("SHOWTELL_MAX_PIXELS", 64_000_000)
MAX_SECONDS = limit("SHOWTELL_MAX_SECONDS", 2)


class Metered(BytesIO):
    """A file in memory that its reader may not be busy with for longer than ``MAX_SECONDS``.

    Small files can keep a decoder busy for minutes: a million empty segments, a thousand scans of
    the same pixels. A decoder asks for its file piece by piece, and is refused the next one then.
    Seconds are those of the processor in this thread, so that a busy machine refuses no more.

    Parameters
    ----------
    data : the file.
    seconds : None is ``MAX_SECONDS``; fewer for one who reads the header alone.

    Raises
    ------
    ImageTooLargeError : by ``read``, when the time is over.
    """

    def __init__(self, data: bytes, seconds: float | None = None) -> None:
        super().__init__(data)
        self._end = thread_time() + (MAX_SECONDS if seconds is None else seconds)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next `size` bytes, or all that are left."""
        if thread_time() > self._end:
            raise ImageTooLargeError(
                f"it takes longer than {MAX_SECONDS} s to decode: save it as a plain JPEG, "
                "or raise the limit SHOWTELL_MAX_SECONDS"
            )
        return super().read(size)
