"""Which utterance a free worker takes next."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from decalage.speech import Utterance

Job = TypeVar("Job")

_Place: TypeAlias = tuple[int, bool]
"""Index of an utterance, and whether the entry is a sketch of it."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Job]):
    utterance: Utterance
    job: Job


class Schedule(Generic[Job]):
    """Finals before provisionals, within each the stream served longest ago, within it the oldest.

    Of the provisionals those that have paused come before sketches, which go on.
    A stream that floods the schedule delays the others by one job each, not by its backlog.
    A newer revision of an utterance takes the place of one still waiting, but a sketch never that of
    one that has ended or paused: the utterance may yet end there. Pure: no thread, no clock. Bounded
    by the credit of the streams that add to it, two for each.
    """

    def __init__(self) -> None:
        # Streams in the order they were last served, longest ago first.
        self._waiting: OrderedDict[str, dict[_Place, _Entry[Job]]] = OrderedDict()
        self._count = 0
        self._peak = 0

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        waiting = {
            name: sorted(index for index, _ in entries) for name, entries in self._waiting.items() if entries
        }
        return f"<Schedule {waiting}>"

    @property
    def peak(self) -> int:
        """The most jobs that ever waited."""
        return self._peak

    def add(self, utterance: Utterance, job: Job) -> list[Job]:
        """Queue ``job``; returns the jobs that need not be done: older revisions that it replaced.

        That is ``job`` itself where a newer one waits. Raises ``ValueError`` where the same one does.
        """
        entries = self._waiting.setdefault(utterance.stream, {})
        place = (utterance.index, utterance.sketch)
        ended, sketch = (utterance.index, False), (utterance.index, True)
        waiting = {each: entries[each].utterance.revision for each in (ended, sketch) if each in entries}
        if utterance.revision in waiting.values():
            raise ValueError(f"{utterance!r} is scheduled twice")
        if any(waiting.get(each, -1) > utterance.revision for each in (ended, place)):
            return [job]
        kinds = (sketch,) if place == sketch else (ended, sketch)
        replaced = [
            entries.pop(each).job
            for each in kinds
            if waiting.get(each, utterance.revision) < utterance.revision
        ]
        entries[place] = _Entry(utterance, job)
        self._count += 1 - len(replaced)
        self._peak = max(self._peak, self._count)
        return replaced

    def take(self, *, sketches: bool = True) -> Job | None:
        """The job to do next, or None; a sketch only with ``sketches``."""
        for urgency in range(3 if sketches else 2):
            job = self._take(urgency)
            if job is not None:
                return job
        return None

    def _take(self, urgency: int) -> Job | None:
        for name, entries in self._waiting.items():
            places = [place for place, entry in entries.items() if _urgency(entry.utterance) == urgency]
            if places:
                entry = entries.pop(min(places))
                self._count -= 1
                if entries:
                    self._waiting.move_to_end(name)
                else:
                    del self._waiting[name]  # nothing stays of streams that have ended
                return entry.job
        return None


def _urgency(utterance: Utterance) -> int:
    """0 for a final utterance, 1 for one that is likely to be, 2 for a sketch."""
    return 0 if utterance.final else 1 if utterance.paused else 2
