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
from decalage.runtimes.intake import Flush, Intake, Missing
from decalage.speech import Cut, Transcript, Utterance

T = TypeVar("T")


class SegmenterFailedError(DecalageError):
    """The segmenter of a stream failed in the sound from ``start`` to ``end``, seconds.

    ``samples`` is its length: all that came and has not gone through the segmenter.
    """

    def __init__(self, error: BaseException, first: int, samples: int) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.start = seconds(first)
        self.end = seconds(first + samples)
        self.samples = samples


@dataclass(frozen=True, slots=True)
class Slice:
    """What one step of the segmenter gave."""

    segments: list[Cut]
    samples: int
    """How many it was about."""
    last: bool
    """No sound comes after it."""


class Cutter:
    """For one thread at a time, but for ``hint`` and ``overdue``."""

    def __init__(self, segmenter: Segmenter, inbox: Intake) -> None:
        self._segmenter = segmenter
        self._inbox = inbox
        self._passed = 0  # number of the first sample that has not gone through the segmenter
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
            self._guard(partial(self._segmenter.hint, utterance.index, utterance.revision, transcript))
        try:
            item = self._inbox.take()
        except ChannelFinished:
            return Slice(self._guard(self._segmenter.finish), 0, last=True)
        if item is None:
            return None
        if isinstance(item, Flush):
            return Slice(self._guard(self._segmenter.flush), 0, last=False)
        if isinstance(item, Missing):
            samples = item.length if item.captured else 0
            segments = self._guard(
                partial(self._segmenter.miss, item.first, item.length, captured=item.captured)
            )
            self._passed = item.first + item.length
        else:
            samples = len(item.samples)
            segments = self._guard(partial(self._segmenter.feed, item))
            self._passed = item.first + samples
        return Slice(segments, samples, last=False)

    def overdue(self, told: str) -> SegmenterFailedError:
        """What becomes of the stream whose segmenter is in a call that does not return."""
        return self._failed(TimeoutError(told))

    def _guard(self, step: Callable[[], T]) -> T:
        try:
            return step()
        except BaseException as error:  # a panic of native code is no Exception
            raise self._failed(error) from error

    def _failed(self, error: BaseException) -> SegmenterFailedError:
        return SegmenterFailedError(error, self._passed, max(0, self._inbox.expected - self._passed))
