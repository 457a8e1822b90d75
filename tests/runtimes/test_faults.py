"""Faults in the middle of things: panics, hangs of every stage, full queues at close, strangers' settings."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from decalage.audio import AudioChunk
from decalage.config import RecognizerOptions, StreamOptions
from decalage.errors import StreamFinishedError
from decalage.events import Caption, Failure, Settled, StreamEvent
from decalage.runtimes.stream import RuntimeStream
from decalage.speech import Cut, Rejection, Transcript, Translation, Utterance
from decalage.testing import ManualClock
from decalage.testing.engines import (
    FakeBlueprint,
    FakeRecognizer,
    FakeSegmenter,
    FakeTranslator,
    ForeseeingSegmenter,
    Gate,
    speech,
    tone,
)
from tests.runtimes.kit import ELSEWHERE, RUNTIMES, ToneSource, fed, feed_all, indices, running, texts

THREADED = [name for name in RUNTIMES if name not in ELSEWHERE]
"""In ``processes`` a panic ends a process, which is replaced: test_processes.py."""


class Panic(BaseException):
    """What native code raises through its bindings when it gives up: no ``Exception``."""


class PanickingTranslator(FakeTranslator):
    def translate(self, text: str, *, source: str, target: str) -> Translation:
        if text == "word 2":
            raise Panic("unwrap")
        return super().translate(text, source=source, target=target)


class PanickingSegmenter(FakeSegmenter):
    def feed(self, chunk: AudioChunk) -> list[Cut]:
        if chunk.first >= 4800:  # in the second word
            raise Panic("unwrap")
        return super().feed(chunk)


def panic_at_two(word: int) -> None:
    if word == 2:
        raise Panic("unwrap")


@pytest.mark.parametrize("name", THREADED)
@pytest.mark.parametrize("stage", ["asr", "mt"])
def test_a_panic_is_a_failure_in_its_place(name: str, stage: str) -> None:
    recognizer = FakeRecognizer(work=panic_at_two) if stage == "asr" else FakeRecognizer()
    translator = PanickingTranslator() if stage == "mt" else FakeTranslator()
    with running(name, FakeBlueprint(recognizer, translator)) as runtime:
        events = fed(runtime.open(StreamOptions()), speech([1, 2, 3]))
    assert texts(events) == ["word 1", "failure", "word 3"]
    failure = events[1]
    assert isinstance(failure, Failure)
    assert failure.stage == stage
    assert "Panic: unwrap" in failure.error


@pytest.mark.parametrize("name", THREADED)
def test_a_panic_of_the_segmenter_ends_its_stream_with_a_failure(name: str) -> None:
    with running(name, FakeBlueprint(segmenter_type=PanickingSegmenter)) as runtime:
        stream = runtime.open(StreamOptions())
        events = fed(stream, speech([1, 2, 3]))
        statistics = stream.statistics()
    assert texts(events) == ["word 1", "failure"]
    assert isinstance(events[-1], Failure)
    assert events[-1].stage == "vad"
    assert statistics.samples_in == statistics.samples_answered
    assert statistics.samples_non_speech == 0


@pytest.mark.parametrize("name", THREADED)
def test_a_panic_of_a_source_is_told_as_damage(name: str) -> None:
    with running(name) as runtime:
        source = ToneSource([1, 2], then=Panic("unwrap"))  # type: ignore[arg-type]
        stream = runtime.run(source, StreamOptions())
        assert texts(list(stream)) == ["word 1", "word 2"]
        assert stream.damage == "Panic: unwrap"


@pytest.mark.parametrize("name", THREADED)
def test_a_segmenter_that_hangs_ends_its_stream_and_no_other(name: str) -> None:
    clock, gate = ManualClock(), Gate()

    class Hanging(FakeSegmenter):
        def feed(self, chunk: AudioChunk) -> list[Cut]:
            if self._stream.startswith("stuck") and chunk.first >= 4800:
                gate.pass_through()
            return super().feed(chunk)

    with running(name, FakeBlueprint(segmenter_type=Hanging), clock=clock, vad_deadline_s=30) as runtime:
        stuck = runtime.open(StreamOptions(name="stuck"))
        other = runtime.open(StreamOptions(name="other"))
        stuck.feed(speech([1, 2]))
        gate.wait_inside(1)
        reader = iter(stuck)
        events = [next(reader)]  # the first word is settled: the time of its own calls does not run out
        clock.advance(31)
        stuck.finish()
        events += reader
        assert texts(events) == ["word 1", "failure"]
        assert isinstance(events[-1], Failure)
        assert events[-1].stage == "vad"
        assert isinstance(events[0], Caption)
        assert events[-1].start == events[0].end
        assert "no answer within 30 s" in events[-1].error
        assert texts(fed(other, speech([3, 4]))) == ["word 3", "word 4"]
        before = stuck.statistics()
        gate.open()
    assert stuck.statistics() == before, "what came back too late is not counted"
    assert before.samples_in >= before.samples_answered


@pytest.mark.parametrize("name", [name for name in THREADED if RUNTIMES[name].foresees])
def test_a_sketch_that_hangs_leaves_the_captions_of_others_growing(name: str) -> None:
    clock, gate = ManualClock(), Gate()
    live = StreamOptions(partials=True, stability="fast", pace="realtime")
    blueprint = FakeBlueprint(FakeRecognizer(gates={1: gate}), segmenter_type=ForeseeingSegmenter)
    with running(name, blueprint, clock=clock, workers=2, asr_deadline_s=30) as runtime:
        one, two = runtime.open(live), runtime.open(live)
        one.feed(AudioChunk(0, tone(1, 0.1)))
        gate.wait_inside(1)
        clock.advance(31)
        two.feed(AudioChunk(0, tone(2, 0.1)))
        assert next(iter(two)).type == "partial"
        gate.open()


@pytest.mark.parametrize("name", RUNTIMES)
def test_an_utterance_that_hangs_amid_many_keeps_its_place(name: str) -> None:
    count, hanging, credit = 400, 150, 16
    rng = random.Random(4)  # noqa: S311 - a seed, not a secret
    spins = {word: rng.randrange(300) for word in range(1, count + 1)}
    clock, gate, said = ManualClock(), Gate(), Gate(opened=True)

    def work(word: int) -> None:
        sum(range(spins[word]))

    blueprint = FakeBlueprint(FakeRecognizer(work=work, gates={hanging: gate}), FakeTranslator(gate=said))
    with running(name, blueprint, clock=clock, workers=4, mt_deadline_s=1e6, max_in_flight=credit) as runtime:
        stream = runtime.open(StreamOptions())
        feeding = threading.Thread(target=feed_all, args=(stream, speech(list(spins), 0.01)))
        feeding.start()
        events: list[StreamEvent] = []
        reading = threading.Thread(target=lambda: events.extend(stream))
        reading.start()
        for attempt in range(1, runtime.attempts + 1):
            gate.wait_inside(attempt)
            # All that may be in flight beside it is done: the clock finds nobody else at work.
            said.wait_arrived(hanging - 1 if name == "sequential" else hanging - 1 + credit - 1)
            clock.advance(runtime.options.asr_deadline_s + 1)
        reading.join()
        feeding.join()
        gate.open()
    assert indices(events) == list(range(count))
    wrong = [event.index for event in events if isinstance(event, Settled) and event.type != "caption"]
    assert wrong == [hanging - 1]


@pytest.mark.parametrize("name", RUNTIMES)
def test_close_with_full_queues_and_held_feeders_ends_everybody(name: str) -> None:
    gate = Gate()
    refused: list[str] = []

    def feed(stream: RuntimeStream) -> None:
        try:
            stream.feed(speech(list(range(1, 200))))
        except StreamFinishedError as error:
            refused.append(type(error).__name__)

    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running(name, blueprint, workers=2, max_in_flight=4, max_inbox_s=0.5) as runtime:
        streams = [runtime.open(StreamOptions()) for _ in range(3)]
        feeders = [threading.Thread(target=feed, args=(stream,)) for stream in streams]
        for feeder in feeders:
            feeder.start()
        streams.append(runtime.run(ToneSource([1, 2, 3], endless=True), StreamOptions()))
        gate.wait_inside(1 if name == "sequential" else 2)
        closers = [threading.Thread(target=runtime.close, args=(10,)) for _ in range(2)]
        for closer in closers:
            closer.start()
        gate.open()
        for thread in [*closers, *feeders]:
            thread.join(30)
            assert not thread.is_alive()
        for stream in streams:
            told = indices(list(stream))
            assert told == list(range(len(told)))
    assert refused == ["StreamFinishedError"] * 3


class Telling(FakeRecognizer):
    """Says with which settings it was asked."""

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        said = super().recognize(utterance, options, draft)
        assert isinstance(said, Transcript)
        return replace(said, text=f"{said.text} {options.language} {options.beam} {options.prompt}")


@pytest.mark.parametrize("name", RUNTIMES)
def test_streams_at_once_are_recognized_with_their_own_settings(name: str) -> None:
    asked = [
        StreamOptions(
            targets=("es",) if number % 2 else ("en",),
            recognizer=RecognizerOptions(
                language="en" if number % 2 else "pt", beam=number + 1, prompt=f"name {number}"
            ),
        )
        for number in range(8)
    ]
    with running(name, FakeBlueprint(Telling()), workers=3) as runtime:
        streams = [runtime.open(options) for options in asked]
        feeders = [
            threading.Thread(target=feed_all, args=(stream, speech([10 * number + n for n in range(1, 8)])))
            for number, stream in enumerate(streams)
        ]
        for feeder in feeders:
            feeder.start()
        heard = [[event for event in stream if isinstance(event, Settled)] for stream in streams]
        for feeder in feeders:
            feeder.join()
    for number, (events, options) in enumerate(zip(heard, asked, strict=True)):
        language = options.recognizer.language
        tail = f"{language} {number + 1} name {number}"
        assert texts(events, language) == [f"word {10 * number + n} {tail}" for n in range(1, 8)]


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_translator_that_does_not_load_is_raised_and_leaves_nothing(name: str) -> None:
    class Lacking(FakeBlueprint):
        def translator(self) -> FakeTranslator:
            raise RuntimeError("no such model")

    with pytest.raises(RuntimeError, match="no such model"), running(name, Lacking()):
        pass


@pytest.mark.parametrize("name", THREADED)
def test_an_interrupt_while_the_models_load_leaves_no_thread(name: str) -> None:
    class Interrupted(FakeBlueprint):
        def recognizer(self, concurrency: int) -> FakeRecognizer:
            super().recognizer(concurrency)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), running(name, Interrupted()):
        pass


@pytest.mark.parametrize("name", [name for name in RUNTIMES if RUNTIMES[name].foresees])
def test_translation_is_fair_between_streams(name: str) -> None:
    gate = Gate()
    translator = FakeTranslator(gate=gate)
    with running(name, FakeBlueprint(FakeRecognizer(), translator), workers=2, max_in_flight=12) as runtime:
        busy, late = runtime.open(StreamOptions()), runtime.open(StreamOptions())
        busy.feed(speech(list(range(1, 11))))
        gate.wait_inside(1)
        wait(lambda: runtime.statistics().waiting_mt >= 9)
        late.feed(speech([99]))
        wait(lambda: runtime.statistics().waiting_mt >= 10)
        gate.open()
        for stream in (busy, late):
            stream.finish()
        assert texts(list(late)) == ["word 99"]
        assert len(list(busy)) == 10
    assert translator.calls.index("word 99") <= 2


def wait(reached: Callable[[], bool]) -> None:
    """Until ``reached``; bounded by the test's timeout."""
    pace = threading.Event()
    while not reached():
        pace.wait(0.001)
