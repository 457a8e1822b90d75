"""The end of a run in a few lines: what was measured and nothing that was not."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from decalage.events import Spread, Summary
from decalage.sinks.summary import print_summary
from tests.sinks.events import SUMMARY

SPREAD = Spread(mean=1.2, p50=1.1, p95=2.0, max=2.4)


def printed(summary: Summary) -> str:
    stream = StringIO()
    print_summary(summary, stream)
    return stream.getvalue()


def test_what_was_not_measured_is_left_out() -> None:
    text = printed(replace(SUMMARY, rtf=None))
    for name in ("lag", "latency", "speed", "damaged", "None", "failed", "gaps"):
        assert name not in text
    assert "60.0 s in 12.0 s: 3 captions, 1 no speech" in text


def test_what_was_measured_is_told() -> None:
    text = printed(replace(SUMMARY, lag=SPREAD, latency=SPREAD, failures=2, damaged="the file ends early"))
    assert "mean 1.20 s, median 1.10" in text
    assert "5.0 × real time" in text
    assert "2 failed" in text
    assert "the file ends early" in text
    assert text.index("lag") < text.index("latency") < text.index("speed")


def test_what_was_given_up_and_what_does_not_add_up_are_told() -> None:
    text = printed(
        replace(
            SUMMARY, shed_s={"partials": 61.4, "beam": 2.0}, dropped_s=7.5, spilled_s=90.0, breach="ten lost"
        )
    )
    assert "given up: partials for 61 s, beam for 2 s, 7.5 s of sound" in text
    assert "up to 90 s of sound waited there" in text
    assert "samples do not add up: ten lost" in text
    assert not any(name in printed(SUMMARY) for name in ("given up", "disk", "defect"))


def test_a_run_of_no_sound_is_told_without_a_speed() -> None:
    text = printed(replace(SUMMARY, audio_s=0.0, rtf=0.0, captions=0, rejected=0))
    assert "speed" not in text
    assert "0 captions" in text


def test_one_caption_is_no_plural_and_no_utterance_is_no_speech() -> None:
    assert ": 1 caption" in printed(replace(SUMMARY, captions=1, rejected=0)).rstrip()
    assert "captions" not in printed(replace(SUMMARY, captions=1, rejected=0))
    assert "1 gap\n" in printed(replace(SUMMARY, rejected=0, gaps=1))
    assert "2 gaps\n" in printed(replace(SUMMARY, rejected=0, gaps=2))
    assert "no speech was found" in printed(replace(SUMMARY, utterances=0, captions=0, rejected=0))


def test_lines_in_a_pipe_end_with_their_text() -> None:
    assert all(line == line.rstrip() for line in printed(replace(SUMMARY, lag=SPREAD)).splitlines())


def test_a_stream_that_is_no_terminal_gets_no_control_codes() -> None:
    assert "\x1b" not in printed(replace(SUMMARY, lag=SPREAD))
