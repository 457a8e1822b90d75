"""QuickTime files whose tables claim more than there is."""

from __future__ import annotations

import struct
from pathlib import Path

_RATE = 48_000


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def _full(kind: bytes, *parts: bytes) -> bytes:
    return _box(kind, bytes(4), *parts)


def _track(number: int, samples: int, chunks: int) -> bytes:
    """16-bit mono at 48 kHz: ``samples`` in each of ``chunks``, which all begin at the same place."""
    longest = (1 << 31) - 1
    whole = min(longest, samples * chunks)
    form = struct.pack(">HHIHHHHI", 0, 0, 0, 1, 16, 0, 0, _RATE << 16)
    entry = _box(b"sowt", bytes(6), struct.pack(">H", 1), form)
    tables = (
        _full(b"stsd", struct.pack(">I", 1), entry),
        _full(b"stts", struct.pack(">III", 1, whole, 1)),
        _full(b"stsc", struct.pack(">IIII", 1, 1, samples, 1)),
        _full(b"stsz", struct.pack(">II", 1, whole)),
        _full(b"stco", struct.pack(">I", chunks), struct.pack(">I", 900) * chunks),
    )
    return _box(
        b"trak",
        _full(b"tkhd", struct.pack(">IIIII", 0, 0, number, 0, 0), bytes(60)),
        _box(
            b"mdia",
            _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, _RATE, whole, 0, 0)),
            _full(b"hdlr", b"mhlrsoun", bytes(12), b"\0"),
            _box(b"minf", _full(b"smhd", bytes(4)), _box(b"stbl", *tables)),
        ),
    )


def claiming(path: Path, *, samples: int, chunks: int = 1, tracks: int = 1) -> Path:
    """A file of some kilobytes: each of its ``tracks`` claims ``chunks`` times ``samples``."""
    made = [_track(number + 1, samples, chunks) for number in range(tracks)]
    head = _full(b"mvhd", struct.pack(">IIII", 0, 0, 1000, 0), bytes(80))
    kind = _box(b"ftyp", b"qt  ", bytes(4), b"qt  ")
    path.write_bytes(kind + _box(b"moov", head, *made) + _box(b"mdat", b"\1\2" * 4000))
    return path
