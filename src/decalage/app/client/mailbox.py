"""A bounded hand-over inside one event loop: the connection puts, one reader iterates."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from decalage.errors import ClosedError

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """First in, first out, at most ``bound`` items. Not safe for threads."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._items: deque[Item] = deque()  # bounded in put
        self._changed = asyncio.Event()
        self._closed = False
        self._error: Exception | None = None

    def __repr__(self) -> str:
        return f"<Mailbox {len(self._items)}/{self._bound}{' closed' if self._closed else ''}>"

    async def put(self, item: Item) -> None:
        """Wait for room, then hand over. Raises ``ClosedError`` after ``close``."""
        while len(self._items) >= self._bound and not self._closed:
            await self._change()
        if self._closed:
            raise ClosedError("nobody reads any more")
        self._items.append(item)
        self._changed.set()

    def close(self, error: Exception | None = None) -> None:
        """No more in; what is inside still comes out, then ``error``, if any. The first call counts."""
        if not self._closed:
            self._closed, self._error = True, error
            self._changed.set()

    async def __aiter__(self) -> AsyncIterator[Item]:
        while True:
            while not self._items and not self._closed:
                await self._change()
            if self._items:
                item = self._items.popleft()
                self._changed.set()
                yield item
            elif self._error is not None:
                raise self._error
            else:
                return

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
