"""What settings come to where the machine or the pace decides."""

from __future__ import annotations

from decalage.app.settings import Settings
from decalage.config import UNHURRIED, SegmenterOptions


def test_at_speaking_pace_utterances_end_as_a_listener_needs_it() -> None:
    assert Settings(pace="realtime").segmenter_options() == SegmenterOptions()


def test_a_file_at_full_speed_is_cut_where_sentences_end() -> None:
    assert Settings(pace="max").segmenter_options() == UNHURRIED


def test_a_time_that_is_given_stands_and_the_rest_is_as_when_live() -> None:
    live = SegmenterOptions()
    given = Settings(pace="max", end_silence_s=0.2).segmenter_options()
    assert (given.end_silence_s, given.post_roll_s, given.pre_roll_s) == (0.2, 0.2, live.pre_roll_s)
    given = Settings(pace="max", max_utterance_s=20.0).segmenter_options()
    assert (given.end_silence_s, given.max_utterance_s) == (live.end_silence_s, 20.0)
