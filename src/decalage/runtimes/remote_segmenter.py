"""Segmenters in another process, and how they outlive it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeAlias

from decalage.audio import AudioChunk, sample_count
from decalage.config import SegmenterOptions
from decalage.contracts import Segmenter, StageBlueprint
from decalage.runtimes.calls import WorkerLostError
from decalage.runtimes.child import Child
from decalage.runtimes.intake import Flush
from decalage.runtimes.remote import NO_SOUND, Desk, Reader
from decalage.speech import Activity, Cut, MissingSound, Segment, Transcript, Utterance

_Given: TypeAlias = AudioChunk | MissingSound | Flush | None
"""What a segmenter is told; None is the end."""
_Cut: TypeAlias = list[tuple[Cut, int]]
"""Segments without their sound, each with the number of its samples that lie in the block."""


class SegmenterService:
    """The segmenters of all streams in a process of their own.

    What a call has cut lies in the block, one utterance after the other; where it does not fit, the
    answer is the room it needs, and ``collect`` fetches it.
    """

    def __init__(self, blueprint: StageBlueprint) -> None:
        """Makes one in vain: what that needs is missed now, not when the first stream begins."""
        blueprint.segmenter("", SegmenterOptions())
        self._blueprint = blueprint
        self._segmenters: dict[str, Segmenter] = {}
        self._reader = Reader()
        self._cut: list[Cut] = []

    def open(self, stream: str, options: SegmenterOptions, first: int) -> None:
        """A fresh segmenter, whose first sample is ``first``."""
        segmenter = self._blueprint.segmenter(stream, options)
        if first:
            segmenter.miss(0, first, captured=False)
        self._segmenters[stream] = segmenter

    def feed(self, stream: str, block: str, first: int, length: int) -> _Cut | int:
        """Sound that lies in ``block``."""
        samples = self._reader.at(block).read(length)
        self._cut = self._segmenters[stream].feed(AudioChunk(first, samples))
        return self.collect(block)

    def miss(self, stream: str, block: str, missing: MissingSound) -> _Cut | int:
        """Sound that will not come."""
        self._cut = self._segmenters[stream].miss(missing.first, missing.length, captured=missing.captured)
        return self.collect(block)

    def flush(self, stream: str, block: str) -> _Cut | int:
        """What is open ends here."""
        self._cut = self._segmenters[stream].flush()
        return self.collect(block)

    def hint(self, stream: str, index: int, revision: int, transcript: Transcript) -> None:
        """What a provisional utterance says."""
        self._segmenters[stream].hint(index, revision, transcript)

    def finish(self, stream: str, block: str) -> _Cut | int:
        """The last of ``stream``."""
        self._cut = self._segmenters.pop(stream).finish()
        return self.collect(block)

    def collect(self, block: str) -> _Cut | int:
        """Lay the sound of what was cut into ``block``."""
        answer: _Cut = []
        place, at = self._reader.at(block), 0
        if (needed := sum(len(s.samples) for s in self._cut if isinstance(s, Utterance))) > place.size:
            return needed
        for segment in self._cut:
            if isinstance(segment, Utterance):
                place.write(segment.samples, at)
                at += len(segment.samples)
                answer.append((replace(segment, samples=NO_SOUND), len(segment.samples)))
            else:
                answer.append((segment, 0))
        return answer

    def drop(self, stream: str) -> None:
        """``stream`` has ended without ``finish``."""
        self._segmenters.pop(stream, None)


class SegmenterDesk:
    """The owner's side of a ``SegmenterService``, for one caller at a time but for ``forget``."""

    def __init__(
        self,
        child: Child,
        mark: Callable[[str, str], None],
        deadline: Callable[[float], AbstractContextManager[object]],
    ) -> None:
        """``mark(name, detail)`` is told when the process is replaced.

        Each try is in a ``deadline(seconds)`` for so much sound.
        """
        self._child = child
        self._mark = mark
        self.deadline = deadline
        self._desk = Desk()
        self._gone: deque[str] = deque()  # emptied by the next call
        self.life = 0
        """How often the process has been replaced: the segmenters it held are gone."""

    def forget(self, stream: str) -> None:
        """``stream`` has ended; from any thread."""
        self._gone.append(stream)

    def sweep(self) -> None:
        """Drop there what was forgotten here."""
        while self._gone:
            self._child.call("drop", self._gone.popleft())

    def open(self, stream: str, options: SegmenterOptions, first: int) -> None:
        """A fresh segmenter there."""
        self._child.call("open", stream, options, first)

    def give(self, stream: str, item: _Given) -> list[Cut]:
        """The segments that ``item`` has completed."""
        sound = item.samples if isinstance(item, AudioChunk) else NO_SOUND
        here = self._desk.lay(sound)
        if isinstance(item, AudioChunk):
            answer = self._child.call("feed", stream, here.name, item.first, len(sound))
        elif isinstance(item, MissingSound):
            answer = self._child.call("miss", stream, here.name, item)
        elif item is not None:
            answer = self._child.call("flush", stream, here.name)
        else:
            answer = self._child.call("finish", stream, here.name)
        if isinstance(answer, int):
            here = self._desk.room(answer)
            answer = self._child.call("collect", here.name)
        segments: list[Cut] = []
        at = 0
        for segment, length in answer:
            if isinstance(segment, Utterance):
                segments.append(replace(segment, samples=here.read(length, at)))
                at += length
            else:
                segments.append(segment)
        return segments

    def hint(self, stream: str, index: int, revision: int, transcript: Transcript) -> None:
        """What was recognized in a provisional utterance of ``stream``."""
        self._child.call("hint", stream, index, revision, transcript)

    def replace(self, error: WorkerLostError) -> None:
        """A fresh process; every stream has to be opened again."""
        self._desk.clear()
        self._child.restart()
        self._mark("worker replaced", str(error))
        self.life += 1

    def close(self) -> None:
        """Let go of the shared memory."""
        self._desk.close()


