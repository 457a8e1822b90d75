"""How long a call may take: by the length of the sound or text, and not while the machine sleeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from decalage.audio import AudioChunk
from decalage.config import RuntimeOptions, StreamOptions
from decalage.events import Caption, Failure
from decalage.runtimes.deadlines import START_LIMIT_S
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
from tests.runtimes.kit import RUNTIMES, running, texts

DEFAULT = RuntimeOptions()
SCALED: dict[str, Any] = {
    name: getattr(DEFAULT, name)
    for name in ("vad_deadline_rtf", "asr_deadline_rtf", "mt_deadline_character_s")
}
"""What a runtime has unless a test asks for exact times."""


def said(*words: tuple[int, float]) -> AudioChunk:
    """Each word for so many seconds, and a silence."""
    parts = [part for word, length_s in words for part in (tone(word, length_s), silence())]
    return AudioChunk(0, np.concatenate(parts))


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("length_s", [1.0, 15.0, 27.0])
def test_a_recognition_at_three_times_real_time_is_waited_for(name: str, length_s: float) -> None:
    clock, gate = ManualClock(), Gate()
    with running(name, FakeBlueprint(FakeRecognizer(gate=gate)), clock=clock, **SCALED) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(said((1, length_s)))
        stream.finish()
        gate.wait_inside(1)
        clock.advance(3 * length_s)
        gate.open()
        assert texts(list(stream)) == ["word 1"]
        assert runtime.statistics().abandoned_workers == 0


@pytest.mark.parametrize("name", [name for name in RUNTIMES if name != "sequential"])
def test_a_second_of_speech_is_given_up_sooner_than_fifteen(name: str) -> None:
    clock, gate = ManualClock(), Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running(name, blueprint, clock=clock, workers=2, **SCALED) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(said((1, 1.0), (2, 15.0)))
        stream.finish()
        for attempt in range(runtime.attempts):
            gate.wait_inside(2 + attempt)  # a hung call of a process that was ended stays
            clock.advance(DEFAULT.asr_limit_s(1.0) + 1)
        reader = iter(stream)
        failure = next(reader)
        assert isinstance(failure, Failure)
        assert failure.end == pytest.approx(1.0)
        gate.open()
        assert texts(list(reader)) == ["word 2"]


def test_times_grow_with_what_there_is_to_do() -> None:
    assert DEFAULT.asr_limit_s(1) < DEFAULT.asr_limit_s(15) / 3
    assert DEFAULT.mt_limit_s("Yes.") < DEFAULT.mt_limit_s("Yes, and so did all the others." * 10) / 3
    assert DEFAULT.vad_limit_s(0) < DEFAULT.vad_limit_s(15)


@pytest.mark.parametrize("name", RUNTIMES)
def test_each_translation_has_time_of_its_own(name: str) -> None:
    clock, gate = ManualClock(), Gate()
    blueprint = FakeBlueprint(fake_translator=FakeTranslator(gate=gate))
    with running(name, blueprint, clock=clock, mt_deadline_s=30) as runtime:
        stream = runtime.open(StreamOptions(targets=("pt", "es", "fr")))
        stream.feed(speech([1]))
        stream.finish()
        for asked in (1, 2, 3):
            gate.wait_arrived(asked)
            clock.advance(29)
            gate.admit()
        (caption,) = list(stream)
    assert isinstance(caption, Caption)
    assert caption.errors == {}
    assert set(caption.text) == {"en", "pt", "es", "fr"}


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("stage", ["asr", "mt"])
def test_a_clock_that_jumps_an_hour_fails_nothing_that_is_under_way(name: str, stage: str) -> None:
    clock, gate = ManualClock(), Gate()
    recognizer = FakeRecognizer(gate=gate if stage == "asr" else None)
    translator = FakeTranslator(gate=gate if stage == "mt" else None)
    watchers = 1 if name in ("sequential", "asyncio") else 2 if stage == "asr" else 3
    with running(name, FakeBlueprint(recognizer, translator), clock=clock) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2]))
        stream.finish()
        gate.wait_inside(1)
        clock.until_waiting(watchers)
        clock.advance(3600)
        clock.until_waiting(watchers)
        gate.open()
        assert texts(list(stream)) == ["word 1", "word 2"]
        assert runtime.statistics().abandoned_workers == 0


def test_a_replica_may_take_its_time_to_load() -> None:
    clock, hung, loading = ManualClock(), Gate(), Gate()

    class Loading(FakeBlueprint):
        def recognizer(self, concurrency: int) -> FakeRecognizer:
            if self.loads:
                loading.pass_through()
            return super().recognizer(concurrency)

    with running("pool", Loading(FakeRecognizer(gates={1: hung})), clock=clock, asr_deadline_s=30) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2]))
        stream.finish()
        hung.wait_inside(1)
        clock.advance(31)
        loading.wait_inside(1)
        clock.advance(START_LIMIT_S - 1)
        loading.open()
        assert texts(list(stream)) == ["failure", "word 2"]
        hung.open()


def test_vad_that_hears_sound_again_has_the_time_for_it() -> None:
    clock, gate = ManualClock(), Gate()
    limits = RuntimeOptions(vad_deadline_s=10, vad_deadline_rtf=3)

    class Slow(FakeSegmenter):
        def feed(self, chunk: AudioChunk) -> list[Cut]:
            if chunk.first >= 48_000 - 1600:
                gate.pass_through()
            return super().feed(chunk)

    blueprint = FakeBlueprint(segmenter_type=Slow)
    times: dict[str, Any] = {
        "vad_deadline_s": limits.vad_deadline_s,
        "vad_deadline_rtf": limits.vad_deadline_rtf,
    }
    with running("processes", blueprint, clock=clock, **times) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(AudioChunk(0, np.concatenate([tone(1, 3.0), silence()])))
        stream.finish()
        gate.wait_inside(1)  # in the last slice of the word
        clock.advance(limits.vad_limit_s(0.1) + 1)
        gate.wait_inside(2)  # a fresh process, which has heard all of it again
        clock.advance(limits.vad_limit_s(2.9))
        gate.open()
        assert texts(list(stream)) == ["word 1"]
