"""Captions as lines in files and pipes, and what is said when they cannot be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from decalage.errors import OutputError
from decalage.events import Event, as_json
from decalage.sinks.captions import Show, clean, clock
from decalage.sinks.jsonl import JsonlSink
from decalage.sinks.output import ReaderGoneError, TextOutput, check_writable
from decalage.sinks.text import PlainTextSink
from tests.sinks.events import START, SUMMARY, caption, failure, gap, partial, rejected

EVENTS: list[Event] = [
    START,
    partial(en="So"),
    caption(0, 1.25, en="So it is.", pt="Assim é — «ã\u2028ç»."),
    rejected(1),
    gap(2),
    failure(3, en="Well."),
    SUMMARY,
]


def test_each_event_is_one_line_of_its_published_form(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonlSink(TextOutput.to_path(str(path)))
    for event in EVENTS:
        sink.write(event)
    sink.close()
    lines = path.read_text("utf-8").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == [as_json(event) for event in EVENTS]


def test_letters_are_written_as_they_are() -> None:
    stream = StringIO()
    JsonlSink(TextOutput(stream, "s")).write(caption(en="Hi.", pt="Olá, João"))
    assert "Olá, João" in stream.getvalue()


def test_what_is_written_stands_in_the_file_before_it_is_closed(tmp_path: Path) -> None:
    sink = JsonlSink(TextOutput.to_path(str(tmp_path / "events.jsonl")))
    sink.write(caption(en="Hi."))
    assert json.loads((tmp_path / "events.jsonl").read_text("utf-8"))["text"] == {"en": "Hi."}
    sink.close()


def plain(show: Show, *events: Event) -> list[str]:
    stream = StringIO()
    sink = PlainTextSink(TextOutput(stream, "s"), show)
    for event in events:
        sink.write(event)
    sink.close()
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("show", "lines"),
    [
        ("source", ["Hi.", "Bye."]),
        ("target", ["Oi.", "Tchau."]),
        ("both", ["en: Hi.", "pt: Oi.", "en: Bye.", "pt: Tchau."]),
    ],
)
def test_plain_text_shows_what_was_asked_for(show: Show, lines: list[str]) -> None:
    assert plain(show, caption(0, en="Hi.", pt="Oi."), caption(1, en="Bye.", pt="Tchau.")) == lines


def test_two_targets_name_their_languages() -> None:
    assert plain("target", caption(en="Hi.", pt="Oi.", es="Hola.")) == ["pt: Oi.", "es: Hola."]


@pytest.mark.parametrize("show", ["source", "target", "both"])
def test_speech_with_no_translation_shows_as_it_was_said(show: Show) -> None:
    assert plain(show, caption(en="Hi.")) == ["Hi."]


def test_plain_text_has_captions_only() -> None:
    assert plain("both", *(event for event in EVENTS if event.type != "caption")) == []


def test_a_caption_is_one_line_whatever_is_in_it() -> None:
    assert plain("source", caption(en="a\nb\r\nc\u2028d\x1b[31me\x07\x9b2Jf\x00")) == ["a b c d [31me 2Jf"]


@pytest.mark.parametrize("text", ["Olá, João!", "naïve — «ok» 🙂 你好", "e\u0301"])
def test_cleaning_leaves_text_that_needs_none(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "00:00"), (61.9, "01:01"), (3599.9, "59:59"), (3600, "1:00:00")]
)
def test_times_are_cut_not_rounded(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"none/a\.txt: the folder does not exist"):
        TextOutput.to_path(str(tmp_path / "none" / "a.txt"))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=f"cannot write {tmp_path}: is a directory"):
        TextOutput.to_path(str(tmp_path))


def test_a_full_disk_is_said_in_words() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    output = TextOutput.to_path("/dev/full")
    with pytest.raises(OutputError, match="cannot write /dev/full: the disk is full") as told:
        output.line("text")
    assert told.value.exit_code == 2
    output.close()


def test_a_closed_pipe_is_no_error_to_tell() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        with pytest.raises(ReaderGoneError) as told:
            TextOutput(stream, "standard output").line("text")
        assert told.value.exit_code == 0


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    output = TextOutput.to_path(str(tmp_path / "a.txt"))
    output.line("text")
    output.close()
    output.close()
    assert (tmp_path / "a.txt").read_bytes() == b"text\n"


def test_standard_output_stays_open() -> None:
    stream = StringIO()
    TextOutput(stream, "standard output").close()
    assert not stream.closed


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("older and longer")
    output = TextOutput.to_path(str(tmp_path / "a.txt"))
    output.line("new")
    output.close()
    assert (tmp_path / "a.txt").read_bytes() == b"new\n"


WRITES = """
import sys
from decalage.sinks.jsonl import JsonlSink
from decalage.sinks.output import TextOutput
from tests.sinks.events import caption
sink = JsonlSink(TextOutput(sys.stdout, "standard output"))
sink.write(caption(en="Ol\\u00e1 \\udcff."))
sink.close()
"""


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_letters_that_standard_output_cannot_take_stop_no_caption(encoding: str) -> None:
    written = subprocess.run(
        [sys.executable, "-c", WRITES],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": "src"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (written.returncode, written.stderr) == (0, b"")
    assert json.loads(written.stdout.decode(encoding))["text"]["en"].startswith("Ol")


def test_a_name_that_no_file_can_have_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*file name too long"):
        check_writable(str(tmp_path / ("x" * 300)))
