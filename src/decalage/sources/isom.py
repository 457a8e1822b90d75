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
                length, kind = struct.unpack(">I4s", file.read(8))
                if at == 0 and kind != b"ftyp":
                    return False
                if length == 1:
                    (length,) = struct.unpack(">Q", file.read(8))
                if kind == b"moov":
                    return bool(at + length > size)
                if length < 8 or at + length >= size:
                    return True
                at += length
    except (OSError, struct.error):
        return False
    return False
