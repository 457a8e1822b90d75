"""The schedule against a plain model: nothing is lost, finals come first, no stream is passed over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from decalage.flow.schedule import Schedule
from decalage.speech import Utterance
from tests.properties import examples

Kind: TypeAlias = Literal["final", "paused", "sketch"]
URGENCY: dict[Kind, int] = {"final": 0, "paused": 1, "sketch": 2}
STREAMS = st.sampled_from("abc")
KINDS: st.SearchStrategy[Kind] = st.sampled_from(["final", "paused", "sketch", "sketch"])


@dataclass(frozen=True)
class Job:
    """What was added, and when."""

    stream: str
    index: int
    revision: int
    kind: Kind
    since: int
    """Jobs taken before it came."""

    def utterance(self) -> Utterance:
        final, paused = self.kind == "final", self.kind == "paused"
        sound = np.zeros(1, np.float32)
        return Utterance(self.stream, self.index, self.index, sound, 0.0, self.revision, final, paused)


class ScheduleMachine(RuleBasedStateMachine):
    """Adds what segmenters add, in their order, and takes."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule: Schedule[Job] = Schedule()
        self.waiting: list[Job] = []
        self.added = 0
        self.over = Counter[str]()
        """What was taken, and what was given back."""
        self.next = {stream: [0, 0] for stream in "abc"}
        """Index and revision of the next utterance of each stream."""
        self.served = dict.fromkeys("abc", -1)
        """How many were taken before the last of each stream."""
        self.peak = 0
        self.done: list[Job] = []
        """Finals that were taken."""

    @rule(stream=STREAMS, kind=KINDS)
    def adds(self, stream: str, kind: Kind) -> None:
        index, revision = self.next[stream]
        self.next[stream] = [index + 1, 0] if kind == "final" else [index, revision + 1]
        job = Job(stream, index, revision, kind, self.over["taken"])
        same = [each for each in self.waiting if (each.stream, each.index) == (stream, index)]
        replaced = self.schedule.add(job.utterance(), job)
        self.added += 1
        due = [each for each in same if kind != "sketch" or each.kind == "sketch"]
        assert Counter(replaced) == Counter(due), "older revisions go, but what has ended stays for a sketch"
        self.waiting = [each for each in self.waiting if each not in replaced] + [job]
        self.over["replaced"] += len(replaced)
        self.peak = max(self.peak, len(self.waiting))

    @rule(data=st.data())
    @precondition(lambda self: self.done)
    def tries_again(self, data: st.DataObject) -> None:
        """The worker that took it has died."""
        job = data.draw(st.sampled_from(self.done))
        self.done.remove(job)
        again = replace(job, since=self.over["taken"])
        assert self.schedule.add(again.utterance(), again) == []
        self.added += 1
        self.waiting.append(again)
        self.peak = max(self.peak, len(self.waiting))

    @rule(data=st.data())
    @precondition(lambda self: self.waiting)
    def adds_what_is_older_than_one_that_waits(self, data: st.DataObject) -> None:
        newer = data.draw(st.sampled_from(self.waiting))
        kind = data.draw(KINDS)
        older = Job(newer.stream, newer.index, newer.revision - 1, kind, self.over["taken"])
        same = {each.revision: each for each in self.waiting if each.stream == newer.stream}
        hides = newer.kind != "sketch" or kind == "sketch"
        if not hides or (older.revision in same and same[older.revision].index == older.index):
            return
        assert self.schedule.add(older.utterance(), older) == [older]

    @rule(data=st.data())
    @precondition(lambda self: self.waiting)
    def adds_the_same_again(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.waiting))
        with pytest.raises(ValueError, match="twice"):
            self.schedule.add(job.utterance(), job)

    @rule(sketches=st.booleans())
    def takes(self, sketches: bool) -> None:
        job = self.schedule.take(sketches=sketches)
        allowed = [each for each in self.waiting if sketches or each.kind != "sketch"]
        if job is None:
            assert not allowed
            return
        assert job in allowed
        alike = [each for each in allowed if each.kind == job.kind]
        assert URGENCY[job.kind] == min(URGENCY[each.kind] for each in allowed)
        assert job.index == min(each.index for each in alike if each.stream == job.stream)
        self.is_fair(job, alike)
        self.waiting.remove(job)
        self.done += [job] if job.kind == "final" else []
        self.served[job.stream] = self.over["taken"]
        self.over["taken"] += 1

    def is_fair(self, job: Job, alike: Sequence[Job]) -> None:
        """Who waited already when this stream was served last has been served since."""
        for other in alike:
            if other.stream != job.stream and other.since <= self.served[job.stream]:
                assert self.served[other.stream] > self.served[job.stream]

    @invariant()
    def nothing_is_lost(self) -> None:
        assert len(self.schedule) == len(self.waiting)
        assert self.added == len(self.waiting) + sum(self.over.values())
        assert self.schedule.peak == self.peak

    def teardown(self) -> None:
        finals = {each for each in self.waiting if each.kind == "final"}
        left = list(iter(self.schedule.take, None))
        assert Counter(left) == Counter(self.waiting)
        assert set(left[: len(finals)]) == finals
        assert len(self.schedule) == 0


TestScheduleMachine = ScheduleMachine.TestCase
TestScheduleMachine.settings = examples(80)
