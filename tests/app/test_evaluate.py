"""``decalage evaluate`` from outside: refusals of one line, and real recordings in their own processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from decalage.app.cli import main
from decalage.app.evaluate import longform
from decalage.errors import EngineError
from tests.app.test_cli import SAMPLES, refused

MANIFEST = str(SAMPLES / "manifest.jsonl")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "which manifest?"),
        (["nothing.jsonl"], "cannot read nothing.jsonl"),
        ([str(SAMPLES)], "is a directory"),
        ([str(SAMPLES / "README.md")], "README.md, line 1 is not JSON"),
        ([MANIFEST, "--set", "en song"], "no set 'en song'; there are: en two speeches"),
        ([MANIFEST, "--kind", "song"], "no recording is of kind"),
        ([MANIFEST, "--ids", "nothing"], "cannot read nothing"),
        ([MANIFEST, "--from", "pt", "--to", "en"], "nothing to evaluate: 2 not in pt"),
        ([MANIFEST, "--from", "auto"], "auto"),
        ([MANIFEST, "--to", "xx"], "supported: en→pt, pt→en"),
        ([MANIFEST, "--runtime", "magic"], "'asyncio', 'pipeline', 'pool'"),
        ([MANIFEST, "--split", "half"], "--split"),
        ([MANIFEST, "--limit", "0"], "--limit"),
        ([MANIFEST, "--json", "/nowhere/x.json"], "the folder does not exist"),
        ([MANIFEST, "--logs", f"{MANIFEST}/logs"], "cannot make the folder"),
        ([MANIFEST, "--json", "-", "--markdown", "-"], "not both"),
        ([MANIFEST, "--compare", "a.json", "b.json"], "no manifest"),
        (["--compare", "a.json", "b.json"], "cannot read a.json"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line_with_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    code, line = refused(capsys, "evaluate", *arguments)
    assert code == 2
    assert words in line
    assert line.startswith("decalage: ")


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", *arguments])
    told = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, told.out, told.err


def test_a_recording_that_is_not_there_is_told_with_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "m.jsonl").write_text('\n{"path": "gone.wav", "language": "en", "transcript": "One."}\n')
    code, line = refused(capsys, "evaluate", str(tmp_path / "m.jsonl"))
    assert code == 2
    assert "m.jsonl, line 2: " in line
    assert "gone.wav does not exist" in line


@pytest.mark.real
def test_a_recording_is_scored_at_speaking_pace_and_not_again_on_a_rerun(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    require: Callable[[bool, str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require(longform.missing() is None, "OmniSTEval", longform.missing() or "")
    (tmp_path / "ids").write_text("ask-not\n")
    asked = [MANIFEST, "--ids", str(tmp_path / "ids"), "--results", str(tmp_path / "saved")]
    written = ["--json", str(tmp_path / "a.json"), "--logs", str(tmp_path)]
    code, out, err = evaluated(capsys, *asked, *written)
    assert code == 0
    assert "1 run, about" in err
    assert "en speech" in out
    report = json.loads((tmp_path / "a.json").read_text("utf-8"))
    [row] = report["sets"]
    assert row["wer"] < 10
    assert row["chrf"] > 40
    assert 0 < row["lag"]["p50"] < 10
    assert row["first_caption"]["p50"] > 0
    assert row["long_yaal"] < row["long_yaal_ca"]
    assert row["coverage"] > 0.9
    assert (row["lost"], row["order_violations"], row["failures"]) == (0, 0, 0)
    [line] = (tmp_path / "resegmented.pt.jsonl").read_text("utf-8").splitlines()
    assert len(json.loads(line)["emission_ca"]) == len(json.loads(line)["prediction"].split())
    code, again, err = evaluated(capsys, *asked)
    assert code == 0
    assert "1 run, 1 of them saved, about 0 s" in err
    assert again == out

    def failing(*_: object) -> None:
        raise EngineError("no tokenizer for it")

    monkeypatch.setattr(longform, "scores", failing)
    code, out, err = evaluated(capsys, *asked, "--json", str(tmp_path / "b.json"))
    assert code == 0
    assert "LongYAAL and LongLAAL are left out; no tokenizer for it" in err
    [row] = json.loads((tmp_path / "b.json").read_text("utf-8"))["sets"]
    assert (row["wer"], row["long_yaal"]) == (report["sets"][0]["wer"], None)


@pytest.mark.real
def test_a_table_is_translated_without_sound_and_two_reports_are_compared(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "m.tsv").write_text(
        "id\ten\tpt_br\n1\tThe house is big.\tA casa é grande.\n2\tThank you.\tObrigado.\n", "utf-8"
    )
    asked = [
        str(tmp_path / "m.tsv"),
        "--results",
        str(tmp_path / "saved"),
        "--json",
        str(tmp_path / "a.json"),
    ]
    code, out, _ = evaluated(capsys, *asked)
    assert code == 0
    assert "text en→pt-BR" in out
    report = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert report["sets"][0]["chrf"] > 60
    assert report["sets"][0]["captions"] is None
    code, out, _ = evaluated(capsys, "--compare", *[str(tmp_path / "a.json")] * 2)
    assert code == 0
    assert "+0.00 … +0.00" in out
