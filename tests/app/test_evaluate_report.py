"""The report of an evaluation, its tables, and two of them compared."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from decalage.app.evaluate.compare import changed, compare, section
from decalage.app.evaluate.figures import Figures, figures
from decalage.app.evaluate.plan import answers, default_tail_s, make_cells
from decalage.app.evaluate.report import make_report, read_report, rows_of
from decalage.app.evaluate.tables import markdown, print_tables, sections
from decalage.app.settings import Settings
from decalage.errors import InputError, UsageError
from tests.app.evaluate_kit import CIRCUMSTANCES, LIVE, caption, figure, recording, rejected
from tests.app.test_cli import SAMPLES

SPEECH = {"kind": "speech, 1961"}
DELAYS = {"en read speech": {"long_yaal": 1.5, "long_yaal_ca": 1.75}}


def report(*made: Figures) -> dict[str, Any]:
    silent = figure("s", caption(0, 2.0, "Obrigado."), expect="empty", translation=None)
    failed = figures(recording("f"), {"error": "no memory [left]"}, LIVE)
    return make_report([*(made or spoken()), silent, failed], CIRCUMSTANCES, DELAYS)


def spoken(lag: float = 0.6, heard: str = "Cats dogs") -> list[Figures]:
    """Four recordings of two sets, one word in twenty wrong."""
    wrong = figure(
        "d", caption(0, 2.0, "Gatos cães aves", f"{heard} birds and wish.", lag=lag), kind="speech, 1961"
    )
    return [*(figure(name, lag=lag) for name in "abc"), wrong]


def test_a_report_has_its_sets_all_together_and_each_recording() -> None:
    made = report()
    assert [row["name"] for row in rows_of(made)] == ["en read speech", "en speech", "no speech", "overall"]
    overall = made["overall"]
    assert (overall["recordings"], overall["failed"], overall["words"]) == (5, 1, 20)
    assert overall["wer"] == pytest.approx(100 / 20)
    assert overall["wer_interval"][0] == 0.0
    assert overall["lag"] == pytest.approx({"mean": 0.6, "p50": 0.6, "p95": 0.6, "max": 0.6})
    assert overall["coverage"] == pytest.approx((3 * 2.1 + 1.2) / (4 * 2.1))
    assert (overall["partials"], overall["erasure"]) == (0, 0.0)
    assert overall["load"] == pytest.approx(0.6)
    assert overall["memory_mb"] == 300.0
    assert overall["long_yaal"] is None
    assert made["sets"][0]["long_yaal_ca"] == 1.75
    assert [each["id"] for each in made["recordings"]] == ["a", "b", "c", "d", "s", "f"]
    assert "emissions" not in made["recordings"][0]
    json.dumps(made)


def test_captions_where_nobody_speaks_are_counted_apart() -> None:
    made = report()
    silent = next(row for row in made["sets"] if row["name"] == "no speech")
    assert (silent["captions"], silent["wer"], silent["bleu"]) == (1, None, None)
    assert made["overall"]["captions"] == 7


def test_the_signatures_say_how_translations_were_scored() -> None:
    made = report()
    assert made["overall"]["chrf"] > 80
    assert made["overall"]["translations"] == 4
    assert made["signatures"]["bleu"].startswith("nrefs:1|case:mixed|eff:no|tok:13a")
    assert made["signatures"]["chrf"].startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0")


def test_without_lag_no_column_of_delay_is_told() -> None:
    made = [figure(name, rejected(0, 2.0), translation=None) for name in "ab"]
    titles = [part.title for part in sections(make_report(made, CIRCUMSTANCES, {}))]
    assert titles == ["Words", "Cost"]


@pytest.mark.parametrize("width", [60, 100, 160])
def test_the_screen_shows_sets_notes_and_failures_and_cuts_no_number(width: int) -> None:
    out = io.StringIO()
    print_tables(report(), Console(file=out, width=width))
    text = " ".join(out.getvalue().split())
    assert "…" not in text
    for words in ("en read speech", "no speech", "overall", "f: no memory [left]", "Left out: 3 not in en."):
        assert words in text
    assert "5.0 (" in text
    assert "1.75" in text


def test_markdown_has_the_tables_and_the_command() -> None:
    text = markdown(report())
    assert "`decalage evaluate manifest.jsonl`" in text
    assert "| en speech | 1 | 10 | 1 | 20.0 |" in text
    assert "Failed: f: no memory [left]" in text


def test_two_reports_differ_by_recording_with_an_interval() -> None:
    before, after = report(*spoken(0.6)), report(*spoken(0.5))
    found = {(each.set, each.measure): each for each in compare(before, after)}
    lag = found["overall", "lag mean"]
    assert lag.other - lag.one == pytest.approx(-0.1)
    assert lag.told
    wer = found["overall", "wer"]
    assert (wer.recordings, wer.interval, wer.told) == (4, (0.0, 0.0), False)
    assert found["en speech", "wer"].interval is None
    assert ("no speech", "wer") not in found
    assert {measure for _, measure in found} >= {
        "bleu",
        "chrf",
        "lag p95",
        "latency mean",
        "first words mean",
    }
    lines = [line[:7] for line in section(list(found.values())).lines]
    assert ["overall", "lag mean", "4", "0.60", "0.50", "-0.10", "-0.10 … -0.10"] in lines
    json.dumps([each.as_data() for each in found.values()])


def test_a_difference_within_chance_has_no_star() -> None:
    better = [figure(name, transcript="Cats, dogs, birds and wish.") for name in "abc"]
    worse = [figure("a"), *better[1:]]
    told = {each.measure: each for each in compare(report(*better), report(*worse))}
    assert told["wer"].interval is not None
    assert not told["wer"].told
    assert section([told["wer"]]).lines[0][-1] == ""


def test_changed_settings_and_recordings_that_stand_alone_are_told() -> None:
    before = report(*spoken())
    after = {**report(*spoken()[:3]), "settings": {**before["settings"], "beam": 5}}
    assert changed(before, after) == [
        "beam: 1 → 5",
        "2 recordings of the first report stand alone or failed: not compared",
        "1 recordings of the second report stand alone or failed: not compared",
    ]


def test_reports_without_a_common_recording_are_refused() -> None:
    with pytest.raises(UsageError, match="share no recording"):
        compare(make_report([figure("a")], CIRCUMSTANCES, {}), make_report([figure("b")], CIRCUMSTANCES, {}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("{}", "is no report of decalage evaluate"),
        ('{"version": 9, "recordings": [], "sets": [], "settings": {}}', "of version 9"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=words):
        read_report(tmp_path / "a.json")


def test_each_recording_is_a_cell_and_all_texts_are_one() -> None:
    rows = [
        recording("a", path="ask-not.flac"),
        recording("b", path=None, transcript="Two."),
        recording("b", path=None, transcript="Two.", translation_language="pt-PT"),
        recording("c", path=None, transcript="Three."),
    ]
    cells = make_cells(rows, SAMPLES, LIVE, 2.0)
    heard, read = dict.fromkeys(cells.values())
    assert heard.audio.seconds == pytest.approx(13.0)
    assert heard.request()["tail_s"] == 2.0
    assert heard.settings.pace == "realtime"
    assert heard.settings.offline
    assert read.request()["texts"] == ["Two.", "Three."]
    result = {"error": None, "translations": {"pt": ["Dois.", None]}, "seconds": {"pt": [0.1, 0.2]}}
    found = answers(cells, {heard: {"error": "gone"}, read: result})
    assert [figures(row, one, LIVE).get("translated") for row, one in found.items()] == [
        None,
        "Dois.",
        "Dois.",
        "",
    ]
    assert figures(rows[3], found[rows[3]], LIVE)["failures"] == 1


def test_a_recording_that_is_not_there_is_refused_with_its_line() -> None:
    with pytest.raises(InputError, match=r"manifest.jsonl, line 1: .*gone.wav does not exist"):
        make_cells([recording("a", path="gone.wav")], SAMPLES, LIVE, 2.0)


@pytest.mark.parametrize(
    ("settings", "tail_s"),
    [(LIVE, 2.0), (Settings(pace="realtime", end_silence_s=3.0), 4.0), (Settings(pace="max"), 0.0)],
)
def test_the_silence_after_a_recording_is_longer_than_what_ends_an_utterance(
    settings: Settings, tail_s: float
) -> None:
    assert default_tail_s(settings) == tail_s
