"""What happened when and where: engine calls, queue depths, drops and retries."""

from __future__ import annotations

from dataclasses import dataclass

from decalage.events import StageName


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work; of ``capture`` the wait for one chunk of sound.

    Times are seconds on the runtime's clock, common to all its streams.
    """

    stage: StageName
    stream: str
    index: int
    """Utterance index; of ``capture`` and ``vad`` the utterance that comes next."""
    start: float
    end: float
    process: int
    thread: str
    replica: int
    """Which copy of the model's weights."""
    ipc_s: float = 0.0
    """Seconds that the way to another process and back took beside the work."""
    revision: int | None = None
    """Of a provisional utterance."""

    def overlaps(self, other: Span) -> bool:
        """Whether both were at work at one moment."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waited in a queue from ``time`` on: seconds of sound for ``inbox``, else utterances."""

    time: float
    queue: str
    value: float


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that should not happen often: sound dropped, a worker replaced, an utterance retried."""

    time: float
    name: str
    detail: str


class Trace:
    """Collects from any thread.

    Grows with the run (about a hundred bytes an entry): recorded only when asked for.
    """

    def __init__(self) -> None:
        self._spans: list[Span] = []  # append is atomic; one writer per entry
        self._depths: list[Depth] = []
        self._marks: list[Mark] = []

    def add(self, entry: Span | Depth | Mark) -> None:
        """Record one entry."""
        if isinstance(entry, Span):
            self._spans.append(entry)
        elif isinstance(entry, Depth):
            self._depths.append(entry)
        else:
            self._marks.append(entry)

    def spans(self, stage: StageName | None = None) -> list[Span]:
        """A copy of the spans so far, of one stage or all."""
        return [span for span in list(self._spans) if stage is None or span.stage == stage]

    def depths(self) -> list[Depth]:
        """A copy of the queue depths so far."""
        return list(self._depths)

    def marks(self) -> list[Mark]:
        """A copy of the marks so far."""
        return list(self._marks)
