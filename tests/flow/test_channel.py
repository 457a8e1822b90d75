"""The channel is bounded, closes cleanly and serves threads and asyncio alike."""

from __future__ import annotations

import asyncio
import threading

import pytest

from decalage.flow.channel import Channel, ChannelClosed, ChannelFinished
from decalage.testing import ManualClock


def test_offer_refuses_beyond_the_bound_and_accepts_again_after_a_take() -> None:
    channel: Channel[str] = Channel(2)
    assert channel.offer("a")
    assert channel.offer("b")
    assert not channel.offer("c")
    assert channel.take() == "a"
    assert channel.offer("c")
    assert channel.statistics().peak_weight == 2


def test_what_is_inside_at_close_still_comes_out() -> None:
    channel: Channel[str] = Channel(2)
    channel.put("a")
    channel.close()
    with pytest.raises(ChannelClosed):
        channel.put("b")
    assert channel.get() == "a"
    with pytest.raises(ChannelFinished):
        channel.get()
    with pytest.raises(ChannelFinished):
        channel.take()


def test_cancel_drops_what_is_inside() -> None:
    channel: Channel[str] = Channel(2)
    channel.put("a")
    channel.cancel()
    assert list(channel) == []


def test_an_item_heavier_than_the_bound_passes_alone() -> None:
    channel: Channel[str] = Channel(1.0)
    assert channel.offer("heavy", 5.0)
    assert not channel.offer("light", 0.1)
    assert channel.offer("marker", 0)
    assert channel.take() == "heavy"
    assert channel.statistics().weight == 0


def test_before_goes_in_only_together_with_its_item() -> None:
    channel: Channel[str] = Channel(1)
    channel.put("full")
    assert not channel.offer("item", before="marker")
    channel.take()
    assert channel.offer("item", before="marker")
    assert [channel.take(), channel.take()] == ["marker", "item"]


def test_a_waiting_put_goes_on_when_room_comes_and_fails_when_the_channel_closes() -> None:
    clock = ManualClock()
    channel: Channel[int] = Channel(1, clock=clock)
    channel.put(0)
    outcome: list[str] = []

    def producer() -> None:
        channel.put(1)
        outcome.append("put 1")
        try:
            channel.put(2)
        except ChannelClosed:
            outcome.append("closed")

    thread = threading.Thread(target=producer)
    thread.start()
    clock.until_waiting(1)
    assert outcome == []
    assert channel.get() == 0
    while not outcome:
        clock.until_waiting(1)
    clock.until_waiting(1)
    channel.close()
    thread.join()
    assert outcome == ["put 1", "closed"]
    assert list(channel) == [1]


def test_asyncio_iteration_gives_everything_in_order_without_a_thread_waiting() -> None:
    async def scenario() -> list[int]:
        channel: Channel[int] = Channel(100)

        def produce() -> None:
            for number in range(50):
                channel.put(number)
            channel.close()

        threads = threading.active_count()
        reader = asyncio.create_task(_collect(channel))
        await asyncio.sleep(0)
        assert threading.active_count() == threads
        thread = threading.Thread(target=produce)
        thread.start()
        numbers = await reader
        thread.join()
        return numbers

    assert asyncio.run(scenario()) == list(range(50))


async def _collect(channel: Channel[int]) -> list[int]:
    return [item async for item in channel]
