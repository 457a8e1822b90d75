"""The report of a benchmark: verdicts, medians, ratios, code counts, tables."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from decalage.app.bench import paper
from decalage.app.bench.complexity import code_lines, own_lines, own_modules
from decalage.app.bench.plan import Audio, Cell
from decalage.app.bench.quality import References, quality
from decalage.app.bench.report import COLUMNS, make_report, middle, ratios, spread
from decalage.app.bench.tables import disturbance, failures, markdown, print_tables
from decalage.app.bench.verdicts import keeps_up, lost, order_violations
from decalage.app.compose import RUNTIMES
from tests.app.bench_kit import AUDIO, answer, cells, result
from tests.app.test_cli import SAMPLES

MACHINE = {"cpu": "abacus", "cores": 2, "system": "wood"}


def report(changed: dict[int, dict[str, Any]] | None = None) -> dict[str, Any]:
    """Of all cells of the kit; ``changed`` are results by the number of their cell."""
    results: dict[Cell, dict[str, Any]] = {cell: answer(cell) for cell in cells(3)}
    for number, instead in (changed or {}).items():
        results[cells(3)[number]] = instead
    return make_report(results, cells(3)[:1], MACHINE, "decalage bench")


@pytest.mark.parametrize(
    ("indices", "violations"),
    [([], 0), ([0, 1, 2], 0), ([1, 2], 1), ([0, 2, 1, 3], 3), ([0, 0, 1], 1), ([0, 1, 3], 1)],
)
def test_an_index_that_does_not_follow_the_one_before_is_a_violation(
    indices: list[int], violations: int
) -> None:
    assert order_violations(indices) == violations


def test_lost_are_the_indices_that_nothing_answered() -> None:
    assert lost([0, 1, 2], 3) == 0
    assert lost([0, 2, 2], 5) == 3


def test_lag_that_stays_keeps_up_and_lag_that_grows_does_not() -> None:
    times = range(0, 60, 4)
    assert keeps_up([(t, 1.0 + (t % 8) / 4) for t in times])
    assert not keeps_up([(t, 1.0 + 0.14 * t) for t in times])  # the paper's RTF of 1.14


def test_lag_that_grows_slowly_grows_too_and_chance_is_no_growth() -> None:
    assert not keeps_up([(t, 1.0 + 0.045 * t) for t in range(0, 60, 4)])
    assert not keeps_up([(t, 1.0 + 0.02 * t + (t % 8) / 40) for t in range(0, 60, 4)])
    noisy = [0.6, 1.9, 0.7, 0.5, 1.2, 0.8, 2.0, 0.6, 0.9, 0.7, 1.8, 0.6]
    assert keeps_up([(4.0 * n, lag) for n, lag in enumerate(noisy)])
    assert keeps_up([(4.0 * n, 1.0) for n in range(5)])


def test_too_few_captions_say_nothing_and_dropped_sound_says_no() -> None:
    assert keeps_up([(0.0, 1.0), (5.0, 9.0)]) is None
    assert keeps_up([(0.0, 1.0), (5.0, 1.0), (9.0, 1.0)], dropped_s=0.5) is False
    assert keeps_up([(5.0, 1.0)] * 4) is True


def test_the_median_and_its_spread_are_of_the_cells_that_measure_a_column() -> None:
    measured = [{"pace": "max", **result("max", rtf)} for rtf in (0.5, 0.9, 0.6)]
    measured += [{"pace": "realtime", **result("realtime", 0.3)}, {"pace": "max", "error": "no memory"}]
    values = middle(measured)
    assert values["rtf"] == 0.6
    assert values["throughput"] == pytest.approx(1 / 0.6)
    assert values["utterances_per_min"] == pytest.approx(30 / 0.6)
    assert spread(measured)["rtf"] == [0.5, 0.9]
    assert values["lag_p50"] == 0.3
    assert values["latency_max"] == pytest.approx(0.9)
    assert values["load"] == 0.3  # of the live cell, where there is one
    assert values["realtime"] is True
    assert values["wer"] is None
    assert "wer" not in spread(measured)


def test_of_losses_the_worst_counts_whatever_the_pace() -> None:
    measured = [{"pace": "realtime", **result("realtime")}, {"pace": "max", **result(lost=2)}]
    assert middle(measured)["lost"] == 2


def test_one_live_cell_that_falls_behind_makes_a_no() -> None:
    measured = [{"pace": "realtime", **result("realtime", realtime=verdict)} for verdict in (True, False)]
    assert middle(measured)["realtime"] is False


def test_ratios_are_to_row_a_and_only_where_both_are_known() -> None:
    assert ratios({"rtf": 0.4, "lost": 0, "realtime": True}, {"rtf": 0.8, "lost": 0, "realtime": True}) == {
        "rtf": 0.5
    }
    assert ratios({"rtf": 0.4}, None) == {}
    assert ratios({"rtf": 0.4}, {"rtf": None}) == {}


def test_a_report_has_its_rows_with_cells_medians_and_ratios() -> None:
    made = report()
    assert made["version"] == 1
    assert made["audio"] == [{"path": AUDIO.path, "sha256": AUDIO.sha256, "seconds": 60.0, "cut_s": None}]
    first, second = made["rows"][:2]
    assert (first["group"], first["runtime"], first["settings"]["beam"]) == ("a", "sequential", 5)
    assert [(cell["pace"], cell["repeat"]) for cell in first["cells"]] == [
        ("realtime", 0),
        ("max", 0),
        ("max", 1),
        ("max", 2),
    ]
    assert set(first["median"]) == set(COLUMNS)
    assert first["ratio"]["rtf"] == 1.0
    assert second["ratio"]["rtf"] == 0.5
    assert second["ratio"]["throughput"] == 2.0
    assert made["left_out"]
    json.dumps(made)


def test_each_sound_is_compared_with_row_a_on_that_sound() -> None:
    other = Audio("/speech/other.wav", "1" * 64, 10.0, None)
    results = {}
    for cell in cells(1):
        results[cell] = answer(cell)
        results[Cell(cell.row, other, cell.pace, 0)] = result(cell.pace, 0.2)
    rows = make_report(results, [], MACHINE, "")["rows"]
    assert {row["ratio"]["rtf"] for row in rows if row["audio"] == other.path} == {1.0}
    assert [row["audio"] for row in rows] == sorted((row["audio"] for row in rows), reverse=True)


def test_the_papers_estimates_stand_beside_by_runtime() -> None:
    rows = {row["runtime"]: row for row in paper.as_data()["rows"]}
    assert rows["sequential"]["latency_mean"] == 0.893
    assert rows["pipeline"]["latency_mean"] == pytest.approx(0.6 * 0.893, abs=1e-3)
    assert rows["pipeline"]["cpu_percent"] == [60.0, 70.0]
    assert rows["processes"]["ratio"] == {"throughput": 2.5, "memory_mb": 4.0}
    assert "latency_mean" not in rows["pool"]


def test_tables_show_medians_ratios_and_whose_numbers_they_are() -> None:
    text = markdown(report())
    pipeline = next(line for line in text.splitlines() if line.startswith("| b pipeline 2×1"))
    assert "| 0.400 |" in pipeline
    assert "| yes |" in pipeline
    assert "| *paper: Option 1 (pipeline)* | *0.60×* | *0.55×* | *0.66×* |" in text
    assert "| *0.536* |" in text
    assert "*60–70*" in text
    assert "Left out for the budget: " in text
    assert "| b pipeline 2×1 | 0.50× | 0.50× | 0.50× | 2.00× | 1.00× | 1.00× |" in text


def test_spread_is_shown_only_where_values_differ() -> None:
    number = next(
        n for n, cell in enumerate(cells(3)) if (cell.pace, cell.repeat, cell.row.group) == ("max", 2, "a")
    )
    text = markdown(report({number: result("max", 0.9)}))
    assert "0.800 (0.800–0.900)" in text
    assert "400 (" not in text


def test_the_screen_shows_all_tables_and_the_failed_cell() -> None:
    made = report({0: {"error": "no memory [left]"}})
    out = io.StringIO()
    print_tables(made, Console(file=out, width=160))
    text = out.getvalue()
    assert "c pipeline 2×1" in text
    assert "paper: Option 3 (processes)" in text
    assert "no memory [left]" in text
    assert len(failures(made)) == 1


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_number_is_cut_on_a_narrow_screen(width: int) -> None:
    out = io.StringIO()
    print_tables(report(), Console(file=out, width=width))
    assert "…" not in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= width
    rows = [line.split() for line in out.getvalue().splitlines() if "b pipeline 2×1" in line]
    numbers = {word for row in rows for word in row}
    assert {"0.400", "1.200", "2.50", "75.0", "50", "6", "yes", "0.50×"} <= numbers


def test_a_row_of_which_every_cell_failed_says_so() -> None:
    first = cells(3)[0].row
    broken = {n: {"error": "gone"} for n, cell in enumerate(cells(3)) if cell.row == first}
    line = next(line for line in markdown(report(broken)).splitlines() if line.startswith(f"| {first.name}"))
    assert "failed" in line


def test_a_busy_machine_is_told() -> None:
    assert disturbance(report()) == []
    [told] = disturbance(report({0: result("realtime", others_percent=42.0)}))
    assert "42 %" in told


def test_lines_of_code_leave_out_blanks_and_comments() -> None:
    assert code_lines('"""Two\n\nlines."""\n\n# a comment\nx = (\n    1,  # one\n)\n') == 5


def test_a_runtime_owns_the_modules_that_not_every_runtime_needs() -> None:
    assert own_modules(RUNTIMES["sequential"]) == ["decalage.runtimes.sequential"]
    assert set(own_modules(RUNTIMES["pipeline"])) == {
        "decalage.runtimes.pipeline",
        "decalage.runtimes.staged",
    }
    assert own_lines(RUNTIMES["sequential"]) < own_lines(RUNTIMES["pipeline"])
    assert own_lines(RUNTIMES["pipeline"]) < own_lines(RUNTIMES["processes"])


def test_the_manifest_beside_a_sound_is_its_reference_unless_it_is_cut() -> None:
    whole = Audio(str(SAMPLES / "ask-not.flac"), "", 11.0, None)
    found = References.beside(whole, "pt")
    assert found.transcript is not None
    assert found.transcript.startswith("And so, my fellow Americans")
    assert found.translation is not None
    assert References.beside(whole, "es") == References(found.transcript, None)
    assert References.beside(Audio(whole.path, "", 5.0, 5.0), "pt") == References()
    assert References.beside(Audio("/nowhere/x.wav", "", 5.0, None), "pt") == References()


def test_words_are_judged_where_there_is_a_reference() -> None:
    captions = [{"text": {"en": "Ask not what", "pt": "Não perguntem"}}, {"text": {"en": "you can do."}}]
    judged = quality(captions, References("Ask not what we can do!", "Não perguntem"), "en", "pt")
    assert judged["wer"] == pytest.approx(100 / 6)
    assert judged["chrf"] == pytest.approx(100, abs=2)
    assert quality(captions, References(), "en", "pt") == {"wer": None, "chrf": None}
