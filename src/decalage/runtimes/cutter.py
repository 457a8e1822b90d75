"""One slice of a stream's sound after the other through its segmenter."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from decalage.audio import seconds
from decalage.contracts import Segmenter
from decalage.errors import DecalageError
from decalage.flow.channel import ChannelFinished
from decalage.runtimes.intake import Intake, Missing
from decalage.speech import Segment, Transcript, Utterance

T = TypeVar("T")


class SegmenterFailedError(DecalageError):
    """The segmenter of a stream failed in the sound from ``start`` to ``end``, seconds.

    ``samples`` is the length of the slice it was given.
    """

    def __init__(self, error: Exception, start: float, end: float, samples: int) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.start = start
        self.end = end
        self.samples = samples


@dataclass(frozen=True, slots=True)
class Slice:
    """What one step of the segmenter gave."""

    segments: list[Segment]
    samples: int
    """How many it was about."""
    last: bool
    """No sound comes after it."""


class Cutter:
    """For one thread at a time, but for ``hint``."""

    def __init__(self, segmenter: Segmenter, inbox: Intake) -> None:
        self._segmenter = segmenter
        self._inbox = inbox
        self._heard_s = 0.0
        self._lock = threading.Lock()
        self._hints: list[tuple[Utterance, Transcript]] = []  # of the slice before: a few

    def hint(self, utterance: Utterance, transcript: Transcript) -> None:
        """Told to the segmenter before the next slice; from any thread."""
        with self._lock:
            self._hints.append((utterance, transcript))

    def next(self) -> Slice | None:
        """The next slice of the inbox, if there is one. Raises ``SegmenterFailedError``."""
        with self._lock:
            hints, self._hints = self._hints, []
        for utterance, transcript in hints:
            self._guard(0, partial(self._segmenter.hint, utterance.index, utterance.revision, transcript))
        try:
            item = self._inbox.take()
        except ChannelFinished:
            return Slice(self._guard(0, self._segmenter.finish), 0, last=True)
        if item is None:
            return None
        if isinstance(item, Missing):
            samples = item.length if item.captured else 0
            missed = self._guard(
                samples, lambda: self._segmenter.miss(item.first, item.length, captured=item.captured)
            )
            return Slice(missed, samples, last=False)
        self._heard_s, samples = item.start, len(item.samples)
        return Slice(self._guard(samples, lambda: self._segmenter.feed(item)), samples, last=False)

    def _guard(self, samples: int, step: Callable[[], T]) -> T:
        try:
            return step()
        except Exception as error:
            end = max(self._heard_s, seconds(self._inbox.expected))
            raise SegmenterFailedError(error, self._heard_s, end, samples) from error
