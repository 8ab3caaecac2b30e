"""Memory of a server that stays small after large photographs."""

import ctypes
from contextlib import suppress

M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
LARGE = 2**20  # bytes


def give_back() -> None:
    """Make glibc return large blocks to the system when they are freed; nothing elsewhere.

    Left alone it raises the size that counts as large, and every thread keeps what one large
    photograph took: gigabytes after a few of them.
    """
    with suppress(AttributeError, TypeError):  # another C library, another system
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)
