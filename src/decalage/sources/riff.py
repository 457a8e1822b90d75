"""How much sound a WAV file says it holds, against what is there."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_STREAMED = 0x7FFF0000
"""From here on, as 0, a size was written by a program that did not know it yet."""

_CHUNKS = 1000
"""Before the sound, at most: a file of nothing but empty ones is no recording."""


def missing_bytes(path: Path) -> int:
    """Bytes of the data chunk that the header promises and the file does not have; 0 for other files.

    RIFF WAVE as in Microsoft's Multimedia Programming Interface 1.0, chapter 2.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return _missing(file, size)
    except (OSError, struct.error):
        return 0


def _missing(file: BinaryIO, size: int) -> int:
    if file.read(4) != b"RIFF" or not file.read(4) or file.read(4) != b"WAVE":
        return 0
    for _ in range(_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            return 0
        name, length = header[:4], struct.unpack("<I", header[4:])[0]
        if name == b"data":
            if length == 0 or length >= _STREAMED:
                return 0
            return max(0, int(length) - (size - file.tell()))
        file.seek(length + length % 2, 1)
    return 0
