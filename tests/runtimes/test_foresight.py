"""Work on utterances before they end: one mechanism for partial captions and speculation."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from decalage.audio import AudioChunk
from decalage.config import RecognizerOptions, StreamOptions
from decalage.events import Caption, Partial, Settled, StreamEvent
from decalage.flow.trace import Depth, Mark, Span, Trace
from decalage.speech import Cut, Rejection, Transcript, Utterance
from decalage.testing import ManualClock
from decalage.testing.engines import (
    FakeBlueprint,
    FakeRecognizer,
    FakeTranslator,
    ForeseeingSegmenter,
    Gate,
    pause,
    silence,
    speech,
    tone,
)
from tests.runtimes.kit import RUNTIMES, fed, running, take, texts

FORESEEING = [name for name, runtime in RUNTIMES.items() if runtime.foresees]
LIVE = StreamOptions(partials=True, stability="fast", pace="realtime")

pytestmark = pytest.mark.parametrize("name", FORESEEING)


def blueprint(
    recognizer: FakeRecognizer | None = None, translator: FakeTranslator | None = None
) -> FakeBlueprint:
    return FakeBlueprint(
        recognizer or FakeRecognizer(), translator or FakeTranslator(), segmenter_type=ForeseeingSegmenter
    )


def sound(*parts: object, first: int = 0) -> AudioChunk:
    return AudioChunk(first, np.concatenate(parts))  # type: ignore[arg-type]


PHRASE = sound(tone(7, 0.05), pause(0.05))
"""A word and a pause in one slice: no sketch comes before the provisional utterance of the pause."""
END = sound(silence(), first=1600)


def test_a_caption_foreseen_in_a_pause_is_settled_the_moment_it_ends(name: str) -> None:
    translator = FakeTranslator()
    clock = ManualClock()
    with running(name, blueprint(None, translator), clock=clock, workers=2) as runtime:
        stream = runtime.open(LIVE)
        stream.feed(PHRASE)
        reader = iter(stream)
        partial = next(reader)
        assert isinstance(partial, Partial)
        asked = len(translator.calls)
        clock.advance(1.0)
        stream.feed(END)
        caption = next(reader)
        assert isinstance(caption, Caption)
        assert caption.text == partial.text == {"en": "word 7", "pt": "pt:word 7"}
        assert caption.latency == 0
        assert caption.timing.asr_end < caption.timing.endpoint
        assert len(translator.calls) == asked
        stream.finish()
        assert list(reader) == []


def test_a_final_whose_sound_is_being_recognized_waits_for_that(name: str) -> None:
    gate = Gate()
    recognizer = FakeRecognizer(gates={7: gate})
    with running(name, blueprint(recognizer), workers=2) as runtime:
        stream = runtime.open(LIVE)
        stream.feed(PHRASE)
        gate.wait_inside(1)
        stream.feed(sound(silence(), tone(8, 0.1), silence(), first=1600))
        stream.finish()
        gate.open()
        assert texts([event for event in stream if event.type != "partial"]) == ["word 7", "word 8"]
    assert recognizer.calls.count(7) == 1


class Recalling(ForeseeingSegmenter):
    """Ends at a pause once a later sketch has been heard; nothing comes after."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._pause: Utterance | None = None
        self._told = False

    def feed(self, chunk: AudioChunk) -> list[Cut]:
        if self._told and self._pause is not None:
            final, self._pause = replace(self._pause, revision=9, final=True, paused=False), None
            return [final]
        segments = super().feed(chunk)
        for segment in segments:
            if isinstance(segment, Utterance) and segment.paused:
                self._pause = segment
        return segments

    def hint(self, index: int, revision: int, transcript: Transcript) -> None:
        super().hint(index, revision, transcript)
        self._told = self._pause is not None and revision > self._pause.revision

    def finish(self) -> list[Cut]:
        return []


def test_an_utterance_that_ends_at_an_earlier_pause_was_foreseen_there(name: str) -> None:
    recognizer = FakeRecognizer()
    kept = FakeBlueprint(recognizer, segmenter_type=Recalling)
    with running(name, kept, workers=2) as runtime:
        stream = runtime.open(LIVE)
        reader = iter(stream)
        for count, chunk in enumerate([PHRASE, sound(tone(7, 0.1), first=1600)]):
            stream.feed(chunk)
            partial = next(reader)
            assert isinstance(partial, Partial)
            assert partial.revision == count
        asked = len(recognizer.calls)
        stream.feed(sound(tone(7, 0.1), first=3200))
        caption = next(reader)
        stream.finish()
        assert list(reader) == []
    assert isinstance(caption, Caption)
    assert (caption.start, caption.end) == (0.0, 0.05)
    assert caption.timing.asr_end <= caption.timing.endpoint
    assert len(recognizer.calls) == asked


