"""The segmenter on scripted probabilities: no model, no sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.audio import AudioChunk, Samples, seconds
from decalage.config import SegmenterOptions
from decalage.contracts import Segmenter
from decalage.errors import StreamFinishedError, UsageError
from decalage.speech import Activity, Cut, MissingSound, Segment, Transcript, Utterance
from decalage.stages.frames import Frame, quietest
from decalage.stages.lengths import Lengths
from decalage.stages.segmenter import VadSegmenter
from tests.properties import examples

FRAME = 512
OPTIONS = SegmenterOptions(
    end_silence_s=8 * 0.032,
    min_speech_s=0.1,
    pre_roll_s=4 * 0.032,
    post_roll_s=3 * 0.032,
    max_utterance_s=3.2,
)
"""In frames: end silence 8, pre-roll 4, post-roll 3, cap 100; 4 frames make speech."""


class Script:
    """A detector that says what it was told, frame by frame, then silence; keeps what it heard."""

    frame_samples = FRAME

    def __init__(self, probabilities: Sequence[float]) -> None:
        self._left = list(probabilities)
        self.heard: list[Samples] = []

    def probability(self, frame: Samples) -> float:
        self.heard.append(frame.copy())
        return self._left.pop(0) if self._left else 0.0


def script(*runs: tuple[int, float]) -> list[float]:
    return [probability for frames, probability in runs for _ in range(frames)]


def ramp(length: int) -> Samples:
    """Each sample is its own number, exact in float32 up to 2²⁴: a lost or doubled one shows."""
    return np.arange(length, dtype=np.float32)


def cut(
    probabilities: Sequence[float],
    samples: Samples | None = None,
    sizes: Sequence[int] = (),
    options: SegmenterOptions = OPTIONS,
) -> tuple[list[Segment], VadSegmenter]:
    """Feed everything, in chunks of ``sizes`` and then the rest, and finish."""
    sound = ramp(len(probabilities) * FRAME) if samples is None else samples
    segmenter = VadSegmenter("s", Script(probabilities), options)
    cuts: list[Cut] = []
    first = 0
    for size in [*sizes, len(sound)]:
        piece = sound[first : first + size]
        cuts += segmenter.feed(AudioChunk(first, piece))
        first += len(piece)
    return segments_of(cuts + segmenter.finish()), segmenter


def segments_of(cuts: Sequence[Cut]) -> list[Segment]:
    return [cut for cut in cuts if not isinstance(cut, Activity)]


def utterances(segments: Sequence[Cut]) -> list[Utterance]:
    return [segment for segment in segments if isinstance(segment, Utterance)]


def frames_of(segment: Segment) -> tuple[float, float]:
    length = len(segment.samples) if isinstance(segment, Utterance) else segment.length
    return segment.first / FRAME, (segment.first + length) / FRAME


def assert_partition(cuts: Sequence[Cut], segmenter: VadSegmenter, sound: Samples) -> None:
    """Utterances hold the very samples of their place, in order, apart, and the counts add up."""
    segments = segments_of(cuts)
    end = 0
    for number, segment in enumerate(segments):
        assert segment.index == number
        assert segment.first >= end
        if isinstance(segment, Utterance):
            end = segment.first + len(segment.samples)
            np.testing.assert_array_equal(segment.samples, sound[segment.first : end])
            assert segment.start < segment.speech_end <= segment.end
        else:
            end = segment.first + segment.length
    counts = segmenter.statistics()
    assert counts.held == 0
    assert counts.in_utterances == sum(len(u.samples) for u in utterances(segments))
    assert counts.samples_in == counts.in_utterances + counts.non_speech + counts.missed
    assert counts.utterances == len(utterances(segments))


def test_it_is_a_segmenter() -> None:
    segmenter: Segmenter = VadSegmenter("s", Script([]))
    assert segmenter.finish() == []


def test_speech_gets_pre_roll_and_post_roll() -> None:
    segments, segmenter = cut(script((20, 0.0), (10, 0.9), (20, 0.0)))
    assert [frames_of(s) for s in segments] == [(16, 33)]
    (utterance,) = utterances(segments)
    assert utterance.speech_end == seconds(30 * FRAME)
    assert (utterance.stream, utterance.index, utterance.revision, utterance.final) == ("s", 0, 0, True)
    assert_partition(segments, segmenter, ramp(50 * FRAME))


def test_the_utterance_comes_with_the_frame_that_completes_end_silence() -> None:
    segmenter = VadSegmenter("s", Script(script((10, 0.9), (20, 0.0))), OPTIONS)
    assert segmenter.feed(AudioChunk(0, ramp(18 * FRAME - 1))) == []
    assert len(segmenter.feed(AudioChunk(18 * FRAME - 1, ramp(1)))) == 1


def test_speech_at_sample_zero_is_kept() -> None:
    segments, _ = cut(script((10, 0.9), (20, 0.0)))
    assert [frames_of(s) for s in segments] == [(0, 13)]


def test_speech_after_long_silence_keeps_its_pre_roll() -> None:
    segments, segmenter = cut(script((938, 0.0), (10, 0.9), (9, 0.0)))
    assert [frames_of(s) for s in segments] == [(934, 951)]
    assert segmenter.statistics().non_speech == (934 + 6) * FRAME


def test_pre_roll_never_reaches_into_the_utterance_before() -> None:
    options = replace(OPTIONS, pre_roll_s=0.5, post_roll_s=1.0)
    segments, _ = cut(script((10, 0.9), (8, 0.0), (10, 0.9), (9, 0.0)), options=options)
    assert [frames_of(s) for s in segments] == [(0, 18), (18, 36)]


def test_a_pause_shorter_than_end_silence_does_not_cut() -> None:
    segments, _ = cut(script((10, 0.9), (7, 0.0), (10, 0.9), (9, 0.0)))
    assert [frames_of(s) for s in segments] == [(0, 30)]


def test_doubtful_frames_carry_speech_on_but_do_not_begin_it() -> None:
    doubt = 0.4
    segments, _ = cut(script((10, doubt), (10, 0.9), (30, doubt), (9, 0.0), (10, doubt)))
    assert [frames_of(s) for s in segments] == [(6, 53)]


def test_doubtful_frames_after_silence_do_not_hold_the_utterance_open() -> None:
    segments, _ = cut(script((10, 0.9), (1, 0.0), (30, 0.4)))
    assert [frames_of(s) for s in segments] == [(0, 13)]


@pytest.mark.parametrize(("burst", "found"), [(3, 0), (4, 1)])
def test_min_speech_parts_a_click_from_a_short_word(burst: int, found: int) -> None:
    segments, segmenter = cut(script((10, 0.0), (burst, 0.9), (20, 0.0)))
    assert len(segments) == found
    assert_partition(segments, segmenter, ramp((30 + burst) * FRAME))


def test_clicks_in_a_row_do_not_add_up_to_speech() -> None:
    segments, segmenter = cut(script((10, 0.0), *[(3, 0.9), (2, 0.0)] * 50))
    assert segments == []
    assert segmenter.statistics().held_peak <= (4 + 4) * FRAME


def test_the_last_word_is_kept_when_sound_ends_50_ms_after_it() -> None:
    sound = ramp(20 * FRAME + 800)
    segments, segmenter = cut(script((10, 0.0), (10, 0.9), (2, 0.0)), sound)
    (utterance,) = utterances(segments)
    assert utterance.first + len(utterance.samples) == len(sound)
    assert utterance.speech_end == seconds(20 * FRAME)
    assert_partition(segments, segmenter, sound)


def test_sound_that_ends_within_a_word_and_a_frame_is_kept_whole() -> None:
    sound = ramp(10 * FRAME + 37)
    segments, segmenter = cut(script((20, 0.9)), sound)
    (utterance,) = utterances(segments)
    assert (utterance.first, len(utterance.samples)) == (0, len(sound))
    assert utterance.speech_end == utterance.end == seconds(len(sound))
    assert_partition(segments, segmenter, sound)


def test_the_detector_hears_a_partial_frame_padded_with_silence() -> None:
    detector = Script([])
    segmenter = VadSegmenter("s", detector, OPTIONS)
    segmenter.feed(AudioChunk(0, np.ones(FRAME + 5, dtype=np.float32)))
    segmenter.finish()
    assert [frame.shape for frame in detector.heard] == [(FRAME,), (FRAME,)]
    assert detector.heard[1].sum() == 5


def test_silence_alone_gives_nothing_and_holds_no_more_than_the_pre_roll() -> None:
    segments, segmenter = cut(script((2000, 0.1)), sizes=[700] * 1400)
    counts = segmenter.statistics()
    assert segments == []
    assert counts.held_peak <= (4 + 1) * FRAME
    assert (counts.samples_in, counts.non_speech) == (2000 * FRAME, 2000 * FRAME)


def test_no_sound_at_all_gives_nothing() -> None:
    segments, segmenter = cut([], ramp(0))
    assert segments == []
    assert segmenter.statistics().samples_in == 0


def test_unbroken_speech_is_cut_at_the_cap_without_loss() -> None:
    sound = ramp(1000 * FRAME)
    segments, segmenter = cut(script((1000, 0.9)), sound)
    found = utterances(segments)
    assert len(found) >= 10
    assert max(len(u.samples) for u in found) <= 100 * FRAME
    np.testing.assert_array_equal(np.concatenate([u.samples for u in found]), sound)
    assert segmenter.statistics().cuts == len(found) - 1
    assert segmenter.statistics().held_peak == 100 * FRAME
    assert_partition(segments, segmenter, sound)


def test_the_cap_cuts_at_the_quietest_point_of_the_last_part() -> None:
    noise = np.random.default_rng(1)
    sound = noise.normal(0, 0.1, 150 * FRAME).astype(np.float32)
    sound[30 * FRAME : 35 * FRAME] *= 0.001  # quieter still, but too early
    sound[85 * FRAME : 90 * FRAME] *= 0.01
    segments, segmenter = cut(script((150, 0.9)), sound)
    assert [frames_of(s) for s in segments] == [(0, 88), (88, 150)]
    assert_partition(segments, segmenter, sound)


def test_the_cap_cuts_at_the_least_probable_point_when_all_is_equally_loud() -> None:
    sound = np.random.default_rng(1).normal(0, 0.1, 150 * FRAME).astype(np.float32)
    segments, _ = cut(script((85, 0.95), (2, 0.1), (63, 0.95)), sound)
    assert frames_of(segments[0]) == (0, 88)


def test_short_speech_after_a_cut_is_kept_though_shorter_than_min_speech() -> None:
    sound = np.random.default_rng(1).normal(0, 0.1, 120 * FRAME).astype(np.float32)
    sound[96 * FRAME : 99 * FRAME] *= 0.001
    segments, segmenter = cut(script((96, 0.9), (3, 0.0), (2, 0.9), (19, 0.0)), sound)
    assert len(utterances(segments)) == 2
    assert_partition(segments, segmenter, sound)


def test_an_utterance_owns_its_samples() -> None:
    reused = np.zeros(FRAME, dtype=np.float32)
    segmenter = VadSegmenter("s", Script(script((10, 0.9))), OPTIONS)
    for number in range(10):
        reused[:] = number
        segmenter.feed(AudioChunk(number * FRAME, reused))
    (utterance,) = utterances(segmenter.finish())
    assert utterance.samples.base is None
    assert utterance.samples.dtype == np.float32
    assert utterance.samples.flags.c_contiguous
    np.testing.assert_array_equal(utterance.samples, np.repeat(np.arange(10, dtype=np.float32), FRAME))


@pytest.mark.parametrize("captured", [True, False])
def test_missing_sound_closes_what_is_open_and_takes_the_next_index(captured: bool) -> None:
    segmenter = VadSegmenter("s", Script(script((30, 0.9))), OPTIONS)
    assert segmenter.feed(AudioChunk(0, ramp(10 * FRAME + 100))) == []
    segments = segmenter.miss(10 * FRAME + 100, 16_000, captured=captured)
    position = 10 * FRAME + 100 + 16_000
    segments += segmenter.feed(AudioChunk(position, ramp(position + 10 * FRAME)[position:]))
    segments += segmenter.finish()
    before, gap, after = segments_of(segments)
    assert isinstance(before, Utterance)
    assert before.end == gap.start == seconds(10 * FRAME + 100)
    assert gap == MissingSound(
        "s", 1, 10 * FRAME + 100, 16_000, "overload" if captured else "device", captured
    )
    assert isinstance(after, Utterance)
    assert (after.index, after.first, len(after.samples)) == (2, position, 10 * FRAME)
    counts = segmenter.statistics()
    assert (counts.missed, counts.uncaptured) == ((16_000, 0) if captured else (0, 16_000))
    assert_partition(segments_of(segments), segmenter, ramp(position + 10 * FRAME))


def test_missing_sound_in_silence_is_a_gap_alone() -> None:
    segmenter = VadSegmenter("s", Script([]), OPTIONS)
    segmenter.feed(AudioChunk(0, ramp(2000)))
    (gap,) = segmenter.miss(2000, 10, captured=False)
    assert isinstance(gap, MissingSound)
    assert gap.index == 0
    assert segmenter.statistics().non_speech == 2000


def test_bursts_on_both_sides_of_missing_sound_do_not_add_up_to_speech() -> None:
    segmenter = VadSegmenter("s", Script(script((3, 0.9), (3, 0.9))), OPTIONS)
    segmenter.feed(AudioChunk(0, ramp(3 * FRAME)))
    assert len(segmenter.miss(3 * FRAME, FRAME, captured=False)) == 1
    assert segmenter.feed(AudioChunk(4 * FRAME, ramp(30 * FRAME))) == []
    assert segmenter.finish() == []


def test_a_hole_or_an_overlap_is_refused() -> None:
    segmenter = VadSegmenter("s", Script([]), OPTIONS)
    segmenter.feed(AudioChunk(0, ramp(100)))
    with pytest.raises(ValueError, match="where 100 is the next"):
        segmenter.feed(AudioChunk(101, ramp(10)))
    with pytest.raises(ValueError, match="where 100 is the next"):
        segmenter.miss(99, 10, captured=True)
    with pytest.raises(ValueError, match="missing sound of 0"):
        segmenter.miss(100, 0, captured=True)


def test_finish_is_idempotent_and_the_end() -> None:
    segmenter = VadSegmenter("s", Script(script((10, 0.9))), OPTIONS)
    segmenter.feed(AudioChunk(0, ramp(10 * FRAME)))
    assert len(segmenter.finish()) == 1
    assert segmenter.finish() == []
    with pytest.raises(StreamFinishedError):
        segmenter.feed(AudioChunk(10 * FRAME, ramp(1)))


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": 0.3, "release": 0.4},
        {"release": 0.0},
        {"end_silence_s": 0.0},
        {"pre_roll_s": -0.1},
        {"max_utterance_s": 1.0},
        {"max_utterance_s": float("nan")},
        {"pause_s": float("inf")},
        {"pause_s": 0.1, "post_roll_s": 0.2},
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"needed|negative"):
        replace(SegmenterOptions(), **options)  # type: ignore[arg-type]


def test_quietest_takes_the_last_of_equals_that_have_both_neighbours() -> None:
    frame = Frame(np.zeros(FRAME, dtype=np.float32), 0.9, True)
    assert quietest([frame] * 10, 4) == 7
    assert quietest([frame] * 10, 9) == 9
    assert quietest([frame], 0) == 0
    with pytest.raises(ValueError, match="no frame from 10"):
        quietest([frame] * 10, 10)


def test_level_of_a_frame_ignores_its_constant_part() -> None:
    tone = np.sin(np.arange(FRAME) * np.pi / 8).astype(np.float32)
    level = Frame(tone, 0.0, False).level_db
    assert level == pytest.approx(-3.01, abs=0.01)
    assert Frame(tone + np.float32(0.5), 0.0, False).level_db == pytest.approx(level, abs=0.01)
    assert Frame(np.full(FRAME, 0.3, dtype=np.float32), 0.0, False).level_db == -100


PROBABILITIES = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.95])), max_size=12
).map(lambda runs: script(*runs))
SETTINGS = st.builds(
    SegmenterOptions,
    end_silence_s=st.floats(0.04, 0.8),
    min_speech_s=st.floats(0, 0.3),
    pre_roll_s=st.floats(0, 0.5),
    post_roll_s=st.floats(0, 1.0),
    max_utterance_s=st.floats(3.5, 6.0),
)


@examples(150)
@given(
    PROBABILITIES,
    SETTINGS,
    st.integers(0, FRAME - 1),
    st.lists(st.integers(0, 5000), max_size=40),
    st.integers(0, 99),
)
def test_segments_do_not_depend_on_the_chunks_and_part_the_sound_exactly(
    probabilities: list[float], options: SegmenterOptions, tail: int, sizes: list[int], seed: int
) -> None:
    sound = np.random.default_rng(seed).normal(0, 0.1, len(probabilities) * FRAME + tail).astype(np.float32)
    whole, one = cut(probabilities, sound, options=options)
    pieces, many = cut(probabilities, sound, sizes, options)
    assert_partition(whole, one, sound)
    assert [(s.index, s.first, s.end) for s in whole] == [(s.index, s.first, s.end) for s in pieces]
    assert [u.speech_end for u in utterances(whole)] == [u.speech_end for u in utterances(pieces)]
    assert one.statistics() == many.statistics()
    assert all(u.duration <= options.max_utterance_s for u in utterances(whole))


@examples(80)
@given(
    PROBABILITIES,
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 9000), st.booleans()), max_size=5),
)
def test_any_missing_sound_leaves_the_partition_exact(
    probabilities: list[float], losses: list[tuple[int, int, bool]]
) -> None:
    segmenter = VadSegmenter("s", Script(probabilities), OPTIONS)
    sound = ramp(200_000)
    position, segments = 0, list[Cut]()
    for fed, lost, captured in losses:
        segments += segmenter.feed(AudioChunk(position, sound[position : position + fed]))
        segments += segmenter.miss(position + fed, lost, captured=captured)
        position += fed + lost
    segments += segmenter.feed(AudioChunk(position, sound[position:])) + segmenter.finish()
    assert_partition(segments, segmenter, sound)
    counts = segmenter.statistics()
    assert counts.samples_in + counts.uncaptured == len(sound)
    assert counts.missed == sum(lost for _, lost, captured in losses if captured)


def test_the_longer_an_utterance_the_shorter_the_pause_that_ends_it() -> None:
    lengths = Lengths.of(SegmenterOptions(end_silence_s=0.5, patient_s=5.0, max_utterance_s=15.0), 512)
    waits = [lengths.silence_after(frames, "unclear") for frames in range(lengths.cap + 1)]
    assert set(waits[: lengths.patient + 1]) == {lengths.end_silence}
    assert waits == sorted(waits, reverse=True)
    assert waits[-1] == round(lengths.end_silence * 0.15)


FORESEEING = replace(
    OPTIONS,
    pause_s=3 * 0.032,
    revise_s=10 * 0.032,
    finished_silence_s=4 * 0.032,
    open_silence_s=12 * 0.032,
)
"""A pause of 3 frames, a sketch each 10 of speech, 4 of silence after a sentence, 12 inside one."""


def revisions(segments: list[Cut]) -> list[tuple[int, int, int, str]]:
    """Index, revision, frames and kind of each utterance."""
    return [
        (
            s.index,
            s.revision,
            len(s.samples) // FRAME,
            "final" if s.final else "pause" if s.paused else "sketch",
        )
        for s in segments
        if isinstance(s, Utterance)
    ]


def test_provisional_utterances_rise_to_the_final_one_whose_sound_the_pause_foresees() -> None:
    segmenter = VadSegmenter("s", Script(script((22, 0.9), (8, 0.0), (6, 0.9), (9, 0.0))), FORESEEING)
    segments = segmenter.feed(AudioChunk(0, ramp(45 * FRAME))) + segmenter.finish()
    assert revisions(segments) == [
        (0, 0, 10, "sketch"),
        (0, 1, 20, "sketch"),
        (0, 2, 25, "pause"),
        (0, 3, 25, "final"),
        (1, 0, 13, "pause"),
        (1, 1, 13, "final"),
    ]
    pause, final = segments[2], segments[3]
    assert isinstance(pause, Utterance)
    assert isinstance(final, Utterance)
    assert (pause.first, pause.speech_end) == (final.first, final.speech_end)
    assert np.array_equal(pause.samples, final.samples)


def test_speech_that_goes_on_after_a_pause_stays_one_utterance() -> None:
    segmenter = VadSegmenter("s", Script(script((6, 0.9), (5, 0.0), (6, 0.9))), FORESEEING)
    segments = segmenter.feed(AudioChunk(0, ramp(17 * FRAME))) + segmenter.finish()
    assert revisions(segments) == [(0, 0, 9, "pause"), (0, 1, 17, "final")]


@pytest.mark.parametrize(
    ("text", "silence"), [("It is so.", 4), ("It is so and", 12), ("It is the.", 12), ("...", 8)]
)
def test_the_text_of_a_pause_says_how_long_to_wait(text: str, silence: int) -> None:
    segmenter = VadSegmenter("s", Script(script((8, 0.9))), FORESEEING)
    (pause,) = segmenter.feed(AudioChunk(0, ramp(11 * FRAME)))
    assert isinstance(pause, Utterance)
    segmenter.hint(pause.index, 0, Transcript(text, "en"))
    waited = 3
    while not segmenter.feed(AudioChunk((8 + waited) * FRAME, ramp(FRAME))):
        waited += 1
    assert waited + 1 == silence


def test_a_hint_that_comes_late_counts_for_nothing() -> None:
    segmenter = VadSegmenter("s", Script(script((8, 0.9), (3, 0.0), (5, 0.9))), FORESEEING)
    segmenter.feed(AudioChunk(0, ramp(16 * FRAME)))
    segmenter.hint(0, 0, Transcript("It is so.", "en"))  # speech has gone on
    segmenter.hint(1, 0, Transcript("It is so.", "en"))  # nobody knows of that yet
    (pause,) = segmenter.feed(AudioChunk(16 * FRAME, ramp(3 * FRAME)))
    segmenter.hint(0, 0, Transcript("It is so.", "en"))  # about the pause before
    assert revisions([pause]) == [(0, 1, 19, "pause")]
    assert segmenter.feed(AudioChunk(19 * FRAME, ramp(4 * FRAME))) == []
    assert len(segmenter.feed(AudioChunk(23 * FRAME, ramp(FRAME)))) == 1


def test_what_was_heard_before_the_pause_does_not_say_how_long_to_wait() -> None:
    segmenter = VadSegmenter("s", Script(script((12, 0.9))), FORESEEING)
    (sketch,) = utterances(segmenter.feed(AudioChunk(0, ramp(14 * FRAME))))
    segmenter.hint(sketch.index, sketch.revision, Transcript("It is the", "en"))
    assert len(segmenter.feed(AudioChunk(14 * FRAME, ramp(6 * FRAME)))) == 2  # pause and final: 8 of silence


CLAUSES = replace(FORESEEING, clauses=True)


def told(options: SegmenterOptions, text: str, after: str) -> list[tuple[int, int, int, str]]:
    """What comes of ``text``, a pause, speech that goes on, and a sketch that says ``after``."""
    segmenter = VadSegmenter("s", Script(script((16, 0.9), (5, 0.0), (30, 0.9))), options)
    first = segmenter.feed(AudioChunk(0, ramp(33 * FRAME)))
    pause, sketch = utterances(first)[-2:]
    assert (pause.paused, sketch.paused) == (True, False)
    segmenter.hint(0, pause.revision, Transcript(text, "en"))
    segmenter.hint(0, sketch.revision, Transcript(after, "en"))
    rest = segmenter.feed(AudioChunk(33 * FRAME, ramp(18 * FRAME))) + segmenter.finish()
    statistics = segmenter.statistics()
    assert statistics.samples_in == statistics.in_utterances + statistics.non_speech
    return revisions([s for s in rest if isinstance(s, Utterance) and s.final])


def test_an_utterance_ends_at_the_pause_that_what_follows_shows_to_end_a_sentence() -> None:
    assert told(CLAUSES, "It is so.", "It is so. And then") == [(0, 3, 19, "final"), (1, 2, 32, "final")]


def test_it_goes_on_where_the_sentence_does_or_nobody_asked() -> None:
    whole = [(0, 5, 51, "final")]
    assert told(CLAUSES, "It is so.", "It is so and then") == whole
    assert told(FORESEEING, "It is so.", "It is so. And then") == whole


def test_a_sentence_that_is_told_late_goes_on() -> None:
    segmenter = VadSegmenter("s", Script(script((16, 0.9), (5, 0.0), (60, 0.9))), CLAUSES)
    pause = utterances(segmenter.feed(AudioChunk(0, ramp(20 * FRAME))))[-1]
    sketch = utterances(segmenter.feed(AudioChunk(20 * FRAME, ramp(32 * FRAME))))[-1]
    segmenter.hint(0, pause.revision, Transcript("It is so.", "en"))
    segmenter.hint(0, sketch.revision, Transcript("It is so. And then", "en"))  # 33 frames after the pause
    late = utterances(segmenter.feed(AudioChunk(52 * FRAME, ramp(FRAME))))
    assert not any(utterance.final for utterance in late)


def test_the_cut_of_the_hard_cap_is_foreseen() -> None:
    quiet = script((85, 0.9), (1, 0.4), (40, 0.9))
    segmenter = VadSegmenter("s", Script(quiet), replace(OPTIONS, pause_s=3 * 0.032))
    early = segmenter.feed(AudioChunk(0, ramp(95 * FRAME)))
    late = segmenter.feed(AudioChunk(95 * FRAME, ramp(10 * FRAME)))
    assert [kind for *_, kind in revisions(early + late)] == ["pause", "final"]
    (foreseen,), (final,) = utterances(early), utterances(late)
    assert np.array_equal(foreseen.samples, final.samples)


def test_foreseeing_changes_nothing_about_the_final_utterances() -> None:
    probabilities = script((30, 0.9), (5, 0.0), (60, 0.9), (9, 0.0), (130, 0.9), (20, 0.0), (7, 0.9))
    plain, foreseeing = (
        VadSegmenter("s", Script(probabilities), options)
        for options in (OPTIONS, replace(OPTIONS, pause_s=3 * 0.032, revise_s=0.2))
    )
    chunk = AudioChunk(0, ramp(len(probabilities) * FRAME))
    expected = plain.feed(chunk) + plain.finish()
    got = [s for s in foreseeing.feed(chunk) + foreseeing.finish() if isinstance(s, Utterance) and s.final]
    assert [(s.index, s.first, len(s.samples)) for s in got] == [
        (s.index, s.first, len(s.samples)) for s in expected if isinstance(s, Utterance)
    ]
    assert plain.statistics() == foreseeing.statistics()


def test_a_flush_settles_what_is_open_and_the_sound_goes_on() -> None:
    segmenter = VadSegmenter("s", Script(script((30, 0.9))), OPTIONS)
    segmenter.feed(AudioChunk(0, ramp(10 * FRAME + 100)))
    before = segmenter.flush()
    assert segmenter.flush() == []
    first = 10 * FRAME + 100
    segmenter.feed(AudioChunk(first, ramp(first + 8 * FRAME)[first:]))
    segments = segments_of([*before, *segmenter.finish()])
    assert [(s.index, s.first, s.end) for s in segments] == [
        (0, 0, seconds(first)),
        (1, first, seconds(first + 8 * FRAME)),
    ]
    assert_partition(segments, segmenter, ramp(first + 8 * FRAME))


def test_beginnings_and_ends_of_speech_are_told_where_they_are_asked_for() -> None:
    sound = script((10, 0.0), (2, 0.9), (10, 0.0), (20, 0.9), (10, 0.0), (150, 0.9), (10, 0.0))
    segmenter = VadSegmenter("s", Script(sound), replace(OPTIONS, activity=True))
    cuts = [*segmenter.feed(AudioChunk(0, ramp(len(sound) * FRAME))), *segmenter.finish()]
    told = [(cut.speaking, cut.time * 16_000 / FRAME) for cut in cuts if isinstance(cut, Activity)]
    assert told == [(True, 22), (False, 42), (True, 52), (False, 202)]
    assert len(segments_of(cuts)) == 3  # the longer stretch was cut at the cap, and goes on
