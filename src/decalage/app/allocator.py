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
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_ARENA_MAX, _ARENAS))
