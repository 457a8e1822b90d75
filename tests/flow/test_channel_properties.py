"""A channel against a list: what goes in comes out, in order, within the bound."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from decalage.flow.channel import Channel, ChannelClosed, ChannelFinished
from decalage.testing import ManualClock
from tests.properties import examples

BOUND = 5.0
WEIGHTS = st.sampled_from([0.0, 0.5, 1.0, 2.5, 4.5, 9.0])


class ChannelMachine(RuleBasedStateMachine):
    """Everything that never waits, and what waits only where it need not."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.channel: Channel[int] = Channel(BOUND, clock=self.clock)
        self.inside: deque[tuple[int, float]] = deque()
        self.passed = 0
        self.peak = 0.0
        self.closed = False

    @property
    def weight(self) -> float:
        return sum(weight for _, weight in self.inside)

    def fits(self, weight: float) -> bool:
        return not self.inside or not weight or self.weight + weight <= BOUND

    def goes_in(self, weight: float) -> None:
        self.inside.append((self.passed, weight))
        self.passed += 1
        self.peak = max(self.peak, self.weight)

    @rule(weight=WEIGHTS, told=st.booleans())
    def offers(self, weight: float, told: bool) -> None:
        before = self.passed if told else None
        item = self.passed + told
        if self.closed:
            with pytest.raises(ChannelClosed):
                self.channel.offer(item, weight, before=before)
            return
        fits = self.fits(weight)
        assert self.channel.offer(item, weight, before=before) is fits
        if fits:
            if told:
                self.goes_in(0.0)
            self.goes_in(weight)

    @rule(weight=WEIGHTS)
    def puts(self, weight: float) -> None:
        if self.closed:
            with pytest.raises(ChannelClosed):
                self.channel.put(self.passed, weight)
        elif self.fits(weight):
            self.channel.put(self.passed, weight)
            self.goes_in(weight)

    @rule(how=st.sampled_from(["take", "take_until", "get"]))
    def takes(self, how: str) -> None:
        if not self.inside and self.closed:
            with pytest.raises(ChannelFinished):
                self.channel.get()
            with pytest.raises(ChannelFinished):
                self.channel.take()
        elif not self.inside:
            assert self.channel.take() is None
            assert self.channel.take_until(self.clock.now()) is None
        else:
            item, _ = self.inside.popleft()
            late = self.clock.now() - 1
            taken = {"take": self.channel.take, "get": self.channel.get}
            assert (self.channel.take_until(late) if how == "take_until" else taken[how]()) == item

    @rule(cancelled=st.booleans())
    def closes(self, cancelled: bool) -> None:
        (self.channel.cancel if cancelled else self.channel.close)()
        self.closed = True
        if cancelled:
            self.inside.clear()

    @invariant()
    def counts_are_right(self) -> None:
        counts = self.channel.statistics()
        assert (counts.items, counts.weight, counts.passed) == (len(self.inside), self.weight, self.passed)
        assert counts.peak_weight == self.peak
        assert (self.channel.idle, self.channel.closed) == (not self.inside, self.closed)


TestChannelMachine = ChannelMachine.TestCase
TestChannelMachine.settings = examples(100)


@given(st.lists(st.floats(0, 10), max_size=30), st.floats(0.1, 20))
def test_a_weight_that_binary_fractions_miss_leaves_nothing_behind(
    weights: list[float], bound: float
) -> None:
    channel: Channel[int] = Channel(bound)
    for number, weight in enumerate(weights):
        while not channel.offer(number, weight):
            assert channel.take() is not None
    while channel.take() is not None:
        assert channel.statistics().weight >= 0
    assert channel.statistics().weight == 0
