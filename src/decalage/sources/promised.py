"""How long a file says that its sound is, where it counted it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TAG = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d{1,9})?)")
_TAG_NAME = re.compile(r"DURATION(-[a-z]{2,3})?")
"""mkvmerge puts a language behind it."""
_SHORT_S, _UNSURE_S = 0.5, 1.5
"""A file this much shorter than it says has lost its end; the latter where the length is the time of a clock,
at times of a program that came later."""
_FIRST_FRAME_BYTES = 1_500
_ID3 = 10
"""Bytes of the head of an ID3v2 tag, whose size is in the last four of them."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What a file says of the length of its sound."""

    length_s: float
    unsure_s: float = _SHORT_S

    def is_kept(self, held_s: float) -> bool:
        """Whether ``held_s`` of sound are that."""
        return held_s >= self.length_s - self.unsure_s


def find_promise(container: Any, stream: Any, path: Path | None) -> Promise | None:
    """How long ``stream``, of the PyAV ``container``, lasts by what the file says.

    None where it says nothing, or a length was only guessed from a bit rate. Of the sound alone: the
    picture of a film may begin before it and go on behind it.
    """
    measure = _MEASURES.get(container.format.name.split(",")[0])
    return None if measure is None else measure(container, stream, path)


def _of_track(_container: Any, stream: Any, _path: Path | None) -> Promise | None:
    return None if stream.duration is None else Promise(float(stream.duration * stream.time_base))


def _of_movie(container: Any, stream: Any, path: Path | None) -> Promise | None:
    """A track that begins late counts the time before."""
    counted = _of_track(container, stream, path)
    return None if counted is None else Promise(counted.length_s - _begin_s(stream))


def _of_matroska(container: Any, stream: Any, _path: Path | None) -> Promise | None:
    """A tag tells it of each track; where it is missing, the length of the whole is that of sound alone.

    Both are times of the file's own clock. A tag may be older than the file, which was cut since, so it
    counts only up to the length of the whole. FFmpeg gives a track a length where it has guessed both.
    """
    if container.duration is None or stream.duration is not None:
        return None
    whole_s = float(container.duration) / 1_000_000
    tag_s = _tag_s(stream.metadata)
    if tag_s is None and len(container.streams) > 1:
        return None
    return Promise(min(whole_s, tag_s or whole_s) - _begin_s(stream), _UNSURE_S)


def _begin_s(stream: Any) -> float:
    return 0.0 if stream.start_time is None else max(0.0, float(stream.start_time * stream.time_base))


def _tag_s(metadata: Mapping[str, str]) -> float | None:
    names = sorted(name for name in metadata if _TAG_NAME.fullmatch(name))
    found = _TAG.fullmatch(metadata[names[0]].strip()) if names else None
    if found is None:
        return None
    hours, minutes, seconds = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _of_mp3(container: Any, stream: Any, path: Path | None) -> Promise | None:
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
    return b"VBRI" in frame or any(_has_count(frame, mark) for mark in (b"Xing", b"Info"))


def _has_count(frame: bytes, mark: bytes) -> bool:
    """Whether the header that begins with ``mark`` has a number of frames: flags, then what they announce."""
    at = frame.find(mark)
    if at < 0:
        return False
    flags, count = (int.from_bytes(frame[at + part : at + part + 4], "big") for part in (4, 8))
    return bool(flags & 1) and count > 0


_MEASURES: Mapping[str, Callable[[Any, Any, Path | None], Promise | None]] = {
    "flac": _of_track,
    "aiff": _of_track,
    "mov": _of_movie,
    "matroska": _of_matroska,
    "mp3": _of_mp3,
}
"""By the first name of the container."""
