"""How long a file says that its sound is, where it counted it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_FRAMES = (b"Xing", b"Info", b"VBRI")
"""In the first frame of an MP3 whose writer counted its frames."""
_FIRST_FRAME_BYTES = 1_500
_ID3 = 10
"""Bytes of the head of an ID3v2 tag, whose size is in the last four of them."""


def promised_s(container: Any, stream: Any, path: Path | None) -> float | None:
    """Seconds that ``stream``, of the PyAV ``container``, lasts by what the file says.

    None where it says nothing, or a length was only guessed from a bit rate. Of the sound alone: the
    picture of a film may go on behind it.
    """
    measure = _MEASURES.get(container.format.name.split(",")[0])
    return None if measure is None else measure(container, stream, path)


def _of_track(_container: Any, stream: Any, _path: Path | None) -> float | None:
    return None if stream.duration is None else float(stream.duration * stream.time_base)


def _of_matroska(container: Any, stream: Any, _path: Path | None) -> float | None:
    """A tag tells it of each track; where it is missing, the length of the whole is that of sound alone.

    Both are times of the file's own clock, which may begin behind 0.
    """
    begins_s = (container.start_time or 0) / 1_000_000
    found = _TAG.match(_tag(stream.metadata))
    if found:
        hours, minutes, seconds = found.groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) - begins_s
    if container.duration is None or len(container.streams) > 1:
        return None
    return float(container.duration) / 1_000_000 - begins_s


def _tag(metadata: Mapping[str, str]) -> str:
    """Its name may have a language behind it, as mkvmerge writes."""
    return next((value for name, value in metadata.items() if name.startswith("DURATION")), "")


def _of_mp3(container: Any, stream: Any, path: Path | None) -> float | None:
    return _of_track(container, stream, path) if path is not None and _counts_frames(path) else None


def _counts_frames(path: Path) -> bool:
    """Whether an MP3 says how many frames it has, behind its ID3v2 tag (id3.org, ID3v2.4, section 3.1)."""
    try:
        with path.open("rb") as file:
            head = file.read(_ID3)
            if head[:3] != b"ID3" or len(head) < _ID3:
                file.seek(0)
            else:
                size = 0
                for byte in head[6:]:
                    size = size << 7 | byte & 0x7F
                file.seek(size, 1)
            frame = file.read(_FIRST_FRAME_BYTES)
    except OSError:
        return False
    return any(mark in frame for mark in _FRAMES)


_MEASURES: Mapping[str, Callable[[Any, Any, Path | None], float | None]] = {
    "flac": _of_track,
    "aiff": _of_track,
    "mov": _of_track,
    "matroska": _of_matroska,
    "mp3": _of_mp3,
}
"""By the first name of the container."""
