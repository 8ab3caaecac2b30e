"""Settings of glibc's malloc: a server returns large blocks to the system, training keeps them."""

import ctypes
from contextlib import suppress

# Parameters of mallopt, from glibc's malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_MMAP_MAX = -4
M_ARENA_MAX = -8

LARGE = 2**20  # bytes; blocks of this size are returned to the system
ARENAS = 2  # malloc arenas shared by all threads


def give_back() -> None:
    """Make glibc return freed large blocks to the system. No effect with other C libraries.

    By default, glibc raises the threshold when large blocks are freed, so that every thread keeps
    the memory of its largest photograph: gigabytes after a few of them. Limiting the number of
    arenas reduces the fragmentation by smaller blocks.
    """
    _set(M_MMAP_THRESHOLD, LARGE)
    _set(M_ARENA_MAX, ARENAS)


def keep() -> None:
    """Make glibc keep freed blocks for the next training step. No effect with other C libraries.

    By default, each large tensor is returned to the system, which must zero its pages again.
    """
    _set(M_MMAP_MAX, 0)
    _set(M_TRIM_THRESHOLD, 2**31 - 1)


def _set(parameter: int, value: int) -> None:
    with suppress(AttributeError, TypeError):  # not glibc
        ctypes.CDLL(None).mallopt(parameter, value)
