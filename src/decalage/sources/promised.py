"""How long a file says that its sound is, where it counted it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from decalage.sources.frame_clock import FrameClock

_TAG = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d{1,9})?)")
_TAG_NAME = re.compile(r"DURATION(-[a-z]{2,3})?")
"""mkvmerge puts a language behind it."""
_SHORT_S = 0.5
"""A file this much shorter than it says has lost its end."""
_UNSURE_S = 1.5
"""The same for Matroska, whose length some programs write that only watched the clock on the wall."""
_FIRST_FRAME_BYTES = 1_500
_ID3 = 10
"""Bytes of the head of an ID3v2 tag, whose size is in the last four of them."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What a file says of the length of its sound."""

    length_s: float
    unsure_s: float = _SHORT_S
    by_clock: bool = False
    """Whether it is the time at which the sound ends by the container's clock, wherever that began."""

    def broken(self, held_s: float, clock: FrameClock | None) -> float | None:
        """The seconds that the file says, if it holds less. ``clock`` has seen all of its sound."""
        if clock is not None and clock.counts_anew:
            return None
        began_s = clock.began_s if self.by_clock and clock is not None else 0.0
        said_s = self.length_s - began_s
        return said_s if held_s < said_s - self.unsure_s else None


def find_promise(form: str, container: Any, stream: Any, path: Path | None) -> Promise | None:
    """How long ``stream``, of the PyAV ``container``, which FFmpeg calls ``form``, lasts by what it says.

    None where it says nothing, or a length was only guessed from a bit rate. Of the sound alone: the
    picture of a film may begin before it and go on behind it. ``path`` of a file on the disk.
    """
    if form == "matroska":
        return _of_matroska(container, stream)
    if stream.duration is None or form not in ("flac", "aiff", "mov", "mp3"):
        return None
    length_s = float(stream.duration * stream.time_base)
    if form == "mp3" and (path is None or not _counts_frames(path)):
        return None
    if form == "flac" and stream.start_time:  # shortened without being encoded anew: the count is the old one
        return Promise(length_s - float(stream.start_time * stream.time_base))
    lead_counts = form == "mov" and (not stream.frames or len(container.streams) == 1)
    return Promise(length_s, by_clock=lead_counts)


def _of_matroska(container: Any, stream: Any) -> Promise | None:
    """A tag tells it of each track; where it is missing, the length of the whole is that of sound alone.

    A tag may be older than the file, which was cut since: one beyond the end of the whole is none. Where
    the whole is a guess, FFmpeg gives each of its streams a length.
    """
    if container.duration is None or all(each.duration is not None for each in container.streams):
        return None
    whole_s = float(container.duration) / 1_000_000
    ends_s = _tag_s(stream.metadata)
    if ends_s is None or ends_s > whole_s + _UNSURE_S:
        ends_s = whole_s if len(container.streams) == 1 else None
    return None if ends_s is None else Promise(ends_s, _UNSURE_S, by_clock=True)


def _tag_s(metadata: Mapping[str, str]) -> float | None:
    names = sorted(name for name in metadata if _TAG_NAME.fullmatch(name))
    found = _TAG.fullmatch(metadata[names[0]].strip()) if names else None
    if found is None:
        return None
    hours, minutes, seconds = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


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
