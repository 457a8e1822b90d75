"""Delivering sound as if it were being spoken now, and only so much of it."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from decalage.audio import AudioChunk, sample_count
from decalage.clock import Clock
from decalage.contracts import AudioSource
from decalage.errors import UsageError
from decalage.flow.stopping import StopSignal


class Paced:
    """A source whose chunk comes when its last sample would have been spoken, like a live one.

    Times are absolute from the first chunk asked for: a late consumer catches up, nothing drifts.
    """

    def __init__(self, source: AudioSource, clock: Clock) -> None:
        self.name = source.name
        self.duration_s = source.duration_s
        self._source = source
        self._clock = clock
        self._stop = StopSignal()

    def __reduce__(self) -> tuple[type[Paced], tuple[AudioSource, Clock]]:
        """Goes to another process before it is iterated, if source and clock do."""
        return Paced, (self._source, self._clock)

    def __iter__(self) -> Iterator[AudioChunk]:
        origin: float | None = None
        for chunk in self._source:
            if origin is None:  # a slow start delays the stream's clock, it does not outrun it
                origin = self._clock.now()
            if self._stop.wait_until(self._clock, origin + chunk.end):
                return
            yield chunk

    def stop(self) -> None:
        self._stop.set()
        self._source.stop()


class Limited:
    """The first ``duration_s`` seconds of a source. Raises ``UsageError`` for no number of seconds."""

    def __init__(self, source: AudioSource, duration_s: float) -> None:
        if not isfinite(duration_s):
            raise UsageError(f"duration {duration_s} s: a number is needed")
        self.name = source.name
        self.duration_s: float | None = min(duration_s, source.duration_s or duration_s)
        self._source = source
        self._last = sample_count(duration_s)

    def __iter__(self) -> Iterator[AudioChunk]:
        for chunk in self._source:
            left = self._last - chunk.first
            if left > 0:
                yield AudioChunk(chunk.first, chunk.samples[:left])
            if left <= len(chunk.samples):
                self._source.stop()
                return

    def stop(self) -> None:
        self._source.stop()
