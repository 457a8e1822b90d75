"""One slice of a stream's sound after the other through its segmenter."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from decalage.audio import sample_count, seconds
from decalage.contracts import Segmenter
from decalage.errors import DecalageError
from decalage.flow.channel import ChannelFinished
from decalage.runtimes.intake import Flush, Intake, Missing
from decalage.speech import Cut, MissingSound, Transcript, Utterance

T = TypeVar("T")


class SegmenterFailedError(DecalageError):
    """The segmenter of a stream failed: what may be speech from ``start`` to ``end``, seconds, has no answer.

    ``unheard``: samples of it, the last ones, that have not gone through the segmenter.
    """

    def __init__(self, error: BaseException, first: int, past: int, unheard: int) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.start = seconds(first)
        self.end = seconds(past)
        self.unheard = unheard


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

    def __init__(self, segmenter: Segmenter, inbox: Intake, undecided: int) -> None:
        """``undecided``: the most samples that the segmenter holds before it says what they are."""
        self._segmenter = segmenter
        self._inbox = inbox
        self._undecided = undecided
        self._passed = 0  # number of the first sample that has not gone through the segmenter
        self._decided = 0  # of the first one after the last piece that it gave
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
            return Slice(self._cut(self._segmenter.finish), 0, last=True)
        if item is None:
            return None
        if isinstance(item, Flush):
            return Slice(self._cut(self._segmenter.flush), 0, last=False)
        if isinstance(item, Missing):
            samples = item.length if item.captured else 0
            segments = self._cut(
                partial(self._segmenter.miss, item.first, item.length, captured=item.captured)
            )
            self._passed = item.first + item.length
        else:
            samples = len(item.samples)
            segments = self._cut(partial(self._segmenter.feed, item))
            self._passed = item.first + samples
        return Slice(segments, samples, last=False)

    def overdue(self, told: str) -> SegmenterFailedError:
        """What becomes of the stream whose segmenter is in a call that does not return."""
        return self._failed(TimeoutError(told))

    def _cut(self, step: Callable[[], list[Cut]]) -> list[Cut]:
        cuts = self._guard(step)
        for cut in cuts:
            if isinstance(cut, MissingSound) or (isinstance(cut, Utterance) and cut.final):
                self._decided = sample_count(cut.end)
        return cuts

    def _guard(self, step: Callable[[], T]) -> T:
        try:
            return step()
        except BaseException as error:  # a panic of native code is no Exception
            raise self._failed(error) from error

    def _failed(self, error: BaseException) -> SegmenterFailedError:
        first = max(self._decided, self._passed - self._undecided)
        past = max(self._passed, self._inbox.expected)
        return SegmenterFailedError(error, first, past, past - self._passed)
