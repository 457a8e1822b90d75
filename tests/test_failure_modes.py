"""How systems of this kind fail, where only the whole of it on real sound can show that this one does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from decalage.app.bench.quality import word_errors
from decalage.app.interpreter import Interpreter
from decalage.app.settings import Settings
from decalage.audio import SAMPLE_RATE, AudioChunk, Samples
from decalage.events import Caption, Event, Rejected
from decalage.sources.file import FileSource
from decalage.speech import Utterance
from decalage.stages.segmenter import VadSegmenter

AS_WHEN_LIVE = Settings(end_silence_s=0.5, targets=("en",), offline=True)
"""At full speed, cut as for a listener, without translation: what is heard is what matters here."""
MINUTE = 60 * SAMPLE_RATE
NOISES = {
    "digital silence": "silence_digital_10s.wav",
    "white noise": "white_noise_10s.flac",
    "hum": "hum_50hz_10s.flac",
    "music": "music_synth_20s_stereo44.flac",
}


@pytest.fixture(scope="module")
def interpreter() -> Iterator[Interpreter]:
    with Interpreter(settings=AS_WHEN_LIVE) as made:
        yield made


def decode(path: Path) -> Samples:
    return np.concatenate([chunk.samples for chunk in FileSource(str(path))])


def heard(interpreter: Interpreter, sound: Samples) -> list[Event]:
    stream = interpreter.open()
    for first in range(0, len(sound), SAMPLE_RATE):
        stream.feed(AudioChunk(first, sound[first : first + SAMPLE_RATE]))
    stream.finish()
    return list(stream)


def breath() -> Samples:
    """Noise as of air, coming and going each four seconds."""
    rng = np.random.default_rng(20)
    air = np.convolve(rng.standard_normal(MINUTE), np.hanning(9), "same").astype(np.float32)
    swell = np.clip(np.sin(np.arange(MINUTE) * 2 * np.pi / (4 * SAMPLE_RATE)), 0, None) ** 2
    breathed: Samples = (0.02 * air * swell).astype(np.float32)
    return breathed


@pytest.mark.real
@pytest.mark.speech
@pytest.mark.parametrize("noise", [*NOISES, "breath"])
def test_a_minute_without_speech_gives_no_caption(
    interpreter: Interpreter, speech_dir: Path, noise: str
) -> None:
    once = breath() if noise == "breath" else decode(speech_dir / "hard" / "nonspeech" / NOISES[noise])
    events = heard(interpreter, np.resize(once, MINUTE))
    assert [event for event in events if not isinstance(event, Rejected)] == []


def english(speech_dir: Path) -> list[dict[str, str]]:
    """The rows of recordings whose words are known for certain."""
    rows = map(json.loads, (speech_dir / "manifest.jsonl").read_text("utf-8").splitlines())
    gold = {"language": "en", "transcript_quality": "gold"}
    return [row for row in rows if row["path"].startswith("audio/") and gold.items() <= row.items()]


def unbroken(speech_dir: Path) -> tuple[Samples, str]:
    """A minute of speech without a pause, and what is said: recordings joined where they are loud."""
    sounds, texts, length = [], [], 0
    for row in english(speech_dir):
        sound = decode(speech_dir / row["path"])
        loud = np.flatnonzero(np.abs(sound) > 0.02)
        sounds.append(sound[loud[0] : loud[-1]])
        texts.append(row["transcript"])
        length += len(sounds[-1])
        if length >= MINUTE:
            break
    return np.concatenate(sounds), " ".join(texts)


@pytest.mark.real
@pytest.mark.speech
def test_a_minute_of_unbroken_speech_is_cut_without_a_word_lost_or_said_twice(
    interpreter: Interpreter, speech_dir: Path
) -> None:
    sound, said = unbroken(speech_dir)
    captions = [event for event in heard(interpreter, sound) if isinstance(event, Caption)]
    assert all(0 < caption.end - caption.start <= 15.0 for caption in captions)
    assert all(one.end <= other.start for one, other in pairwise(captions))
    words = [caption.text["en"].lower().split() for caption in captions]
    for one, other in pairwise(words):
        assert not any(one[-size:] == other[:size] for size in range(2, 6))
    errors, count = word_errors(said, " ".join(" ".join(each) for each in words), "en")
    assert errors / count < 0.15


@pytest.mark.real
@pytest.mark.speech
@pytest.mark.parametrize("before_s", [0.0, 30.0])
def test_the_first_word_is_heard_at_once_and_after_a_long_silence(
    interpreter: Interpreter, speech_dir: Path, before_s: float
) -> None:
    row = english(speech_dir)[0]
    sound = decode(speech_dir / row["path"])
    sound = sound[np.flatnonzero(np.abs(sound) > 0.02)[0] :]  # speech from its first sample on
    events = heard(interpreter, np.concatenate([np.zeros(round(before_s * SAMPLE_RATE), np.float32), sound]))
    first = next(event for event in events if isinstance(event, Caption))
    assert first.index == 0
    assert 0 <= first.start <= before_s
    errors, _ = word_errors(row["transcript"].split()[0], first.text["en"].split()[0], "en")
    assert errors == 0


class Loudness:
    """A detector that takes loud for speech: its onsets are known to the sample."""

    frame_samples = 512

    def probability(self, frame: Samples) -> float:
        return float(np.abs(frame).max() > 0.1)


def test_after_an_hour_times_are_true_to_a_frame() -> None:
    segmenter, second = VadSegmenter("s", Loudness()), SAMPLE_RATE
    rng = np.random.default_rng(9)
    onsets: list[float] = []
    found: list[Utterance] = []
    place = 0
    while place < 3600 * second:
        part = np.zeros(int(rng.integers(6, 14)) * second, np.float32)
        begin = int(rng.integers(2 * second, 3 * second))
        part[begin : begin + second] = 0.5
        onsets.append((place + begin) / second)
        for cut in segmenter.feed(AudioChunk(place, part)):
            assert isinstance(cut, Utterance)
            found.append(cut)
        place += len(part)
    found += [cut for cut in segmenter.finish() if isinstance(cut, Utterance)]
    frame_s = Loudness.frame_samples / second
    assert len(found) == len(onsets) > 300
    for utterance, onset in zip(found, onsets, strict=True):
        assert abs(utterance.speech_end - (onset + 1.0)) <= frame_s
        heard_at = utterance.start + np.flatnonzero(utterance.samples)[0] / second
        assert abs(heard_at - onset) <= 1 / second
    assert all(one.end <= other.start for one, other in pairwise(found))
