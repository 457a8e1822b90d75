"""Subtitle files as other programs read them: FFmpeg takes each apart again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.app.outputs import as_text
from decalage.events import Caption, Event, Timing
from decalage.sinks.captions import Show
from decalage.sinks.output import TextOutput
from decalage.sinks.subtitles import FORMS, SubtitleForm, SubtitleSink
from decalage.speech import Word
from tests.properties import examples
from tests.sinks.events import START, SUMMARY

TIMING = Timing(0, 0, 0, 0, None, None, 0)


def caption(index: int, start: float, end: float, **text: str) -> Caption:
    return Caption(index, start, end, "en", text, TIMING, None, None)


def written(
    path: Path, form: SubtitleForm, *events: Event, show: Show = "target", language: str | None = None
) -> str:
    sink = SubtitleSink(TextOutput.to_path(str(path)), form, show, language)
    for event in events:
        sink.write(event)
    sink.close()
    return path.read_text("utf-8")


def read_back(path: Path) -> list[tuple[float, float, str]]:
    """Start, end and text of each cue, by FFmpeg."""
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        for packet in container.demux(stream):
            if packet.pts is None or packet.time_base is None:
                continue
            start = float(packet.pts * packet.time_base)
            length = float((packet.duration or 0) * packet.time_base)
            found.append((start, start + length, _text(packet.decode())))
    return found


def _text(sets: Any) -> str:
    (ass,) = [bytes(rectangle.ass).decode() for each in sets for rectangle in [each]]
    return ass.split(",", 8)[8].replace("\\N", "\n")


TWO = (
    START,
    caption(0, 1.0, 3.0, en="Hello there.", pt="Olá."),
    caption(1, 3661.5, 3663.25, en="An hour later.", pt="Uma hora depois."),
    SUMMARY,
)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read_by_another_program(tmp_path: Path, form: SubtitleForm) -> None:
    path = tmp_path / f"talk.{form}"
    written(path, form, *TWO)
    found = read_back(path)
    assert [text for _, _, text in found] == ["Olá.", "Uma hora depois."]
    (start, end, _), (later, _, _) = found
    assert start == pytest.approx(1.0, abs=0.011)
    assert later == pytest.approx(3661.5, abs=0.011)
    assert start < end <= 3.0 + 0.011


@pytest.mark.parametrize("form", FORMS)
def test_after_ten_hours_the_times_go_on(tmp_path: Path, form: SubtitleForm) -> None:
    path = tmp_path / f"day.{form}"
    written(path, form, caption(0, 43_201.5, 43_203.0, en="Noon.", pt="Meio-dia."))
    ((start, end, _),) = read_back(path)
    assert [start, end] == pytest.approx([43_201.5, 43_203.0], abs=0.011)


STAMP = re.compile(r"(\d+):([0-5]\d):([0-5]\d)[.,](\d{2,3})")


@examples(40)
@given(
    starts=st.lists(
        st.floats(0, 200) | st.integers(0, 200_000).map(lambda ms: ms / 1000 - 0.0004), max_size=6
    ),
    from_s=st.sampled_from([0.0, 58.9, 3599.0, 35_990.0]),
    form=st.sampled_from(FORMS),
)
def test_milliseconds_roll_over_and_no_cue_begins_before_the_one_before_it_ends(
    starts: list[float], from_s: float, form: SubtitleForm
) -> None:
    places = [from_s + max(0.0, start) for start in sorted(starts)]
    ends = [*places[1:], places[-1] + 2] if places else []
    events = [caption(*each, en="No.", pt="Não.") for each in zip(range(9), places, ends, strict=False)]
    found = STAMP.findall(as_text(events, form, "target"))
    times = [3600 * int(h) + 60 * int(m) + int(s) + float(f"0.{part}") for h, m, s, part in found]
    assert times == sorted(times)
    assert times[::2] == pytest.approx(places, abs=0.0051 if form == "ass" else 0.00051)


def test_a_tag_is_shown_as_it_was_said(tmp_path: Path) -> None:
    said = "<b>bold</b> <i> 3 < 4 <!-- <3 < u>"
    written(tmp_path / "talk.srt", "srt", caption(0, 1.0, 3.0, en="x", pt=said))
    ((_, _, text),) = read_back(tmp_path / "talk.srt")
    assert text == said.replace("<", "‹")


def test_srt_is_as_players_want_it(tmp_path: Path) -> None:
    text = written(tmp_path / "talk.srt", "srt", *TWO)
    assert text.startswith("1\n00:00:01,000 --> 00:00:03,000\nOlá.\n\n2\n01:01:01,500 --> ")
    assert text.endswith("\n")


def test_vtt_begins_with_its_name_and_hides_markup(tmp_path: Path) -> None:
    odd = caption(0, 0, 2, en="a < b & c --> d", pt="a < b & c --> d")
    text = written(tmp_path / "talk.vtt", "vtt", odd)
    assert text.startswith("WEBVTT\n\n1\n00:00:00.000 --> ")
    assert "a &lt; b &amp; c --&gt; d" in text
    assert [cue for _, _, cue in read_back(tmp_path / "talk.vtt")] == ["a < b & c --> d"]


@pytest.mark.parametrize("form", FORMS)
def test_text_is_never_taken_for_markup(tmp_path: Path, form: SubtitleForm) -> None:
    path = tmp_path / f"odd.{form}"
    written(path, form, caption(0, 0, 2, en="x", pt=r"{\b1} --> \N 1"), caption(1, 4, 6, en="y", pt="dois"))
    found = read_back(path)
    assert len(found) == 2
    assert "\n" not in found[0][2]
    assert found[1][2] == "dois"


@pytest.mark.parametrize("form", FORMS)
def test_a_file_is_valid_before_anything_is_said(tmp_path: Path, form: SubtitleForm) -> None:
    path = tmp_path / f"talk.{form}"
    sink = SubtitleSink(TextOutput.to_path(str(path)), form, "target")
    text = path.read_text("utf-8")
    assert {"srt": "", "vtt": "WEBVTT\n\n"}.get(form, text) == text
    if form == "ass":
        assert "[Events]" in text
        assert re.search(r"^Format: .*Text$", text, re.MULTILINE)
    sink.close()


@pytest.mark.parametrize("form", FORMS)
def test_what_stands_there_is_valid_after_each_caption(tmp_path: Path, form: SubtitleForm) -> None:
    path = tmp_path / f"talk.{form}"
    sink = SubtitleSink(TextOutput.to_path(str(path)), form, "target")
    for number in range(5):
        sink.write(caption(number, 2.0 * number, 2.0 * number + 2, en="x", pt=f"frase {number}"))
        copy = tmp_path / f"copy{number}.{form}"
        copy.write_bytes(path.read_bytes())
        assert [text for _, _, text in read_back(copy)] == [f"frase {n}" for n in range(number + 1)]
    sink.close()


def test_source_target_and_both_are_shown_as_asked(tmp_path: Path) -> None:
    event = caption(0, 0, 4, en="Hello there.", pt="Olá.", es="Hola.")
    shows: dict[Show, str] = {"source": "Hello there.", "target": "Olá.", "both": "Hello there.\nOlá."}
    for show, expected in shows.items():
        written(tmp_path / "t.srt", "srt", event, show=show)
        assert [text for _, _, text in read_back(tmp_path / "t.srt")] == [expected]
    written(tmp_path / "t.srt", "srt", event, language="es")
    assert [text for _, _, text in read_back(tmp_path / "t.srt")] == ["Hola."]
    written(tmp_path / "t.srt", "srt", event, language="en")
    assert [text for _, _, text in read_back(tmp_path / "t.srt")] == ["Hello there."]


def test_source_text_never_stands_for_a_translation_that_failed(tmp_path: Path) -> None:
    failed = Caption(0, 0, 4, "en", {"en": "Hello."}, TIMING, None, None, errors={"pt": "no answer"})
    assert written(tmp_path / "t.srt", "srt", failed) == ""
    assert "Hello." in written(tmp_path / "t.srt", "srt", failed, show="both")


def test_speech_in_the_target_language_is_shown_as_it_is(tmp_path: Path) -> None:
    plain = Caption(0, 0, 4, "en", {"en": "Hello."}, TIMING, None, None)
    assert "Hello." in written(tmp_path / "t.srt", "srt", plain)


def test_cues_are_timed_by_words(tmp_path: Path) -> None:
    words = (Word("Hello", 0.5, 0.8), Word("there.", 0.9, 1.4), Word("Goodbye.", 6.0, 6.6))
    event = Caption(0, 0, 8, "en", {"en": "Hello there. Goodbye."}, TIMING, None, None, words=words)
    written(tmp_path / "t.srt", "srt", event, show="source")
    found = read_back(tmp_path / "t.srt")
    assert [(round(start, 2), text) for start, _, text in found] == [(0.5, "Hello there."), (6.0, "Goodbye.")]
