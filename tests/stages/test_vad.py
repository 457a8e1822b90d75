"""Silero on its own, and with the segmenter over real sound."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from decalage.audio import SAMPLE_RATE, AudioChunk, Samples
from decalage.contracts import VoiceActivityDetector
from decalage.errors import MissingPartError, ModelDamagedError, ModelMissingError
from decalage.speech import Activity, Cut, Utterance
from decalage.stages.segmenter import VadSegmenter
from decalage.stages.vad import FRAME_SAMPLES, SileroModel, silero_path

NONSPEECH = (
    "silence_digital_10s.wav",
    "silence_80dbfs_noise_10s.wav",
    "white_noise_10s.flac",
    "pink_noise_10s.flac",
    "brown_noise_10s.flac",
    "hum_50hz_10s.flac",
    "dtmf_8s.flac",
    "music_synth_20s_stereo44.flac",
    "clicks_10s.flac",
)


@pytest.fixture(scope="module")
def model() -> SileroModel:
    return SileroModel()


def decode(path: Path) -> Samples:
    """The whole file, mixed to mono at 16 kHz."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    pieces: list[Samples] = []
    with av.open(str(path)) as container:
        for frame in [*container.decode(audio=0), None]:
            pieces += [piece.to_ndarray().reshape(-1) for piece in resampler.resample(frame)]
    return np.concatenate(pieces).astype(np.float32)


def probabilities(detector: VoiceActivityDetector, sound: Samples) -> list[float]:
    return [
        detector.probability(sound[first : first + FRAME_SAMPLES])
        for first in range(0, len(sound) - FRAME_SAMPLES + 1, FRAME_SAMPLES)
    ]


def segments(model: SileroModel, sound: Samples, size: int = 1600) -> list[Cut]:
    segmenter = VadSegmenter("s", model.detector())
    found: list[Cut] = []
    for first in range(0, len(sound), size):
        found += segmenter.feed(AudioChunk(first, sound[first : first + size]))
    found += segmenter.finish()
    counts = segmenter.statistics()
    assert counts.samples_in == len(sound) == counts.in_utterances + counts.non_speech
    return found


def manifest(speech_dir: Path) -> dict[str, dict[str, Any]]:
    lines = (speech_dir / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return {entry["path"]: entry for entry in map(json.loads, lines)}


def covered(found: list[Cut], start: float, end: float) -> float:
    return sum(
        max(0.0, min(end, segment.end) - max(start, segment.start))
        for segment in found
        if not isinstance(segment, Activity)
    )


def test_importing_the_stage_loads_neither_onnxruntime_nor_faster_whisper() -> None:
    code = (
        "import sys, decalage.stages.vad, decalage.stages.segmenter as s;"
        "decalage.stages.vad.silero_path();"
        "sys.exit(sorted({'onnxruntime', 'faster_whisper', 'ctranslate2'} & set(sys.modules)) != [])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_file_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"nowhere\.onnx: python -m pip install"):
        SileroModel(tmp_path / "nowhere.onnx")


def test_a_missing_package_is_told_with_the_command_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", {}.get)
    with pytest.raises(ModelMissingError, match="not installed: python -m pip install"):
        silero_path()


def installed(folder: Path, content: bytes, found: bytes) -> Path:
    """faster-whisper as pip leaves it in ``folder``, with ``found`` where it noted ``content``."""
    file = folder / "faster_whisper" / "assets" / "silero_vad_v6.onnx"
    about = folder / "faster_whisper-1.2.3.dist-info"
    file.parent.mkdir(parents=True)
    about.mkdir()
    (folder / "faster_whisper" / "__init__.py").touch()
    file.write_bytes(found)
    digest = urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: faster-whisper\nVersion: 1.2.3\n")
    (about / "RECORD").write_text(f"{file.relative_to(folder).as_posix()},sha256={digest},{len(content)}\n")
    return file


@pytest.mark.parametrize("found", [b"weights", b"weighty"])
def test_a_file_that_is_not_as_it_was_installed_is_told_with_the_command_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: bytes
) -> None:
    file = installed(tmp_path, b"weights", found)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "faster_whisper", raising=False)
    if found == b"weights":
        assert silero_path() == file
        return
    with pytest.raises(ModelDamagedError, match=r"_v6\.onnx is not as it was installed; run: .*pip"):
        silero_path()


def test_a_missing_onnxruntime_is_told_with_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPartError, match="pip install onnxruntime"):
        SileroModel()


def test_a_file_that_is_no_network_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(MissingPartError, match=r"damaged\.onnx does not load") as caught:
        SileroModel(path)
    assert "\n" not in str(caught.value)


