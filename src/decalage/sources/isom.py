"""Whether an MP4 file has its index, which most programs write when a recording ends."""

from __future__ import annotations

import struct
from pathlib import Path

_BOXES = 1000
"""At most: a film has a dozen of them on this level."""


def lacks_index(path: Path) -> bool:
    """Whether a file of the MP4 family (ISO/IEC 14496-12, section 4.2) ends before its ``moov`` box does."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            at = 0
            for _ in range(_BOXES):
                file.seek(at)
                head = file.read(16)
                if len(head) < 8:
                    return at > 0
                length, kind = struct.unpack(">I4s", head[:8])
                if at == 0 and kind != b"ftyp":
                    return False
                if length == 1 and len(head) == 16:
                    (length,) = struct.unpack(">Q", head[8:])
                if length < 8 or at + length > size:
                    return True
                if kind == b"moov":
                    return False
                at += length
    except OSError:
        return False
    return False
