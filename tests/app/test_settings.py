"""What settings come to where the machine or the pace decides."""

from __future__ import annotations

from dataclasses import replace

from decalage.app.settings import Settings
from decalage.config import (
    FORESEEN_FINISHED_S,
    FORESEEN_OPEN_S,
    SKETCH_EVERY_S,
    UNHURRIED,
    SegmenterOptions,
)

LIVE = Settings(pace="realtime")


def test_at_speaking_pace_utterances_end_as_a_listener_needs_it_and_are_foreseen() -> None:
    live = SegmenterOptions()
    foreseen = LIVE.segmenter_options()
    assert foreseen == replace(
        live,
        pause_s=live.post_roll_s,
        revise_s=SKETCH_EVERY_S,
        finished_silence_s=FORESEEN_FINISHED_S,
        open_silence_s=FORESEEN_OPEN_S,
        clauses=True,
    )
    assert LIVE.stream_options().partials


def test_partials_and_speculation_can_be_done_without() -> None:
    quiet = replace(LIVE, partials=False)
    assert quiet.segmenter_options() == replace(LIVE.segmenter_options(), revise_s=None, clauses=False)
    assert not quiet.stream_options().partials
    assert replace(quiet, speculate=False).segmenter_options() == SegmenterOptions()


def test_in_reading_no_sentence_ends_after_words_of_the_next_were_shown() -> None:
    reading = replace(LIVE, stability="reading").segmenter_options()
    assert reading == replace(LIVE.segmenter_options(), clauses=False)


def test_an_end_silence_that_is_given_stands_whatever_the_text_says() -> None:
    given = replace(LIVE, end_silence_s=0.3).segmenter_options()
    assert (given.finished_silence_s, given.open_silence_s, given.pause_s) == (None, None, 0.2)


def test_a_file_at_full_speed_is_cut_where_sentences_end() -> None:
    assert Settings(pace="max").segmenter_options() == UNHURRIED
    grown = Settings(pace="max", partials=True).segmenter_options()
    assert grown == replace(UNHURRIED, revise_s=SKETCH_EVERY_S)


def test_a_time_that_is_given_stands_and_the_rest_is_as_when_live() -> None:
    live = SegmenterOptions()
    given = Settings(pace="max", end_silence_s=0.2).segmenter_options()
    assert (given.end_silence_s, given.post_roll_s, given.pre_roll_s) == (0.2, 0.2, live.pre_roll_s)
    given = Settings(pace="max", max_utterance_s=20.0).segmenter_options()
    assert (given.end_silence_s, given.max_utterance_s) == (live.end_silence_s, 20.0)
