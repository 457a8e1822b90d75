"""The C library's allocator, set for a program of few busy threads."""

from __future__ import annotations

import ctypes
import sys

_M_ARENA_MAX = -8
"""``mallopt(3)``: the most arenas that glibc makes."""
_ARENAS = 2


def share_arenas() -> bool:
    """Let threads share two arenas; False where the C library is not glibc.

    glibc gives each thread an arena of its own, and each keeps what its engine calls have freed. To be
    called before threads start, by a program: a library leaves its host's allocator alone.
    """
    libc = _glibc()
    return libc is not None and bool(libc.mallopt(_M_ARENA_MAX, _ARENAS))


def give_back() -> bool:
    """Return freed memory to the system (``malloc_trim(3)``); False where none was, or there is no glibc.

    glibc keeps what lies below memory in use: after a burst that is most of it. Takes milliseconds.
    """
    libc = _glibc()
    return libc is not None and bool(libc.malloc_trim(0))


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    return libc if hasattr(libc, "malloc_trim") else None
