"""What settings come to where the machine or the pace decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from decalage.app.settings import MAX_LAG_S, Settings, overcommitted
from decalage.config import (
    FORESEEN_FINISHED_S,
    FORESEEN_OPEN_S,
    SKETCH_EVERY_S,
    UNHURRIED,
    SegmenterOptions,
)
from decalage.errors import UsageError

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


def test_when_live_all_speech_is_kept_and_at_full_speed_the_reader_waits() -> None:
    assert LIVE.stream_options().overload == "degrade"
    assert Settings().stream_options().overload == "block"
    assert Settings(overload="drop-oldest", max_lag_s=8).stream_options().overload == "block"
    assert LIVE.stream_options().max_lag_s == MAX_LAG_S


def test_utterances_are_short_enough_for_the_lag_that_is_asked_for() -> None:
    drops = replace(LIVE, overload="drop-oldest")
    longest = {
        lag: replace(drops, max_lag_s=lag).segmenter_options().max_utterance_s for lag in (5.0, 20.0, 90.0)
    }
    assert longest == {5.0: 4.0, 20.0: 8.0, 90.0: SegmenterOptions().max_utterance_s}
    assert replace(drops, max_utterance_s=12).segmenter_options().max_utterance_s == 12


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (replace(LIVE, overload="block"), "--overload block is for --pace max"),
        (replace(LIVE, max_lag_s=8), "--max-lag goes with --overload drop-oldest"),
    ],
)
def test_what_contradicts_itself_is_refused(settings: Settings, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        settings.stream_options()


def test_the_cores_of_a_cluster_are_not_those_of_this_machine() -> None:
    many = Settings(runtime="ray", workers=64, threads=4)
    assert overcommitted(many) is not None
    assert overcommitted(replace(many, address="auto")) is None


def test_a_stream_knows_whether_there_is_a_smaller_model() -> None:
    assert replace(LIVE, fallback_model="tiny.en").stream_options().lighter
    assert not LIVE.stream_options().lighter
