"""A bounded hand-over between one side that makes things and one side that takes them.

::

    put() waits ──▶ ┌───────────────┐ ──▶ get() waits
    offer() never   │ items, weight │     take() never, take_until() up to a time
                    └───────────────┘     async iteration: a callback wakes the loop
    close(): no more in; what is inside still comes out, then ChannelFinished
    cancel(): no more in, nothing more out
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from decalage.clock import Clock, SystemClock
from decalage.errors import ClosedError

Item = TypeVar("Item")


class ChannelClosed(ClosedError):  # noqa: N818 - names a state, as trio's channels do
    """Raised by ``put`` and ``offer`` after ``close``."""


class ChannelFinished(ClosedError):  # noqa: N818 - names a state
    """Raised by ``get`` and ``take`` when the channel is closed and empty."""


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """Weights are in the unit of the channel's bound."""

    items: int
    weight: float
    peak_weight: float
    passed: int


class Channel(Generic[Item]):
    """First in, first out, bounded by total weight (items, or seconds of audio).

    Any number of threads on either side. An item heavier than the bound passes alone; one without
    weight always finds room.
    """

    def __init__(self, bound: float, *, clock: Clock | None = None) -> None:
        self._bound = bound
        self._clock = clock or SystemClock()
        self._condition = threading.Condition()
        self._items: deque[tuple[Item, float]] = deque()  # bounded by weight in put and offer
        self._weight = 0.0
        self._peak = 0.0
        self._passed = 0
        self._closed = False
        self._wakers: list[Callable[[], None]] = []  # at most one per asyncio reader

    def __repr__(self) -> str:
        state = " closed" if self._closed else ""
        return f"<Channel {len(self._items)} items {self._weight:.4g}/{self._bound:.4g}{state}>"

    def put(self, item: Item, weight: float = 1.0) -> None:
        """Wait for room, then hand over. Raises ``ChannelClosed``, also while waiting."""
        with self._condition:
            while not self._closed and not self._has_room(weight):
                self._clock.wait(self._condition, None)
            self._append(item, weight)

    def offer(self, item: Item, weight: float = 1.0, *, before: Item | None = None) -> bool:
        """Hand over if there is room, ``before`` (without weight) ahead of it; False if not.

        Raises ``ChannelClosed``.
        """
        with self._condition:
            if not self._closed and not self._has_room(weight):
                return False
            if before is not None:
                self._append(before, 0)
            self._append(item, weight)
            return True

    def get(self) -> Item:
        """Wait for an item. Raises ``ChannelFinished``."""
        with self._condition:
            while not self._items and not self._closed:
                self._clock.wait(self._condition, None)
            return self._popleft()

    def take(self) -> Item | None:
        """An item, or None when there is none now. Raises ``ChannelFinished``."""
        with self._condition:
            if not self._items and not self._closed:
                return None
            return self._popleft()

    def take_until(self, until: float) -> Item | None:
        """Wait for an item until the clock shows ``until``; None then. Raises ``ChannelFinished``."""
        with self._condition:
            while not self._items and not self._closed and self._clock.now() < until:
                self._clock.wait(self._condition, until)
            if not self._items and not self._closed:
                return None
            return self._popleft()

    def close(self) -> None:
        """No more in. Idempotent."""
        with self._condition:
            self._closed = True
            self._wake()

    def cancel(self) -> None:
        """No more in, and what is inside is dropped. Idempotent."""
        with self._condition:
            self._closed = True
            self._items.clear()
            self._weight = 0.0
            self._wake()

    def __iter__(self) -> Iterator[Item]:
        while True:
            try:
                item = self.get()
            except ChannelFinished:
                return
            yield item

    async def __aiter__(self) -> AsyncIterator[Item]:
        loop = asyncio.get_running_loop()
        while True:
            arrived = asyncio.Event()

            def wake(arrived: asyncio.Event = arrived) -> None:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(arrived.set)

            with self._condition:
                ready = bool(self._items) or self._closed
                if not ready:
                    self._wakers.append(wake)
            if not ready:
                try:
                    await arrived.wait()
                finally:
                    with self._condition:
                        if wake in self._wakers:
                            self._wakers.remove(wake)
            try:
                item = self.take()
            except ChannelFinished:
                return
            if item is not None:
                yield item

    @property
    def idle(self) -> bool:
        """Whether nothing is inside."""
        return not self._items

    @property
    def closed(self) -> bool:
        """Whether no more goes in."""
        return self._closed

    def statistics(self) -> ChannelStatistics:
        """What is inside now, and the most that ever was."""
        with self._condition:
            return ChannelStatistics(len(self._items), self._weight, self._peak, self._passed)

    def _has_room(self, weight: float) -> bool:
        return not self._items or weight == 0 or self._weight + weight <= self._bound

    def _append(self, item: Item, weight: float) -> None:
        if self._closed:
            raise ChannelClosed("the channel is closed")
        self._items.append((item, weight))
        self._weight += weight
        self._peak = max(self._peak, self._weight)
        self._passed += 1
        self._wake()

    def _popleft(self) -> Item:
        if not self._items:
            raise ChannelFinished("the channel is closed and empty")
        item, weight = self._items.popleft()
        self._weight = max(0.0, self._weight - weight) if self._items else 0.0
        self._condition.notify_all()
        return item

    def _wake(self) -> None:
        self._condition.notify_all()
        wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()
