"""The one contract, on every runtime, with fakes, gates and a manual clock."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any

import numpy as np
import pytest

from decalage.audio import AudioChunk, seconds
from decalage.config import StreamOptions
from decalage.contracts import AudioSource, Runtime, Stream
from decalage.errors import RuntimeClosedError, StreamFinishedError
from decalage.events import Caption, Failure, Gap
from decalage.flow.statistics import StreamStatistics
from decalage.speech import Cut
from decalage.testing import ManualClock
from decalage.testing.engines import (
    FakeBlueprint,
    FakeRecognizer,
    FakeSegmenter,
    FakeTranslator,
    Gate,
    silence,
    speech,
    tone,
)
from tests.runtimes.kit import (
    ELSEWHERE,
    RUNTIMES,
    ToneSource,
    fed,
    feed_all,
    indices,
    interpret,
    running,
    take,
    texts,
)

pytestmark = pytest.mark.parametrize("name", RUNTIMES)


def test_runtimes_and_streams_are_what_the_contract_names(name: str) -> None:
    with running(name) as runtime:
        stream = runtime.open(StreamOptions())
        assert isinstance(runtime, Runtime)
        assert isinstance(stream, Stream)


def test_captions_come_in_spoken_order_with_both_texts(name: str) -> None:
    with running(name, workers=3) as runtime:
        events = interpret(runtime, [7, 3, 9])
    assert texts(events) == ["word 7", "word 3", "word 9"]
    assert texts(events, "pt") == ["pt:word 7", "pt:word 3", "pt:word 9"]
    assert indices(events) == [0, 1, 2]


def test_order_holds_for_10000_utterances_of_seeded_random_work_some_failing_one_hanging(name: str) -> None:
    count = 2_000 if name in ELSEWHERE else 10_000  # each call is a way to another process and back
    rng = random.Random(20)  # noqa: S311 - a seed, not a secret
    words = list(range(1, count + 1))
    spins = {word: rng.randrange(300) for word in words}
    failing = set(rng.sample(words, count // 100))
    failing.discard(count)  # the last one hangs: when it is all that is left, the clock may jump
    clock, gate = ManualClock(), Gate()

    def work(word: int) -> None:
        sum(range(spins[word]))

    blueprint = FakeBlueprint(FakeRecognizer(work=work, failing=failing, gates={count: gate}))
    with running(name, blueprint, clock=clock, workers=4) as runtime:
        stream = runtime.open(StreamOptions())
        feeding = threading.Thread(target=feed_all, args=(stream, speech(words, 0.01)))
        feeding.start()
        reader = iter(stream)
        events = take(reader, count - 1)
        for attempt in range(1, runtime.attempts + 1):
            gate.wait_inside(attempt)
            clock.advance(runtime.options.asr_deadline_s + 1)
        events += list(reader)
        feeding.join()
        gate.open()
        statistics = stream.statistics()
    assert indices(events) == list(range(count))
    lost = failing | {count}
    assert texts(events) == ["failure" if word in lost else f"word {word}" for word in words]
    assert statistics.peak_in_flight <= runtime.options.max_in_flight


def test_a_failing_utterance_is_told_in_its_place_and_the_rest_is_unharmed(name: str) -> None:
    with running(name, FakeBlueprint(FakeRecognizer(failing={2}))) as runtime:
        events = interpret(runtime, [1, 2, 3])
    assert texts(events) == ["word 1", "failure", "word 3"]
    failure = events[1]
    assert isinstance(failure, Failure)
    assert (failure.stage, failure.error, failure.start) == ("asr", "cannot hear 2", 0.3)


def test_a_runtime_closed_while_a_capture_begins_captures_nothing_and_leaves_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(name) as runtime:
        carried = runtime._carried

        def late(source: AudioSource, stream: str) -> AudioSource:
            elsewhere = carried(source, stream)
            runtime.close(30)
            return elsewhere

        monkeypatch.setattr(runtime, "_carried", late)
        with pytest.raises(RuntimeClosedError):
            runtime.run(ToneSource([1]), StreamOptions())


def test_nothing_is_segmented_after_close(name: str) -> None:
    asked: list[int] = []

    class Asked(FakeSegmenter):
        def feed(self, chunk: AudioChunk) -> list[Cut]:
            asked.append(chunk.first)
            return super().feed(chunk)

    with running(name, FakeBlueprint(segmenter_type=Asked)) as runtime:
        stream = runtime.open(StreamOptions(pace="realtime"))
        stream.feed(speech([1]))
        assert texts([next(iter(stream))]) == ["word 1"]
        runtime.close(30)
        before = len(asked)
        assert stream.cut() is None
    assert len(asked) == before


def test_no_speech_is_rejected_in_its_place(name: str) -> None:
    with running(name, FakeBlueprint(FakeRecognizer(rejected={2}))) as runtime:
        assert texts(interpret(runtime, [1, 2, 3])) == ["word 1", "rejected", "word 3"]


def test_a_flush_settles_what_was_said_and_sound_may_follow(name: str) -> None:
    with running(name) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(AudioChunk(0, tone(5)))
        stream.flush()
        reader = iter(stream)
        assert texts([next(reader)]) == ["word 5"]
        stream.feed(AudioChunk(len(tone(5)), tone(5)))
        stream.finish()
        assert texts(list(reader)) == ["word 5"]


def test_a_late_first_chunk_shortens_no_lag(name: str) -> None:
    clock = ManualClock()
    with running(name, clock=clock) as runtime:
        stream = runtime.open(StreamOptions(pace="realtime"))
        clock.advance(0.4)
        stream.feed(AudioChunk(0, silence(0.1)))  # it could have come at 0.1 s
        stream.feed(AudioChunk(1600, np.concatenate([tone(5, 0.2), silence(0.1)])))
        caption = next(iter(stream))
    assert isinstance(caption, Caption)
    assert caption.lag == pytest.approx(0.1)


def test_languages_change_with_the_next_utterance(name: str) -> None:
    gate = Gate()
    with running(name, FakeBlueprint(FakeRecognizer(gates={1: gate}))) as runtime:
        stream = runtime.open(StreamOptions(targets=("pt",)))
        stream.feed(speech([1]))
        gate.wait_inside(1)
        stream.choices.change(StreamOptions(targets=("pt", "es")))
        gate.open()
        reader = iter(stream)
        first = next(reader)
        stream.feed(AudioChunk(len(speech([1]).samples), speech([2]).samples))
        stream.finish()
        (second,) = reader
    assert isinstance(first, Caption)
    assert isinstance(second, Caption)
    assert [set(first.text), set(second.text)] == [{"en", "pt"}, {"en", "pt", "es"}]


def test_the_last_word_is_settled_by_finish_without_a_silence_after_it(name: str) -> None:
    with running(name) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(AudioChunk(0, tone(5)))
        stream.finish()
        assert texts(list(stream)) == ["word 5"]


def test_finish_without_sound_ends_the_events(name: str) -> None:
    with running(name) as runtime:
        stream = runtime.open(StreamOptions())
        stream.finish()
        stream.finish()
        assert list(stream) == []


def test_no_more_is_in_flight_than_the_bound_and_reading_frees_it(name: str) -> None:
    with running(name, max_in_flight=3, max_inbox_s=0.2) as runtime:
        stream = runtime.open(StreamOptions())
        events = fed(stream, speech(list(range(1, 31))))
        statistics = stream.statistics()
    assert indices(events) == list(range(30))
    assert statistics.peak_in_flight <= 3
    assert statistics.peak_inbox_s <= 0.2 + 1e-6


def test_a_missing_target_is_named_and_the_caption_stands(name: str) -> None:
    blueprint = FakeBlueprint(fake_translator=FakeTranslator(failing_targets={"es"}))
    with running(name, blueprint) as runtime:
        (caption,) = interpret(runtime, [1], targets=("pt", "es"))
    assert isinstance(caption, Caption)
    assert caption.text == {"en": "word 1", "pt": "pt:word 1"}
    assert caption.errors == {"es": "cannot say word 1 in es"}


def test_when_every_target_fails_the_failure_keeps_the_transcript(name: str) -> None:
    blueprint = FakeBlueprint(fake_translator=FakeTranslator(failing_targets={"pt"}))
    with running(name, blueprint) as runtime:
        (failure,) = interpret(runtime, [1])
    assert isinstance(failure, Failure)
    assert (failure.stage, failure.text) == ("mt", {"en": "word 1"})


def test_translation_is_skipped_where_the_target_is_the_source(name: str) -> None:
    blueprint = FakeBlueprint()
    with running(name, blueprint) as runtime:
        (caption,) = interpret(runtime, [1], targets=("en",))
    assert isinstance(caption, Caption)
    assert caption.text == {"en": "word 1"}
    assert caption.timing.mt_start is None
    assert blueprint.fake_translator.calls == []


def test_a_stream_with_a_backlog_does_not_starve_another(name: str) -> None:
    gate, cut = Gate(), Gate(opened=True)
    recognizer = FakeRecognizer(gate=gate)

    class Telling(FakeSegmenter):
        """Passes ``cut`` after the slices of the second stream have been taken."""

        def finish(self) -> list[Cut]:
            cut.pass_through()
            return super().finish()

    blueprint = FakeBlueprint(recognizer, segmenter_type=Telling)
    with running(name, blueprint, workers=1) as runtime:
        busy, other = runtime.open(StreamOptions()), runtime.open(StreamOptions())
        busy.feed(speech(list(range(1, 9))))
        busy.finish()
        gate.wait_inside(1)
        other.feed(speech([99], 0.1))
        other.finish()
        if name != "sequential":  # somebody is free to cut: 99 joins the seven that wait
            cut.wait_arrived(8 + 1 + 2)  # eight words and an end, then one word and an end
        gate.open()
        assert texts(list(other)) == ["word 99"]
        assert len(list(busy)) == 8
    assert recognizer.calls.index(99) <= 3


def test_eight_streams_at_once_see_only_their_own_words_and_languages(name: str) -> None:
    results: dict[int, list[str]] = {}
    with running(name, workers=4) as runtime:

        def speak(number: int) -> None:
            words = [number * 1000 + i for i in range(1, 20)]
            target = "pt" if number % 2 else "es"
            results[number] = texts(interpret(runtime, words, targets=(target,)), target)

        threads = [threading.Thread(target=speak, args=(n,)) for n in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number, captions in results.items():
        target = "pt" if number % 2 else "es"
        assert captions == [f"{target}:word {number * 1000 + i}" for i in range(1, 20)]


def test_a_reader_that_never_reads_delays_nobody(name: str) -> None:
    with running(name, max_in_flight=2) as runtime:
        stuck = runtime.open(StreamOptions(pace="realtime"))
        stuck.feed(speech(list(range(1, 30))))
        assert len(interpret(runtime, list(range(1, 20)))) == 19
        assert stuck.statistics().in_flight == 2


def test_a_hung_call_becomes_a_failure_and_the_others_go_on(name: str) -> None:
    clock, gate = ManualClock(), Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gates={1: gate}))
    with running(name, blueprint, clock=clock, asr_deadline_s=30, mt_deadline_s=30) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2, 3]))
        stream.finish()
        for attempt in range(1, runtime.attempts + 1):
            gate.wait_inside(attempt)
            clock.advance(31)
        events = list(stream)
        assert texts(events) == ["failure", "word 2", "word 3"]
        assert "no answer within" in getattr(events[0], "error", "")
        assert runtime.statistics().abandoned_workers == (1 if runtime.attempts == 1 else 0)
        gate.open()


def test_close_during_a_call_answers_what_is_in_flight(name: str) -> None:
    gate = Gate()
    with running(name, FakeBlueprint(FakeRecognizer(gate=gate))) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2]))
        gate.wait_inside(1)
        runtime.close(0)
        runtime.close(0)
        events = list(stream)
        assert indices(events) == list(range(len(events)))
        assert {event.type for event in events} == {"failure"}
        with pytest.raises(RuntimeClosedError):
            runtime.open(StreamOptions())
        with pytest.raises(StreamFinishedError):
            stream.feed(AudioChunk(16_000, silence()))
        gate.open()


def test_feeding_after_finish_is_refused(name: str) -> None:
    with running(name) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1]))
        stream.finish()
        with pytest.raises(StreamFinishedError):
            stream.feed(AudioChunk(16_000, silence()))
        list(stream)


def test_sound_fed_twice_is_refused(name: str) -> None:
    with running(name) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(AudioChunk(0, silence()))
        with pytest.raises(ValueError, match="before sample 1600"):
            stream.feed(AudioChunk(800, silence()))


def test_a_hole_in_the_sound_is_a_gap_that_was_not_captured(name: str) -> None:
    with running(name) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(AudioChunk(0, tone(1)))
        stream.feed(AudioChunk(32_000, tone(2)))
        stream.finish()
        events = list(stream)
    assert [event.type for event in events] == ["caption", "gap", "caption"]
    gap = events[1]
    assert isinstance(gap, Gap)
    assert (gap.start, gap.end, gap.captured, gap.cause) == (0.2, 2.0, False, "device")
    assert stream.statistics().samples_in == 6400


def too_much(name: str, **limits: Any) -> tuple[list[Any], StreamStatistics, int]:
    """Thirty words at once into a live stream whose recognizer stands still: events and samples in all."""
    gate = Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running(name, blueprint, max_in_flight=1, max_inbox_s=1.0, **limits) as runtime:
        stream = runtime.open(StreamOptions(pace="realtime"))
        first = 0
        for word in range(1, 31):
            for samples in (tone(word), silence()):
                stream.feed(AudioChunk(first, samples))
                first += len(samples)
            if word == 1:
                gate.wait_inside(1)
        stream.finish()
        gate.open()
        return list(stream), stream.statistics(), first


def test_a_live_stream_keeps_on_the_disk_what_memory_has_no_room_for(name: str) -> None:
    events, statistics, first = too_much(name)
    assert [event.text["en"] for event in events] == [f"word {word}" for word in range(1, 31)]
    assert statistics.samples_in == first
    assert statistics.samples_captioned == 30 * 3200
    assert statistics.samples_non_speech == first - 30 * 3200
    assert statistics.peak_inbox_s <= 1.0 + 1e-6
    assert statistics.peak_spilled > first / 2
    assert statistics.breach is None


def test_a_live_stream_never_waits_and_declares_what_it_drops(name: str) -> None:
    events, statistics, first = too_much(name, max_spill_s=0.0)
    gaps = [event for event in events if isinstance(event, Gap)]
    assert gaps
    assert all(gap.captured and gap.cause == "overload" for gap in gaps)
    assert indices(events) == list(range(len(events)))
    non_speech = 1600 * sum(event.type == "caption" for event in events)
    assert statistics.samples_in == first
    assert 0 <= first - statistics.samples_answered <= non_speech
    assert statistics.peak_inbox_s <= 1.0 + 1e-6


def test_every_sample_is_counted_once(name: str) -> None:
    with running(name, FakeBlueprint(FakeRecognizer(failing={2}, rejected={3}))) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2, 3, 4]))
        stream.finish()
        list(stream)
        statistics = stream.statistics()
    assert statistics.samples_captioned == 6400
    assert statistics.samples_failed == statistics.samples_rejected == 3200
    assert statistics.samples_in == statistics.samples_answered + 4 * 1600


def test_latency_and_lag_are_measured_on_the_stream_clock(name: str) -> None:
    clock, gate = ManualClock(), Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running(name, blueprint, clock=clock) as runtime:
        stream = runtime.open(StreamOptions(pace="realtime"))
        stream.feed(AudioChunk(0, np.concatenate([tone(1, 0.5), silence(0.1)])))
        gate.wait_inside(1)
        clock.advance(0.25)
        gate.open()
        (event,) = take(iter(stream), 1)
    assert event.timing.endpoint == pytest.approx(0.6)
    assert event.latency == pytest.approx(0.25)
    assert event.lag == pytest.approx(0.35)


def test_at_full_speed_no_latency_is_claimed(name: str) -> None:
    with running(name) as runtime:
        (event,) = interpret(runtime, [1])
    assert isinstance(event, Caption)
    assert event.latency is None
    assert event.lag is None


def test_a_broken_segmenter_ends_the_stream_with_a_failure(name: str) -> None:
    class Broken(FakeSegmenter):
        def feed(self, chunk: AudioChunk) -> list[Cut]:
            if chunk.start >= 0.4:
                raise RuntimeError("no such state")
            return super().feed(chunk)

    with running(name, FakeBlueprint(segmenter_type=Broken)) as runtime:
        stream = runtime.open(StreamOptions())
        sound = np.concatenate([tone(1), silence(0.3), tone(2)])
        stream.feed(AudioChunk(0, sound))
        events = list(stream)
        statistics = stream.statistics()
    assert texts(events) == ["word 1", "failure"]
    word, failure = events
    assert isinstance(word, Caption)
    assert isinstance(failure, Failure)
    assert failure.stage == "vad"
    assert (failure.start, failure.end) == (word.end, seconds(len(sound))), "all that was not decided"
    assert (statistics.samples_in, statistics.samples_non_speech) == (len(sound), 0)
    assert failure.error == "RuntimeError: no such state"


def test_a_model_that_does_not_load_is_raised_and_leaves_no_thread(name: str) -> None:
    before = threading.active_count()
    with (
        pytest.raises(OSError, match="no model"),
        running(name, FakeBlueprint(load_error=OSError("no model"))),
    ):
        pass
    assert threading.active_count() == before


def test_asyncio_reads_the_same_events(name: str) -> None:
    async def scenario() -> list[str]:
        with running(name) as runtime:
            stream = runtime.open(StreamOptions())
            stream.feed(speech([1, 2, 3]))
            stream.finish()
            return texts([event async for event in stream])

    assert asyncio.run(scenario()) == ["word 1", "word 2", "word 3"]


def test_a_target_that_hangs_takes_nothing_from_one_that_is_done(name: str) -> None:
    clock, gate = ManualClock(), Gate()
    blueprint = FakeBlueprint(fake_translator=FakeTranslator(gates={"es": gate}))
    with running(name, blueprint, clock=clock, asr_deadline_s=30, mt_deadline_s=30) as runtime:
        stream = runtime.open(StreamOptions(targets=("pt", "es")))
        stream.feed(speech([1]))
        stream.finish()
        for attempt in range(1, runtime.attempts + 1):
            gate.wait_inside(attempt)
            clock.advance(31)
        (caption,) = list(stream)
        gate.open()
    assert isinstance(caption, Caption)
    assert caption.text == {"en": "word 1", "pt": "pt:word 1"}
    assert "no answer within" in caption.errors["es"]


@pytest.mark.parametrize("disk_s", [0.0, 60.0])
def test_a_hole_after_an_overflow_is_declared_after_it(name: str, disk_s: float) -> None:
    gate = Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running(name, blueprint, max_in_flight=1, max_inbox_s=0.5, max_spill_s=disk_s) as runtime:
        stream = runtime.open(StreamOptions(pace="realtime"))
        stream.feed(AudioChunk(0, np.concatenate([tone(1), silence()])))
        gate.wait_inside(1)
        stream.feed(AudioChunk(4800, silence(1.0)))
        stream.feed(AudioChunk(48_000, tone(2)))
        gate.open()
        stream.finish()
        events = list(stream)
    gaps = [event for event in events if isinstance(event, Gap)]
    assert [gap.cause for gap in gaps].count("device") == 1
    assert ("overload" in [gap.cause for gap in gaps]) == (not disk_s)
    assert [gap.start for gap in gaps] == sorted(gap.start for gap in gaps)
    assert not [event for event in events if isinstance(event, Failure)]


def test_a_stream_abandoned_while_it_is_cut_rests(name: str) -> None:
    """What the slice gave must not keep a worker turning."""
    with running(name) as runtime:
        stream = runtime.open(StreamOptions())

        class Leaving(FakeSegmenter):
            def finish(self) -> list[Cut]:
                stream.abandon("the reader left")
                return super().finish()

        stream._cutter._segmenter = Leaving(stream.name)  # the stream it abandons has to exist first
        stream.feed(AudioChunk(0, tone(1)))
        stream.finish()
        assert list(stream) == []
        assert not stream.claim()
        assert stream.damage == "the reader left"
