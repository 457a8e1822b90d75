"""Which utterance a free worker takes next."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

from decalage.speech import Utterance

Job = TypeVar("Job")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Job]):
    utterance: Utterance
    job: Job


class Schedule(Generic[Job]):
    """Finals before provisionals, within each the stream served longest ago, within it the oldest.

    Of the provisionals those that have paused come before sketches, which go on.
    A stream that floods the schedule delays the others by one job each, not by its backlog.
    A newer revision of an utterance takes the place of one still waiting. Pure: no thread, no
    clock. Bounded by the credit of the streams that add to it.
    """

    def __init__(self) -> None:
        # Streams in the order they were last served, longest ago first.
        self._waiting: OrderedDict[str, dict[int, _Entry[Job]]] = OrderedDict()
        self._count = 0
        self._peak = 0

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        waiting = {name: sorted(entries) for name, entries in self._waiting.items() if entries}
        return f"<Schedule {waiting}>"

    @property
    def peak(self) -> int:
        """The most jobs that ever waited."""
        return self._peak

    def add(self, utterance: Utterance, job: Job) -> Job | None:
        """Queue ``job``; returns the job that need not be done: an older revision that it replaced.

        That is ``job`` itself where a newer one waits. Raises ``ValueError`` where the same one does.
        """
        entries = self._waiting.setdefault(utterance.stream, {})
        old = entries.get(utterance.index)
        if old is not None and old.utterance.revision == utterance.revision:
            raise ValueError(f"{utterance!r} is scheduled twice")
        if old is not None and old.utterance.revision > utterance.revision:
            return job
        entries[utterance.index] = _Entry(utterance, job)
        if old is None:
            self._count += 1
            self._peak = max(self._peak, self._count)
        return None if old is None else old.job

    def take(self, *, sketches: bool = True) -> Job | None:
        """The job to do next, or None; a sketch only with ``sketches``."""
        for urgency in range(3 if sketches else 2):
            job = self._take(urgency)
            if job is not None:
                return job
        return None

    def _take(self, urgency: int) -> Job | None:
        for name, entries in self._waiting.items():
            indices = [i for i, entry in entries.items() if _urgency(entry.utterance) == urgency]
            if indices:
                entry = entries.pop(min(indices))
                self._count -= 1
                if entries:
                    self._waiting.move_to_end(name)
                else:
                    del self._waiting[name]  # nothing stays of streams that have ended
                return entry.job
        return None


def is_sketch(utterance: Utterance) -> bool:
    """Whether ``utterance`` goes on: its text is for the moment only."""
    return not utterance.final and not utterance.paused


def _urgency(utterance: Utterance) -> int:
    """0 for a final utterance, 1 for one that is likely to be, 2 for a sketch."""
    return 0 if utterance.final else 1 if utterance.paused else 2