class Watched(Trace):
    """Tells a test how often something has been put in a queue."""

    def __init__(self) -> None:
        super().__init__()
        self._condition = threading.Condition()

    def add(self, entry: Span | Depth | Mark) -> None:
        with self._condition:
            super().add(entry)
            self._condition.notify_all()

    def wait_waiting(self, queue: str, count: int) -> None:
        def reached() -> bool:
            return sum(depth.queue == queue and depth.value > 0 for depth in self.depths()) >= count

        with self._condition:
            assert self._condition.wait_for(reached, 30), self.depths()


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_final_waits_in_vain_for_no_pause_that_a_sketch_came_after(name: str, order: str) -> None:
    """The translator is at work for another speaker while the pause and a later sketch wait for it."""
    busy, trace = Gate(), Watched()
    translator = FakeTranslator(gates={"word 99": busy})
    kept = FakeBlueprint(FakeRecognizer(), translator, segmenter_type=Recalling)
    with running(name, kept, workers=2, trace=trace) as runtime:
        other = runtime.open(LIVE)
        other.feed(sound(tone(99, 0.05), pause(0.05)))
        busy.wait_inside(1)
        stream = runtime.open(LIVE)
        stream.feed(PHRASE)
        trace.wait_waiting("waiting for MT", 2)
        stream.feed(sound(tone(7, 0.1), first=1600))
        trace.wait_waiting("waiting for MT", 3)
        if order == "after":
            busy.open()
        stream.feed(sound(tone(7, 0.1), first=3200))
        stream.finish()
        busy.open()
        captions = [event for event in stream if isinstance(event, Settled)]
        assert [(event.start, event.end) for event in captions] == [(0.0, 0.05)]
        assert texts(captions) == ["word 7"]


def test_speech_that_goes_on_is_recognized_whole(name: str) -> None:
    recognizer = FakeRecognizer()
    with running(name, blueprint(recognizer)) as runtime:
        chunk = sound(tone(7, 0.1), pause(), tone(7, 0.1), silence())
        events = fed(runtime.open(LIVE), chunk)
    (caption,) = [event for event in events if isinstance(event, Caption)]
    assert (caption.start, caption.end) == (0.0, 0.3)


@pytest.mark.parametrize("kind", ["failing", "rejected"])
def test_what_is_foreseen_to_fail_settles_so_without_another_try(name: str, kind: str) -> None:
    recognizer = FakeRecognizer(**{kind: {7}})  # type: ignore[arg-type]
    with running(name, blueprint(recognizer), workers=2) as runtime:
        stream = runtime.open(LIVE)
        stream.feed(PHRASE)
        stream.feed(END)
        stream.finish()
        (event,) = list(stream)
    assert recognizer.calls == [7]
    assert event.type == ("failure" if kind == "failing" else "rejected")


def test_partials_rise_and_none_comes_of_an_utterance_that_is_settled(name: str) -> None:
    with running(name, blueprint(), workers=3) as runtime:
        events = fed(runtime.open(LIVE), speech(list(range(1, 40)), 0.4))
    assert texts([event for event in events if event.type == "caption"]) == [
        f"word {n}" for n in range(1, 40)
    ]
    settled, shown = -1, dict[int, int]()
    for event in events:
        if isinstance(event, Partial):
            assert event.index > settled
            assert event.revision > shown.get(event.index, -1)
            assert event.text["en"] == f"word {event.index + 1}"
            shown[event.index] = event.revision
        elif isinstance(event, Caption):
            settled = event.index


def test_what_was_never_shown_is_not_held_against_the_settled_text(name: str) -> None:
    class Saying(FakeRecognizer):
        """Agrees with itself twice and then says something else."""

        texts = ("we think that it", "we think that it", "he thinks that it is so")

        def recognize(
            self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
        ) -> Transcript | Rejection:
            super().recognize(utterance, options, draft)
            return Transcript(self.texts[len(self.calls) - 1], options.language)

    asked = Gate(opened=True)
    quiet = StreamOptions(partials=False, stability="reading", pace="realtime", targets=("en",))
    with running(name, blueprint(Saying(gate=asked))) as runtime:
        stream = runtime.open(quiet)
        for count in range(2):
            stream.feed(sound(tone(7, 0.1), first=1600 * count))
            asked.wait_arrived(count + 1)
        stream.feed(sound(tone(7, 0.05), silence(0.05), first=3200))
        stream.finish()
        assert texts(list(stream)) == ["he thinks that it is so"]


def test_without_partials_none_is_told(name: str) -> None:
    with running(name, blueprint()) as runtime:
        events = fed(runtime.open(StreamOptions(pace="realtime")), speech([1, 2, 3], 0.4))
    assert texts(events) == ["word 1", "word 2", "word 3"]


def test_sketches_leave_a_recognizer_to_what_has_ended(name: str) -> None:
    gate, done = Gate(), Gate(opened=True)
    recognizer = FakeRecognizer(gates={1: gate, 9: done})
    with running(name, blueprint(recognizer), workers=2) as runtime:
        one, two = runtime.open(LIVE), runtime.open(LIVE)
        one.feed(sound(tone(1, 0.1)))
        gate.wait_inside(1)  # a sketch that takes long
        two.feed(sound(tone(9, 0.1), silence()))
        two.finish()
        assert texts([event for event in two if event.type != "partial"]) == ["word 9"]
        gate.open()
        one.finish()
        assert texts([event for event in one if event.type != "partial"]) == ["word 1"]


