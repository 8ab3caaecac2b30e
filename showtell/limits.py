"""Limits on the resources that a photograph may take; environment variables can override them."""

import os
from io import BytesIO
from time import thread_time

from showtell.errors import ImageTooLargeError


def limit(name: str, default: int) -> int:
    """Return the value of the environment variable `name`, or `default` if it is not set.

    Raises
    ------
    SystemExit : the value is not a whole number of 1 or more.
    """
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        # This runs at import time, before any code that catches and prints errors.
        raise SystemExit(f"showtell: {name} is {text!r}; set it to a whole number of 1 or more")
    return int(text)


MAX_BYTES = limit("SHOWTELL_MAX_BYTES", 32 * 2**20)
MAX_PIXELS = limit("SHOWTELL_MAX_PIXELS", 64_000_000)
MAX_SECONDS = limit("SHOWTELL_MAX_SECONDS", 2)


class Metered(BytesIO):
    """A file in memory with a limit on the time to decode it.

    Small files can keep a decoder busy for minutes, with a million empty segments or a thousand
    scans of the same pixels. Decoders read a file piece by piece; ``read`` raises an error once the
    limit is exceeded. The time is the CPU time of this thread, so it does not depend on the load of
    the machine.

    Parameters
    ----------
    data : bytes of the file.
    seconds : limit of the CPU time; None is ``MAX_SECONDS``.

    Raises
    ------
    ImageTooLargeError : by ``read``, when the limit is exceeded.
    """

    def __init__(self, data: bytes, seconds: float | None = None) -> None:
        super().__init__(data)
        self._end = thread_time() + (MAX_SECONDS if seconds is None else seconds)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes; all remaining bytes if `size` is negative or None."""
        if thread_time() > self._end:
            raise ImageTooLargeError(
                f"it takes longer than {MAX_SECONDS} s to decode: save it as a plain JPEG, "
                "or raise the limit SHOWTELL_MAX_SECONDS"
            )
        return super().read(size)
