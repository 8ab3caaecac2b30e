"""What glibc does with large blocks: a server wants them given back, a training wants them kept."""

import ctypes
from contextlib import suppress

# Of glibc's malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_MMAP_MAX = -4
M_ARENA_MAX = -8

LARGE = 2**20  # bytes
ARENAS = 2  # that threads share


def give_back() -> None:
    """Make glibc return large blocks to the system when they are freed; nothing elsewhere.

    Left alone it raises the size that counts as large, and every thread keeps what one large
    photograph took: gigabytes after a few of them. What is free of smaller ones lies scattered over
    many arenas, unless threads share a few.
    """
    _set(M_MMAP_THRESHOLD, LARGE)
    _set(M_ARENA_MAX, ARENAS)


def keep() -> None:
    """Make glibc keep large blocks for the next step of a training; nothing elsewhere.

    Left alone it returns each large tensor to the system, which fills its pages with zeros anew.
    """
    _set(M_MMAP_MAX, 0)
    _set(M_TRIM_THRESHOLD, 2**31 - 1)


def _set(parameter: int, value: int) -> None:
    with suppress(AttributeError, TypeError):  # another C library, another system
        ctypes.CDLL(None).mallopt(parameter, value)
