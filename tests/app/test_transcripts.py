"""Transcripts that live saves: where they are, and whose."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import platformdirs
import pytest

from decalage.app.cli import main
from decalage.app.transcripts import drop_empty, make_transcript, new_transcript, transcripts_folder
from decalage.errors import OutputError
from decalage.sinks.output import TextOutput


def test_they_are_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECALAGE_DATA", str(tmp_path))
    assert new_transcript().parent == transcripts_folder() == tmp_path / "transcripts"
    monkeypatch.delenv("DECALAGE_DATA")
    assert transcripts_folder() == platformdirs.user_data_path("decalage") / "transcripts"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_nobody_else_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECALAGE_DATA", str(tmp_path))
    before = os.umask(0)
    try:
        path = new_transcript()
        make_transcript(path)
        output = TextOutput.to_path(str(path))
        output.line("a word")
        output.close()
    finally:
        os.umask(before)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path)] == [0o700, 0o600]


def test_one_of_another_session_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text("a word")
    with pytest.raises(OutputError, match="use --no-save"):
        make_transcript(path)
    drop_empty(path)
    assert path.read_text() == "a word"


def test_a_session_that_never_began_leaves_none(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    make_transcript(path)
    drop_empty(path)
    drop_empty(path)
    assert not path.exists()


def test_a_folder_that_cannot_be_made_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DECALAGE_DATA", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="use --no-save, or set DECALAGE_DATA"):
        new_transcript()


def test_the_help_of_live_says_how_long_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["live", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "Keep the transcript, until you delete it, where no -o says otherwise." in told
    assert "[default: save; with --no-journal no-save]" in told
    assert "Keep text until you delete it and, so that a crash loses nothing, sound for a week: in" in told
