"""Silence after a recording, so that its last phrase ends as it would with the speaker still there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from decalage.audio import SAMPLE_RATE, AudioChunk, sample_count, seconds
from decalage.contracts import AudioSource

_CHUNK = SAMPLE_RATE // 10


class Tailed:
    """``source`` and then ``tail_s`` seconds of silence; none after damage, which is told as ever."""

    def __init__(self, source: AudioSource, tail_s: float) -> None:
        self.name = source.name
        self.duration_s = None if source.duration_s is None else source.duration_s + tail_s
        self._source = source
        self._tail_s = tail_s
        self._stopped = False

    def __reduce__(self) -> tuple[type[Tailed], tuple[AudioSource, float]]:
        """Goes to another process before it is iterated, if the source does."""
        return Tailed, (self._source, self._tail_s)

    def __iter__(self) -> Iterator[AudioChunk]:
        first = 0
        for chunk in self._source:
            first = chunk.first + len(chunk.samples)
            yield chunk
        last = first + sample_count(self._tail_s)
        while first < last and not self._stopped:
            length = min(_CHUNK, last - first)
            yield AudioChunk(first, np.zeros(length, np.float32))
            first += length

    def stop(self) -> None:
        self._stopped = True
        self._source.stop()

    def __repr__(self) -> str:
        return f"<Tailed {self._source!r} {seconds(sample_count(self._tail_s)):g} s>"