@pytest.mark.real
def test_silence_and_noise_are_improbable_and_the_frame_is_left_as_it_is(model: SileroModel) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (60, FRAME_SAMPLES)).astype(np.float32)
    before = noise.copy()
    detector = model.detector()
    assert max(detector.probability(frame) for frame in noise) < 0.35
    assert max(probabilities(model.detector(), np.zeros(60 * FRAME_SAMPLES, np.float32))) < 0.1
    np.testing.assert_array_equal(noise, before)


@pytest.mark.real
@pytest.mark.speech
def test_streams_share_the_network_and_no_state(model: SileroModel, speech_dir: Path) -> None:
    sounds = [decode(speech_dir / "hard/degraded" / name) for name in ("pink_snr5.flac", "fast_1.35x.flac")]
    alone = [probabilities(model.detector(), sound) for sound in sounds]
    detectors = [model.detector() for _ in sounds]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(probabilities, detectors, sounds))
    assert together == alone
    assert max(alone[0]) > 0.9


@pytest.mark.real
@pytest.mark.speech
def test_a_stream_gives_what_the_whole_file_gives(model: SileroModel, speech_dir: Path) -> None:
    """But for the last frame, whose end the batch code overwrites."""
    from faster_whisper.vad import get_vad_model  # noqa: PLC0415  # slow, and for this test alone

    sound = decode(speech_dir / "hard/degraded/pink_snr20.flac")
    sound = sound[: len(sound) // FRAME_SAMPLES * FRAME_SAMPLES]
    whole = get_vad_model()(sound.copy())
    streamed = probabilities(model.detector(), sound)
    np.testing.assert_allclose(streamed[:-1], whole.reshape(-1)[:-1], atol=1e-3)


@pytest.mark.real
@pytest.mark.speech
def test_samples_that_are_no_numbers_do_not_deafen_the_rest(model: SileroModel, speech_dir: Path) -> None:
    sound = decode(speech_dir / "hard/degraded/pink_snr20.flac")
    clean = probabilities(model.detector(), sound)
    detector = model.detector()
    for value in (np.nan, np.inf, -np.inf, 1e38):
        detector.probability(np.full(FRAME_SAMPLES, value, dtype=np.float32))
    after = probabilities(detector, sound)
    np.testing.assert_allclose(after[31:], clean[31:], atol=0.1)  # a second later


@pytest.mark.real
@pytest.mark.speech
@pytest.mark.parametrize("name", NONSPEECH)
def test_sound_without_speech_gives_no_utterance(model: SileroModel, speech_dir: Path, name: str) -> None:
    assert segments(model, decode(speech_dir / "hard/nonspeech" / name)) == []


@pytest.mark.real
@pytest.mark.speech
def test_degraded_speech_is_heard_nearly_whole(model: SileroModel, speech_dir: Path) -> None:
    """Quiet, noisy, clipped, reverberant and telephone speech: the same sentence, at least 5 s of it."""
    short = {}
    for path, entry in manifest(speech_dir).items():
        if path.startswith("hard/degraded/") and entry["expect"] == "transcript":
            found = segments(model, decode(speech_dir / path))
            heard = covered(found, 0.0, float("inf"))
            if heard < 5.0:
                short[path] = heard
    assert short == {}


@pytest.mark.real
@pytest.mark.speech
@pytest.mark.parametrize("size", [160, 50_000])
def test_a_long_reading_is_covered_to_99_percent(model: SileroModel, speech_dir: Path, size: int) -> None:
    path = "audio/en/long-lj001.flac"
    found = segments(model, decode(speech_dir / path), size)
    spoken = manifest(speech_dir)[path]["segments"]
    total = sum(part["end"] - part["start"] for part in spoken)
    heard = sum(covered(found, part["start"], part["end"]) for part in spoken)
    assert heard >= 0.99 * total
    assert all(isinstance(segment, Utterance) and segment.duration <= 20.0 for segment in found)


@pytest.mark.real
@pytest.mark.speech
def test_the_end_of_speech_is_told_to_a_tenth_of_a_second(model: SileroModel, speech_dir: Path) -> None:
    """The sentence of the degraded set ends at 6.8 s by its level, 20 s of silence follow."""
    (utterance,) = segments(model, decode(speech_dir / "hard/degraded/trail_silence_20s.flac"))
    assert isinstance(utterance, Utterance)
    assert utterance.speech_end == pytest.approx(6.8, abs=0.1)
    assert utterance.end < 7.5
