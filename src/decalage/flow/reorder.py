"""Spoken order out of whatever order the workers finish in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ReordererStatistics:
    """Counts of items."""

    released: int
    waiting: int
    peak_waiting: int


class Reorderer(Generic[Item]):
    """Takes items by index in any order, gives each back once, in index order without holes.

    Pure: no thread, no clock. The number waiting is bounded by whoever bounds what is in flight.
    """

    def __init__(self) -> None:
        self._next = 0
        self._waiting: dict[int, Item] = {}
        self._peak = 0

    def __repr__(self) -> str:
        return f"<Reorderer next={self._next} waiting={sorted(self._waiting)}>"

    @property
    def next_index(self) -> int:
        """The index that everything else waits for."""
        return self._next

    def answered(self, index: int) -> bool:
        """Whether ``index`` has been put already."""
        return index < self._next or index in self._waiting

    def put(self, index: int, item: Item) -> list[Item]:
        """The items that may go out now, in order.

        Raises ``ValueError`` when ``index`` has been answered already.
        """
        if self.answered(index):
            raise ValueError(f"index {index} is answered twice")
        self._waiting[index] = item
        self._peak = max(self._peak, len(self._waiting))
        ready = []
        while self._next in self._waiting:
            ready.append(self._waiting.pop(self._next))
            self._next += 1
        return ready

    def statistics(self) -> ReordererStatistics:
        """What went through so far."""
        return ReordererStatistics(self._next, len(self._waiting), self._peak)