def test_a_sketch_held_back_is_done_when_the_one_before_it_ends(name: str) -> None:
    gate = Gate()
    with running(name, blueprint(FakeRecognizer(gates={1: gate})), workers=2) as runtime:
        one, two = runtime.open(LIVE), runtime.open(LIVE)
        one.feed(sound(tone(1, 0.1)))
        gate.wait_inside(1)
        two.feed(sound(tone(2, 0.1)))
        gate.open()
        assert [next(iter(stream)).type for stream in (one, two)] == ["partial", "partial"]


def test_nothing_is_kept_of_a_sketch_that_comes_after_its_caption(name: str) -> None:
    late = Gate()

    class Slow(FakeRecognizer):
        """The first call is held, the others are not."""

        def recognize(
            self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
        ) -> Transcript | Rejection:
            outcome = super().recognize(utterance, options, draft)
            if len(self.calls) == 1:
                late.pass_through()
            return outcome

    with running(name, blueprint(Slow()), workers=2) as runtime:
        stream = runtime.open(replace(LIVE, targets=("en",)))
        stream.feed(sound(tone(1, 0.1)))
        late.wait_inside(1)
        stream.feed(sound(tone(1, 0.05), silence(0.05), first=1600))
        stream.feed(sound(tone(2, 0.05), first=3200))
        reader = iter(stream)
        while next(reader).type != "caption":
            pass
        late.open()
        stream.finish()
        assert [event.type for event in reader if event.type != "partial"] == ["caption"]
    assert not stream._answers._foresight._growing
    assert not stream._answers._foresight._shown


def test_a_sketch_that_hangs_harms_only_itself(name: str) -> None:
    clock, gate = ManualClock(), Gate()
    with running(name, blueprint(FakeRecognizer(gates={1: gate})), clock=clock, asr_deadline_s=30) as runtime:
        one, two = runtime.open(LIVE), runtime.open(StreamOptions())
        one.feed(sound(tone(1, 0.1)))
        gate.wait_inside(1)
        clock.advance(31)
        if runtime.attempts > 1:
            gate.wait_inside(2)
            clock.advance(31)
        assert texts(fed(two, speech([2, 3]))) == ["word 2", "word 3"]
        gate.open()


def test_a_revision_is_given_the_text_of_the_newest_before_it_as_a_draft(name: str) -> None:
    recognizer = FakeRecognizer()
    with running(name, blueprint(recognizer)) as runtime:
        stream = runtime.open(LIVE)
        reader = iter(stream)
        for count, word in enumerate([7, 7]):
            stream.feed(sound(tone(word, 0.1), first=1600 * count))
            assert next(reader).type == "partial"
        stream.feed(sound(tone(7, 0.1), silence(), tone(8, 0.1), first=3200))
        stream.finish()
        list(reader)
    first, second, *_ = recognizer.drafts
    assert (first, second) == ("", "word 7")
    of_another = [d for w, d in zip(recognizer.calls, recognizer.drafts, strict=True) if w == 8]
    assert of_another[0] == ""
    assert set(of_another) <= {"", "word 8"}


def test_the_text_of_a_pause_reaches_the_segmenter(name: str) -> None:
    made: list[ForeseeingSegmenter] = []

    class Kept(ForeseeingSegmenter):
        def __init__(self, stream: str) -> None:
            super().__init__(stream)
            made.append(self)

    with running(name, FakeBlueprint(segmenter_type=Kept), workers=2) as runtime:
        stream = runtime.open(LIVE)
        stream.feed(PHRASE)
        reader = iter(stream)
        assert next(reader).type == "partial"
        stream.feed(sound(pause(), silence(), first=1600))
        assert texts(take(reader, 1)) == ["word 7"]
    assert made[-1].hints == ["0.0 word 7"]  # the first is tried when the runtime is made


def test_reading_settles_what_it_has_shown(name: str) -> None:
    class Saying(FakeRecognizer):
        """Says another text each time it is asked."""

        texts = ("we think", "we think that", "I think that it", "he thinks that it is so")

        def recognize(
            self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
        ) -> Transcript | Rejection:
            super().recognize(utterance, options, draft)
            return Transcript(self.texts[len(self.calls) - 1], options.language)

    reading = StreamOptions(partials=True, stability="reading", pace="realtime", targets=("en",))
    asked = Gate(opened=True)
    with running(name, blueprint(Saying(gate=asked))) as runtime:
        stream = runtime.open(reading)
        reader = iter(stream)
        shown: list[StreamEvent] = []
        for count in range(3):
            stream.feed(sound(tone(7, 0.1), first=1600 * count))
            asked.wait_arrived(count + 1)
            if count:
                shown.append(next(reader))
        stream.feed(sound(silence(), first=4800))
        stream.finish()
        shown += list(reader)
    (caption,) = [event for event in shown if isinstance(event, Caption)]
    before = ""
    for event in shown:
        assert isinstance(event, Partial | Caption)
        assert event.text["en"].startswith(before)
        before = event.text["en"]
    assert caption.text["en"].startswith("we think")
