"""Working through a plan: what is saved is not measured again, what fails does not end it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from decalage.app.bench.launch import answer as read_answer
from decalage.app.bench.measure import Measurement
from decalage.app.bench.plan import Cell
from decalage.app.bench.saved import SavedCells, key
from tests.app.bench_kit import AUDIO, answer, cells, result


class Bench:
    """A measurement over a folder, with a launcher that remembers and a clock by which a cell takes 90 s."""

    def __init__(self, folder: Path, script: dict[int, Any] | None = None) -> None:
        self.saved = SavedCells(folder)
        self.launched: list[Cell] = []
        self.told: list[str] = []
        self._script = script or {}
        """Number of a launch → what comes of it instead."""

    def launch(self, cell: Cell) -> dict[str, Any]:
        self.launched.append(cell)
        instead = self._script.get(len(self.launched))
        if isinstance(instead, BaseException):
            raise instead
        return instead or answer(cell)

    def measurement(self, **options: Any) -> Measurement:
        return Measurement(
            launch=self.launch,
            saved=self.saved,
            tell=self.told.append,
            now=lambda: 90.0 * len(self.launched),
            **options,
        )


def test_a_rerun_measures_nothing_and_says_the_same(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    outcome = first.measurement().run(cells())
    assert first.launched == cells()
    again = Bench(tmp_path)
    rerun = again.measurement().run(cells())
    assert again.launched == []
    assert rerun.results == outcome.results
    assert f"{len(cells())} of them saved" in again.told[0]
    assert "about 0 s" in again.told[0]


def test_again_measures_what_is_saved(tmp_path: Path) -> None:
    Bench(tmp_path).measurement().run(cells())
    again = Bench(tmp_path)
    again.measurement(again=True).run(cells())
    assert again.launched == cells()


def test_an_interrupt_keeps_what_was_measured_and_the_next_run_goes_on(tmp_path: Path) -> None:
    first = Bench(tmp_path, {3: KeyboardInterrupt()})
    outcome = first.measurement().run(cells())
    assert outcome.interrupted
    assert list(outcome.results) == cells()[:2]
    second = Bench(tmp_path)
    assert not second.measurement().run(cells()).interrupted
    assert second.launched == cells()[2:]


def test_a_failed_cell_is_told_the_rest_goes_on_and_it_is_tried_again(tmp_path: Path) -> None:
    first = Bench(tmp_path, {2: {"error": "no memory left"}})
    outcome = first.measurement().run(cells())
    assert outcome.failed == [cells()[1]]
    assert len(outcome.results) == len(cells())
    assert any("failed: no memory left" in told for told in first.told)
    second = Bench(tmp_path)
    assert second.measurement().run(cells()).failed == []
    assert second.launched == [cells()[1]]


def test_results_come_in_the_order_of_the_plan_whatever_was_saved(tmp_path: Path) -> None:
    Bench(tmp_path).measurement().run(cells()[3:5])
    assert list(Bench(tmp_path).measurement().run(cells()).results) == cells()


def test_the_number_of_cells_and_the_time_are_told_first(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    plan = cells()[:3]  # live, full speed, live
    bench.measurement().run(plan)
    assert bench.told[0] == "3 cells, about 3 minutes"


def test_a_budget_is_told_and_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    outcome = bench.measurement(budget_s=100.0).run(cells())
    assert bench.launched == cells()[:1]  # two by the estimate, but it took longer
    assert outcome.left == cells()[1:]
    assert bench.told[1].startswith("left out for the budget: ")
    assert bench.told[-1].startswith("the budget is spent; left out: ")


def test_a_damaged_file_counts_as_absent(tmp_path: Path) -> None:
    Bench(tmp_path).measurement().run(cells())
    saved = sorted(tmp_path.iterdir())
    assert len(saved) == len(cells())
    saved[0].write_text("{")
    again = Bench(tmp_path)
    again.measurement().run(cells())
    assert len(again.launched) == 1


def test_a_cell_is_known_by_settings_sound_and_repeat() -> None:
    live, fast = cells()[:2]
    other = replace(live.audio, sha256="1" * 64)
    changed = [
        live,
        fast,
        replace(live, repeat=1),
        replace(live, audio=other),
        replace(live, row=cells()[2].row),
    ]
    assert len({key(cell) for cell in changed}) == len(changed)
    moved = replace(AUDIO, path="/elsewhere/talk.wav")
    assert key(replace(live, audio=moved)) == key(live)


@pytest.mark.parametrize(
    ("out", "err", "code", "words"),
    [
        ("", "Traceback\n  File\nMemoryError: no room", 1, "(exit code 1): MemoryError: no room"),
        ("half a li", "", -9, "(killed by signal 9): nothing was said"),
        ("[1]\n", "", 0, "without a result"),
    ],
)
def test_a_process_without_a_result_is_an_error_of_one_line(
    out: str, err: str, code: int, words: str
) -> None:
    told = read_answer(out, err, code)["error"]
    assert words in told
    assert "\n" not in told


def test_the_last_line_of_a_process_is_its_result() -> None:
    assert read_answer('a library says hello\n{"error": null}\n', "warning", 0) == {"error": None}
    assert result()["error"] is None
