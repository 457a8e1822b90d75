"""Which stage worked on which utterance, when and where."""

from __future__ import annotations

from dataclasses import dataclass

from decalage.events import StageName


@dataclass(frozen=True, slots=True)
class Span:
    """One engine call. Times are seconds on the runtime's clock, common to all its streams."""

    stage: StageName
    stream: str
    index: int
    """Utterance index; −1 for work that belongs to none."""
    start: float
    end: float
    process: int
    thread: str
    replica: int
    """Which copy of the model's weights."""

    def overlaps(self, other: Span) -> bool:
        """Whether both were at work at one moment."""
        return self.start < other.end and other.start < self.end


class Trace:
    """Collects spans from any thread.

    Grows with the run (a hundred bytes a span): recorded only when asked for.
    """

    def __init__(self) -> None:
        self._spans: list[Span] = []  # append is atomic; one writer per span

    def add(self, span: Span) -> None:
        """Record one span."""
        self._spans.append(span)

    def spans(self, stage: StageName | None = None) -> list[Span]:
        """A copy of what was recorded so far, of one stage or all."""
        return [span for span in list(self._spans) if stage is None or span.stage == stage]
