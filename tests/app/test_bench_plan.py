"""The plan of a benchmark: which rows, in which order, how long, and what a budget leaves out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from decalage.app.bench.plan import Audio, Choice, Estimates, left_out, make_cells, make_rows, within_budget
from decalage.app.settings import Settings, available_cores
from decalage.config import SegmenterOptions
from tests.app.bench_kit import AUDIO, PACES, ROWS, cells


def test_row_a_is_sequential_as_the_paper_has_it() -> None:
    first = ROWS[0]
    assert first.group == "a"
    assert first.settings == Settings(
        runtime="sequential",
        workers=1,
        threads=available_cores(),
        beam=5,
        encoder_window="full",
        partials=False,
        speculate=False,
    )


def test_group_b_has_the_recognizer_of_row_a_and_group_c_todays_defaults() -> None:
    for row in ROWS:
        if row.group == "b":
            assert (row.settings.beam, row.settings.encoder_window) == (5, "full")
            assert (row.settings.partials, row.settings.speculate) == (False, False)
        if row.group == "c":
            assert replace(row.settings, runtime="pipeline", workers=None, threads=None) == Settings()


def test_no_configuration_stands_twice() -> None:
    rows = make_rows(
        Choice(runtimes=("sequential", "pipeline"), workers=(1, 2), threads=(available_cores(),))
    )
    assert [row.name for row in rows if row.settings.runtime == "sequential"] == [
        f"a sequential 1×{available_cores()}",
        f"c sequential 1×{available_cores()}",  # of two workers it makes one; b equals a
    ]
    names = [row.name for row in rows]
    assert len(set(names)) == len(names)


def test_without_row_a_group_b_keeps_sequential() -> None:
    rows = make_rows(Choice(runtimes=("sequential",), groups=("b",)))
    assert [row.group for row in rows] == ["b"]


def test_every_row_is_measured_once_before_any_again() -> None:
    rounds = [cell.repeat for cell in cells(3)]
    assert rounds == sorted(rounds)
    first = [(cell.row, cell.pace) for cell in cells(3) if cell.repeat == 0]
    ordered = sorted(ROWS, key=lambda row: "acb".index(row.group))
    assert first == [(row, pace) for row in ordered for pace in PACES]
    assert [cell.pace for cell in cells(3) if cell.repeat] == ["max"] * 2 * len(ROWS)


def test_each_round_begins_with_another_row() -> None:
    plan = cells(3)
    begins = [next(cell.row for cell in plan if cell.repeat == repeat) for repeat in range(3)]
    assert len(set(begins)) == min(3, len(ROWS))
    for repeat in range(3):
        assert {cell.row for cell in plan if cell.repeat == repeat} == set(ROWS)


def test_the_pipeline_is_measured_with_one_recognizer_on_all_cores_too() -> None:
    names = [row.name for row in make_rows(Choice(runtimes=("pipeline", "pool")))]
    assert f"b pipeline 1×{available_cores()}" in names
    assert f"b pool 1×{available_cores()}" not in names or available_cores() == 1


def test_a_shorter_plan_is_the_beginning_of_a_longer_one() -> None:
    assert cells(3)[: len(cells(2))] == cells(2)


@pytest.mark.parametrize(
    ("length_s", "seconds", "cut_s"), [(11.0, 11.0, None), (60.7, 60.7, None), (300.0, 60.0, 60.0)]
)
def test_a_sound_is_cut_at_the_limit_but_not_for_a_last_word(
    length_s: float, seconds: float, cut_s: float | None
) -> None:
    audio = Audio.limited("x.wav", "", length_s, 60.0)
    assert (audio.seconds, audio.cut_s) == (seconds, cut_s)


def test_the_cell_is_told_pace_and_length_and_is_cut_as_when_live_at_either_pace() -> None:
    cut = replace(AUDIO, seconds=30.0, cut_s=30.0)
    cell = make_cells(ROWS[:1], [cut], ["realtime"], {"realtime": 1})[0]
    assert cell.settings == replace(ROWS[0].settings, pace="realtime", duration_s=30.0, offline=True)
    fast = make_cells(ROWS[:1], [cut], ["max"], {"max": 1})[0]
    assert fast.settings.segmenter_options() == cell.settings.segmenter_options() == SegmenterOptions()


def test_estimates_are_sound_and_start_then_what_was_measured() -> None:
    estimates = Estimates()
    live, fast = cells()[:2]
    assert estimates.seconds(live) == 60.0 + 5.0
    assert estimates.seconds(fast) == 0.4 * 60.0 + 5.0
    estimates.learn(fast, 0.1, 2.0)
    assert estimates.seconds(live) == 62.0
    assert estimates.seconds(replace(fast, repeat=1)) == pytest.approx(8.0)
    assert estimates.seconds(replace(fast, row=ROWS[1])) == 0.4 * 60.0 + 5.0


def test_a_budget_drops_repeats_first_and_then_the_last_rows() -> None:
    plan = cells(3)
    once = sum(cell.repeat == 0 for cell in plan)
    chosen, left = within_budget(plan, lambda _: 1.0, once)
    assert {cell.repeat for cell in chosen} == {0}
    assert {cell.repeat for cell in left} == {1, 2}
    chosen, left = within_budget(plan, lambda _: 1.0, 2.5)
    assert [cell.row for cell in chosen] == [ROWS[0]] * 2
    assert chosen + left == plan


def test_what_is_saved_costs_nothing_and_stays() -> None:
    plan = cells(2)
    saved = plan[-1]
    chosen, _ = within_budget(plan, lambda cell: 0.0 if cell == saved else 1.0, 1.0)
    assert chosen == [plan[0], saved]
    assert within_budget(plan, lambda _: 1.0, None) == (plan, [])


def test_what_is_left_out_is_told_row_by_row() -> None:
    fast = [cell for cell in cells(3) if cell.row == ROWS[0] and cell.pace == "max"]
    assert list(left_out(fast)) == [f"{ROWS[0].name} max (3×)"]
