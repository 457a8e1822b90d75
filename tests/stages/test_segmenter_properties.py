"""The segmenter under whatever can happen to it, step by step: no model, no sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from decalage.audio import AudioChunk, Samples, sample_count
from decalage.errors import StreamFinishedError
from decalage.speech import Activity, Cut, MissingSound, Transcript, Utterance
from decalage.stages.segmenter import VadSegmenter
from tests.properties import examples
from tests.stages.test_segmenter import FORESEEING, FRAME, Script, assert_partition, ramp

OPTIONS = replace(FORESEEING, activity=True, clauses=True)
CAP = sample_count(OPTIONS.max_utterance_s)
LONGEST = 1_000_000
SOUND = ramp(LONGEST)
TEXTS = ["It was.", "It was. The best", "It was the best", "and", "", "it was. Of all"]
LEVELS = st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.95])
RUNS = st.tuples(st.integers(1, 45), LEVELS) | st.tuples(st.integers(80, 130), st.just(0.95))
HINTS = st.tuples(st.integers(-1, 1), st.integers(0, 3), st.sampled_from(TEXTS))


class Level:
    """A detector that hears what the test is at."""

    frame_samples = FRAME

    def __init__(self) -> None:
        self.level = 0.0

    def probability(self, _frame: Samples) -> float:
        return self.level


def transcript(text: str) -> Transcript:
    return Transcript(text, "en")


class SegmenterMachine(RuleBasedStateMachine):
    """Feeds, flushes, loses, hints in any order, and follows what is told."""

    def __init__(self) -> None:
        super().__init__()
        self.detector = Level()
        self.segmenter = VadSegmenter("s", self.detector, OPTIONS)
        self.position = self.lost = self.uncaptured = 0
        self.end = 0
        """Of the last settled segment."""
        self.index = 0
        """Of the next one."""
        self.revision = 0
        """Of its next provisional."""
        self.begun: int | None = None
        """First sample of its provisionals."""
        self.settled: list[Utterance | MissingSound] = []
        self.speaking = False
        self.told_at = 0.0

    def took(self, cuts: Sequence[Cut], *, provisional: bool = True) -> None:
        for cut in cuts:
            if isinstance(cut, Activity):
                self.active(cut)
            elif isinstance(cut, Utterance) and not cut.final:
                assert provisional, "a flush or hole gives what is settled alone"
                self.foresaw(cut)
            else:
                self.settle(cut)

    def active(self, activity: Activity) -> None:
        assert activity.speaking is not self.speaking
        assert activity.time >= self.told_at
        self.speaking, self.told_at = activity.speaking, activity.time

    def heard(self, utterance: Utterance) -> None:
        """The very samples of its place, after all that is settled."""
        assert (utterance.stream, utterance.index) == ("s", self.index)
        assert utterance.first >= self.end
        end = utterance.first + len(utterance.samples)
        assert end <= self.position
        np.testing.assert_array_equal(utterance.samples, SOUND[utterance.first : end])
        assert len(utterance.samples) <= CAP
        assert utterance.start < utterance.speech_end <= utterance.end

    def foresaw(self, utterance: Utterance) -> None:
        self.heard(utterance)
        assert utterance.revision == self.revision
        assert self.begun in (None, utterance.first)
        self.revision, self.begun = self.revision + 1, utterance.first

    def settle(self, segment: Utterance | MissingSound) -> None:
        assert segment.index == self.index
        if isinstance(segment, Utterance):
            self.heard(segment)
            assert segment.revision >= self.revision
            assert self.begun in (None, segment.first)
            self.end = segment.first + len(segment.samples)
        else:
            assert segment.first >= self.end
            self.end = segment.first + segment.length
        self.settled.append(segment)
        self.index, self.revision, self.begun = self.index + 1, 0, None

    @initialize(runs=st.lists(RUNS, max_size=8))
    def hears(self, runs: list[tuple[int, float]]) -> None:
        for frames, level in runs:
            self.feed(frames * FRAME, level)

    @rule(size=st.integers(0, 3 * FRAME) | st.integers(1, 30).map(lambda n: n * FRAME), level=LEVELS)
    def feed(self, size: int, level: float) -> None:
        self.detector.level = level
        samples = SOUND[self.position : self.position + size]
        chunk = AudioChunk(self.position, samples)
        self.position += len(samples)
        self.took(self.segmenter.feed(chunk))

    @rule()
    def flush(self) -> None:
        self.took(self.segmenter.flush(), provisional=False)
        assert self.segmenter.statistics().held == 0

    @rule(length=st.integers(1, 20_000), captured=st.booleans())
    def miss(self, length: int, captured: bool) -> None:
        first, length = self.position, min(length, LONGEST - self.position)
        if not length:
            return
        cuts = self.segmenter.miss(first, length, captured=captured)
        self.position += length
        self.lost, self.uncaptured = self.lost + length * captured, self.uncaptured + length * (not captured)
        self.took(cuts, provisional=False)
        last = self.settled[-1]
        assert isinstance(last, MissingSound)
        assert (last.first, last.length, last.captured) == (first, length, captured)
        assert last.cause == ("overload" if captured else "device")

    @rule(hint=HINTS)
    def hint(self, hint: tuple[int, int, str]) -> None:
        index, revision, text = hint
        self.segmenter.hint(self.index + index, max(0, self.revision - revision), transcript(text))

    @rule(first=st.integers(0, LONGEST), length=st.integers(-1, 5))
    def is_fed_out_of_place(self, first: int, length: int) -> None:
        before = self.segmenter.statistics()
        if first != self.position:
            with pytest.raises(ValueError, match="is the next"):
                self.segmenter.feed(AudioChunk(first, SOUND[:FRAME]))
        if first != self.position or length <= 0:
            with pytest.raises(ValueError, match=r"is the next|missing sound"):
                self.segmenter.miss(first, length, captured=True)
        assert self.segmenter.statistics() == before

    @invariant()
    def every_sample_is_in_one_place(self) -> None:
        counts = self.segmenter.statistics()
        spoken = [each for each in self.settled if isinstance(each, Utterance)]
        assert counts.samples_in + counts.uncaptured == self.position
        assert counts.samples_in == counts.in_utterances + counts.non_speech + counts.missed + counts.held
        assert counts.in_utterances == sum(len(each.samples) for each in spoken)
        assert (counts.missed, counts.uncaptured) == (self.lost, self.uncaptured)
        assert 0 <= counts.held < counts.held_peak + FRAME  # which is counted frame by frame
        assert counts.held_peak <= CAP + FRAME

    def teardown(self) -> None:
        self.took(self.segmenter.finish(), provisional=False)
        assert not self.speaking
        assert self.segmenter.finish() == []
        assert_partition(self.settled, self.segmenter, SOUND)
        with pytest.raises(StreamFinishedError):
            self.segmenter.feed(AudioChunk(self.position, SOUND[:FRAME]))


TestSegmenterMachine = SegmenterMachine.TestCase
TestSegmenterMachine.settings = examples(60)

STEPS = st.lists(
    RUNS
    | st.tuples(st.just("flush"), st.just(0))
    | st.tuples(st.just("miss"), st.integers(1, 5000))
    | st.tuples(st.just("hint"), st.integers(0, len(TEXTS) - 1)),
    max_size=14,
)


def cuts_of(steps: Sequence[tuple[int | str, float]], sizes: Sequence[int]) -> list[Cut]:
    """What a segmenter tells of ``steps`` whose sound comes in chunks of ``sizes``, over and over."""
    probabilities = [level for count, level in steps if isinstance(count, int) for _ in range(count)]
    segmenter = VadSegmenter("s", Script(probabilities), OPTIONS)
    cuts: list[Cut] = []
    position = turn = 0
    for step, value in steps:
        if isinstance(step, int):
            end = position + step * FRAME
            while position < end:
                size = min(sizes[turn % len(sizes)], end - position)
                cuts += segmenter.feed(AudioChunk(position, SOUND[position : position + size]))
                position, turn = position + size, turn + 1
        elif step == "flush":
            cuts += segmenter.flush()
        elif step == "miss":
            cuts += segmenter.miss(position, int(value), captured=True)
            position += int(value)
        else:
            last = next((cut for cut in reversed(cuts) if isinstance(cut, Utterance)), None)
            if last is not None and not last.final:
                segmenter.hint(last.index, last.revision, transcript(TEXTS[int(value)]))
    return cuts + segmenter.finish()


def told(cuts: Sequence[Cut]) -> list[object]:
    return [
        (cut.index, cut.first, len(cut.samples), cut.speech_end, cut.revision, cut.final, cut.paused)
        if isinstance(cut, Utterance)
        else cut
        for cut in cuts
    ]


def speech(steps: Sequence[tuple[int | str, float]]) -> Iterator[tuple[int, int]]:
    """First and last sample of each run of voiced frames that is long enough to be speech."""
    place, begun = 0, None
    for step, value in [*steps, ("flush", 0)]:
        voiced = isinstance(step, int) and value >= OPTIONS.threshold
        if begun is not None and not voiced and step != "hint":
            if place - begun >= OPTIONS.min_speech_s * 16_000:
                yield begun, place - 1
            begun = None
        if voiced and begun is None:
            begun = place
        place += step * FRAME if isinstance(step, int) else int(value) if step == "miss" else 0


@examples(80)
@given(STEPS, st.lists(st.integers(1, 4000), min_size=1, max_size=6))
def test_what_is_told_and_foreseen_does_not_depend_on_the_chunks(
    steps: list[tuple[int | str, float]], sizes: list[int]
) -> None:
    assert told(cuts_of(steps, sizes)) == told(cuts_of(steps, [LONGEST]))


@examples(150)
@given(STEPS)
def test_no_speech_is_left_out_wherever_it_is_cut(steps: list[tuple[int | str, float]]) -> None:
    final = [cut for cut in cuts_of(steps, [LONGEST]) if isinstance(cut, Utterance) and cut.final]
    for first, last in speech(steps):
        inside = [each for each in final if each.first <= last and each.first + len(each.samples) > first]
        assert sum(len(each.samples) for each in inside) > last - first
        assert inside[0].first <= first
        assert inside[-1].first + len(inside[-1].samples) > last
        for before, after in pairwise(inside):
            assert before.first + len(before.samples) == after.first
