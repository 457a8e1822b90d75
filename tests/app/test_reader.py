"""A reader ends when it is told to, whatever comes at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
from starlette.websockets import WebSocket

from decalage.app.server.reader import Reader
from decalage.app.server.replay import Replay
from decalage.app.server.session import Session
from tests.app.server_kit import on_loop


class Busy:
    """A session that has news, and nothing to say."""

    over_since: float | None = None
    replay = Replay(10)

    def __init__(self) -> None:
        self.news: Callable[[], None] = lambda: None

    def watch(self, told: Callable[[], None]) -> None:
        self.news = told

    def unwatch(self, _told: Callable[[], None]) -> None:
        """It watches no more."""


@pytest.mark.parametrize("turns", range(5))
@on_loop
async def test_a_reader_that_is_cancelled_as_news_come_reads_no_more(turns: int) -> None:
    session = Busy()
    reader = Reader(
        cast("WebSocket", None), cast("Session", session), 0, target=None, partials=True, speaker=True
    )
    reading = asyncio.create_task(reader.read())
    for _ in range(5):
        await asyncio.sleep(0)
    session.news()
    for _ in range(turns):
        await asyncio.sleep(0)
    reading.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await reading
