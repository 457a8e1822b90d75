"""What is given up when the machine is too slow, and when it is taken back: pure, on times of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.config import RecognizerOptions, SegmenterOptions, StreamOptions
from decalage.flow.overload import Hysteresis, Overload, ServiceTime, Shedding
from decalage.speech import Utterance

ALL = StreamOptions(
    pace="realtime",
    partials=True,
    lighter=True,
    recognizer=RecognizerOptions(beam=5),
    segmenter=SegmenterOptions(pause_s=0.2),
)
DROPS = replace(ALL, overload="drop-oldest", max_lag_s=10.0)


def utterance(speech_end: float = 4.0, duration: float = 4.0, **more: bool) -> Utterance:
    samples = np.zeros(round(duration * 16_000), np.float32)
    return Utterance("s", 0, round((speech_end - duration) * 16_000), samples, speech_end, **more)


def test_steps_follow_each_other_only_after_they_had_time_to_work() -> None:
    ladder = Shedding(["partials", "speculation", "beam"])
    made = [second for second in range(12) if ladder.observe(second, 4.0)]
    assert made == [0, 2, 4]
    assert ladder.shed == ("partials", "speculation", "beam")


def test_a_step_comes_back_only_after_a_time_without_lateness() -> None:
    ladder = Shedding(["partials", "beam"])
    for second in (0, 2):
        ladder.observe(second, 4.0)
    lateness = {4: 0.5, 6: 0.5, 8: 2.0, 9: 0.9, 13: 0.9, 14: 0.9, 18: 0.0, 19: 0.0}
    made = [second for second, behind_s in lateness.items() if ladder.observe(second, behind_s)]
    assert made == [14, 19]  # calm from 9 and from 14 on: at 8 it was late once more
    assert ladder.shed == ()


def test_between_the_two_limits_nothing_changes() -> None:
    ladder = Shedding(["partials"])
    ladder.observe(0, 4.0)
    assert not any(ladder.observe(second, 2.0) for second in range(1, 100))
    assert ladder.shed == ("partials",)


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 20)), max_size=60))
def test_a_ladder_moves_one_step_at_a_time_and_its_seconds_add_up(looks: list[tuple[int, float]]) -> None:
    ladder, now = Shedding(["partials", "beam", "model"], Hysteresis(behind_s=3, on_time_s=1)), 0.0
    spent: dict[str, float] = {}
    for wait, behind_s in looks:
        for step in ladder.shed:
            spent[step] = spent.get(step, 0.0) + wait
        now += wait
        before = len(ladder.shed)
        moved = ladder.observe(now, behind_s)
        assert abs(len(ladder.shed) - before) == moved
        assert len(ladder.shed) <= before or behind_s > 3
        assert len(ladder.shed) >= before or behind_s <= 1
    assert {step: told for step, told in ladder.seconds(now).items() if told} == pytest.approx(
        {step: told for step, told in spent.items() if told}
    )


def test_a_stream_gives_up_only_what_it_has() -> None:
    def ladder(options: StreamOptions) -> list[tuple[str, ...]]:
        overload = Overload(options)
        told = [overload.observe(2.0 * second, 9.0) for second in range(9)]
        return [change.shedding for change in told if change is not None]

    assert ladder(ALL)[-1] == ("partials", "speculation", "beam", "model")
    plain = StreamOptions(pace="realtime")
    assert ladder(plain) == []
    assert ladder(replace(plain, partials=True)) == [("partials",)]
    assert ladder(replace(ALL, pace="max")) == []


def test_what_is_given_up_is_not_worked_on() -> None:
    overload = Overload(ALL)
    sketch, paused, final = (
        utterance(final=False),
        utterance(final=False, paused=True),
        utterance(),
    )

    def spared() -> list[bool]:
        return [overload.spares(each) for each in (sketch, paused, final)]

    assert spared() == [False, False, False]
    overload.observe(0.0, 5.0)
    assert spared() == [True, False, False]
    overload.observe(2.0, 5.0)
    assert spared() == [True, True, False]


def test_recognition_is_made_easier_by_the_later_steps_alone() -> None:
    overload = Overload(ALL)
    eased = []
    for second in range(0, 10, 2):
        options = overload.eased(ALL.recognizer)
        eased.append((options.beam, options.lighter))
        overload.observe(second, 5.0)
    assert eased == [(5, False), (5, False), (5, False), (1, False), (1, True)]


def test_the_time_of_an_utterance_is_known_from_the_last_ones() -> None:
    service = ServiceTime()
    assert service.of(5.0) == 0
    service.took("asr", 4.0, 8.0)
    service.took("mt", 4.0, 0.4)
    assert service.of(5.0) == pytest.approx(10.5)
    for _ in range(12):
        service.took("asr", 4.0, 1.0)
    assert service.of(4.0) == pytest.approx(1.5, abs=0.15)  # 0.4 of that for the translation


def test_drop_oldest_drops_what_would_come_too_late_and_tries_what_may_be_in_time() -> None:
    overload = Overload(DROPS)
    assert not overload.too_late(utterance(4.0), 4.5)
    overload.took("asr", utterance(), 8.0)
    assert not overload.too_late(utterance(4.0), 4.5)  # by 12.5 s, 8.5 after it was said
    assert overload.too_late(utterance(4.0), 6.0)  # by 14.0 s, 10 after it
    assert overload.too_late(utterance(4.0, 15.0), 4.5)


def test_a_machine_that_was_too_slow_for_anything_is_tried_again() -> None:
    overload = Overload(DROPS)
    overload.took("asr", utterance(), 400.0)
    tried = [now for now in range(5, 60) if not overload.too_late(utterance(now - 0.5), float(now))]
    assert tried == [5, 15, 25, 35, 45, 55]


def test_what_is_late_already_is_never_tried() -> None:
    overload = Overload(DROPS)
    assert overload.too_late(utterance(4.0), 14.1)


def test_degrade_and_block_drop_nothing() -> None:
    for options in (ALL, replace(DROPS, pace="max")):
        overload = Overload(options)
        overload.took("asr", utterance(), 400.0)
        assert not overload.too_late(utterance(4.0), 500.0)
        assert overload.max_lag_s is None
