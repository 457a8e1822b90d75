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
    """Finals before provisionals; within those the stream served longest ago; within it the oldest.

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
        """Queue ``job``; returns the job of an older revision that it replaced.

        Raises ``ValueError`` when a revision as new as this one already waits.
        """
        entries = self._waiting.setdefault(utterance.stream, {})
        old = entries.get(utterance.index)
        if old is not None and old.utterance.revision >= utterance.revision:
            raise ValueError(f"{utterance!r} is scheduled twice")
        entries[utterance.index] = _Entry(utterance, job)
        if old is None:
            self._count += 1
            self._peak = max(self._peak, self._count)
        return None if old is None else old.job

    def take(self) -> Job | None:
        """The job to do next, or None."""
        return self._take(final=True) or self._take(final=False)

    def _take(self, *, final: bool) -> Job | None:
        for name, entries in self._waiting.items():
            indices = [i for i, entry in entries.items() if entry.utterance.final is final]
            if indices:
                entry = entries.pop(min(indices))
                self._count -= 1
                if entries:
                    self._waiting.move_to_end(name)
                else:
                    del self._waiting[name]  # nothing stays of streams that have ended
                return entry.job
        return None