class RemoteSegmenter:
    """``contracts.Segmenter`` over a child.

    Keeps the sound that is not decided on yet, as long as one utterance can be, and gives it to a
    fresh process when the one that had it is gone: no word is lost.
    """

    def __init__(self, desk: SegmenterDesk, stream: str, options: SegmenterOptions) -> None:
        self._desk = desk
        self._stream = stream
        self._options = options
        self._life: int | None = None
        self._index = 0
        self._revision = 0
        self._theirs = (0, 0)  # index and revision of the last utterance in the numbers of its process
        self._next = 0  # number of the next sample
        self._kept: deque[AudioChunk | MissingSound] = deque()
        self._bound = sample_count(options.undecided_s)

    def feed(self, chunk: AudioChunk) -> list[Cut]:
        return self._given(chunk)

    def flush(self) -> list[Cut]:
        return self._given(Flush())

    def miss(self, first: int, length: int, *, captured: bool) -> list[Cut]:
        return self._given(MissingSound(self._stream, 0, first, length, "device", captured))

    def hint(self, index: int, revision: int, transcript: Transcript) -> None:
        """Passed on in the numbers of the process that gave the provisional utterance, if it lives."""
        theirs, newest = self._theirs
        there = newest - (self._revision - 1 - revision)  # both count on by one
        if self._life != self._desk.life or index != self._index or not 0 <= there <= newest:
            return
        try:
            with self._desk.deadline(0.0):
                self._desk.hint(self._stream, theirs, there, transcript)
        except WorkerLostError as error:
            self._desk.replace(error)

    def finish(self) -> list[Cut]:
        return self._given(None)

    def _given(self, item: _Given) -> list[Cut]:
        try:
            with self._desk.deadline(self._to_hear_s(item)):
                segments = self._told(item)
        except WorkerLostError as error:
            self._desk.replace(error)
            with self._desk.deadline(self._to_hear_s(item)):
                segments = self._told(item)
        if isinstance(item, AudioChunk | MissingSound):
            self._keep(item)
        return [self._numbered(segment) for segment in segments]

    def _to_hear_s(self, item: _Given) -> float:
        """Seconds of sound that go to the process with ``item``: a fresh one hears what is kept, too."""
        again = self._kept if self._life != self._desk.life else ()
        return sum(each.duration for each in (*again, item) if isinstance(each, AudioChunk))

    def _numbered(self, segment: Cut) -> Cut:
        """``segment`` counted here: a fresh process begins to count again."""
        if isinstance(segment, Activity):
            return segment
        if isinstance(segment, MissingSound):
            numbered: Segment = replace(segment, index=self._index)
        else:
            self._theirs = segment.index, segment.revision
            numbered = replace(segment, index=self._index, revision=self._revision)
            self._revision += 1
            if not segment.final:
                return numbered
        self._index += 1
        self._revision = 0
        self._decided(_end(segment))
        return numbered

    def _told(self, item: _Given) -> list[Cut]:
        """Give ``item``, to a fresh process after all that is kept."""
        self._desk.sweep()
        segments: list[Cut] = []
        if self._life != self._desk.life:
            first = self._kept[0].first if self._kept else self._next
            self._desk.open(self._stream, self._options, first)
            for kept in self._kept:
                segments += self._desk.give(self._stream, kept)
            self._life = self._desk.life
        return segments + self._desk.give(self._stream, item)

    def _keep(self, item: AudioChunk | MissingSound) -> None:
        self._kept.append(item)
        self._next = _end(item)
        while self._next - self._kept[0].first > self._bound and len(self._kept) > 1:
            self._kept.popleft()

    def _decided(self, end: int) -> None:
        """What comes before sample ``end`` is needed no more."""
        while self._kept and _end(self._kept[0]) <= end:
            self._kept.popleft()
        if self._kept and self._kept[0].first < end and isinstance(self._kept[0], AudioChunk):
            self._kept[0] = AudioChunk(end, self._kept[0].samples[end - self._kept[0].first :])


def _end(item: AudioChunk | Segment) -> int:
    """Number of the sample after ``item``."""
    return item.first + (item.length if isinstance(item, MissingSound) else len(item.samples))
