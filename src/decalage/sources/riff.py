"""How much sound a WAV file says it holds, against what is there."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_UNKNOWN_SIZES = {0, 0x7FFFFFFF, 0xFFFFFFFF}
"""Written by programs that did not know the size when they wrote the header."""
_STREAMED = 0x7FFF0000
"""Sizes from here on are placeholders too."""


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
    while True:
        header = file.read(8)
        if len(header) < 8:
            return 0
        name, length = header[:4], struct.unpack("<I", header[4:])[0]
        if name == b"data":
            if length in _UNKNOWN_SIZES or length >= _STREAMED:
                return 0
            return max(0, int(length) - (size - file.tell()))
        file.seek(length + length % 2, 1)
