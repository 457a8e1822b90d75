"""The schedule: finals first, streams in turn, oldest first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.flow.schedule import Schedule
from decalage.speech import Utterance


def utterance(stream: str, index: int, *, revision: int = 0, final: bool = True) -> Utterance:
    return Utterance(stream, index, index * 100, np.zeros(100, np.float32), 0.0, revision, final)


def drain(schedule: Schedule[str]) -> list[str]:
    return list(iter(schedule.take, None))


def test_finals_come_before_provisionals_of_any_stream() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add(utterance("a", 0, final=False), "a0 provisional")
    schedule.add(utterance("b", 5), "b5 final")
    assert drain(schedule) == ["b5 final", "a0 provisional"]


def test_a_backlog_delays_another_stream_by_one_job() -> None:
    schedule: Schedule[str] = Schedule()
    for index in range(50):
        schedule.add(utterance("busy", index), f"busy{index}")
    schedule.take()
    schedule.add(utterance("late", 0), "late0")
    order = drain(schedule)
    assert order.index("late0") <= 1
    assert [job for job in order if job != "late0"] == [f"busy{i}" for i in range(1, 50)]


def test_a_newer_revision_takes_the_place_of_a_waiting_one() -> None:
    schedule: Schedule[str] = Schedule()
    assert schedule.add(utterance("a", 0, revision=1, final=False), "r1") == []
    assert schedule.add(utterance("a", 0, revision=2), "r2") == ["r1"]
    assert len(schedule) == 1
    with pytest.raises(ValueError, match="twice"):
        schedule.add(utterance("a", 0, revision=2), "again")
    assert schedule.add(utterance("a", 0, revision=1, final=False), "late") == ["late"]
    assert drain(schedule) == ["r2"]


def test_a_sketch_takes_the_place_of_sketches_only() -> None:
    schedule: Schedule[str] = Schedule()
    paused = replace(utterance("a", 0, revision=1, final=False), paused=True)
    assert schedule.add(utterance("a", 0, revision=0, final=False), "sketch 0") == []
    assert schedule.add(paused, "paused 1") == ["sketch 0"]
    assert schedule.add(utterance("a", 0, revision=2, final=False), "sketch 2") == []
    assert schedule.add(utterance("a", 0, revision=3, final=False), "sketch 3") == ["sketch 2"]
    assert len(schedule) == 2
    with pytest.raises(ValueError, match="twice"):
        schedule.add(utterance("a", 0, revision=1, final=False), "again")
    assert drain(schedule) == ["paused 1", "sketch 3"]
    assert len(schedule) == 0


def test_what_has_paused_comes_before_sketches_which_can_be_held_back() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add(utterance("a", 0, final=False), "sketch")
    paused = replace(utterance("b", 0, final=False), paused=True)
    schedule.add(paused, "paused")
    assert [utterance("a", 0, final=False).sketch, paused.sketch] == [True, False]
    assert schedule.take(sketches=False) == "paused"
    assert schedule.take(sketches=False) is None
    assert schedule.take() == "sketch"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), unique=True))
def test_everything_added_is_taken_once_and_each_stream_in_order(keys: list[tuple[str, int]]) -> None:
    schedule: Schedule[tuple[str, int]] = Schedule()
    for stream, index in sorted(keys, key=lambda key: key[1]):
        schedule.add(utterance(stream, index), (stream, index))
    taken = list(iter(schedule.take, None))
    assert sorted(taken) == sorted(keys)
    for stream in "abc":
        indices = [index for name, index in taken if name == stream]
        assert indices == sorted(indices)
