"""Whether an MP4 file has its index, which most programs write when a recording ends."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

_BOXES = 1000
"""At most: a film has a dozen of them on this level."""


def lacks_index(path: Path) -> bool:
    """Whether a file of the MP4 family (ISO/IEC 14496-12, section 4.2) ends before its ``moov`` box does.

    Not of a picture, which has a ``meta`` box instead.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            kinds = list(islice(_whole_boxes(file, size), _BOXES))
    except OSError:
        return False
    return kinds[:1] == [b"ftyp"] and not {b"moov", b"meta"} & set(kinds)


def _whole_boxes(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The kind of each box that ends within the file."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head[:8])
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:])
        if length < 8 or at + length > size:
            return
        yield kind
        at += length
