"""Files in every container decode to the same sound, and what is no sound is refused in one line."""

from __future__ import annotations

import json
import os
import pickle
import threading
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest

from decalage.audio import SAMPLE_RATE, Samples
from decalage.errors import DamagedInputError, InputError
from decalage.sources.file import FileSource

SAMPLES = Path(__file__).parents[2] / "samples"


def decode(path: Path | str) -> Samples:
    """Everything, with the promises of every chunk checked."""
    position, parts = 0, [np.zeros(0, np.float32)]
    for chunk in FileSource(str(path)):
        assert chunk.first == position
        assert chunk.samples.dtype == np.float32
        assert 0 < len(chunk.samples) <= SAMPLE_RATE // 10
        position += len(chunk.samples)
        parts.append(chunk.samples)
    samples = np.concatenate(parts)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max(initial=0) <= 1
    return samples


def write_wav(path: Path, samples: Samples, rate: int = SAMPLE_RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    return path


def test_the_bundled_talk_decodes_to_its_length() -> None:
    rows = [json.loads(line) for line in (SAMPLES / "manifest.jsonl").read_text("utf-8").splitlines()]
    assert rows
    for row in rows:
        source = FileSource(str(SAMPLES / row["path"]))
        assert source.duration_s == pytest.approx(row["seconds"], abs=0.01)
        assert len(decode(SAMPLES / row["path"])) == pytest.approx(row["seconds"] * SAMPLE_RATE, abs=160)


def test_every_evaluation_file_is_decoded_or_refused_as_it_expects(speech_dir: Path) -> None:
    wrong = []
    for line in (speech_dir / "manifest.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        try:
            outcome = "sound" if len(decode(speech_dir / row["path"])) else "nothing"
        except InputError:
            outcome = "refused"
        except DamagedInputError:
            outcome = "damaged"
        allowed = {
            "transcript": {"sound"},
            "empty": {"sound"},
            "error": {"refused"},
            "empty_or_error": {"sound", "refused"},
            "no_crash": {"sound", "refused", "damaged"},
        }[row["expect"]]
        if outcome not in allowed:
            wrong.append((row["path"], outcome))
    assert wrong == []


def test_containers_and_channel_layouts_give_the_same_sound(speech_dir: Path) -> None:
    formats = speech_dir / "hard" / "formats"
    reference = decode(formats / "mono_f32.wav")
    others = (
        "stereo_48k_s24.wav",
        "mono_96k_s32.wav",
        "surround_5_1_48k.wav",
        "left_only_48k.flac",
        "alac.m4a",
        "pcm.aiff",
        "wavpack.wv",
        "list_chunk_before_data.wav",
        "streaming_size_zero.wav",
    )
    for name in others:
        samples = decode(formats / name)
        length = min(len(samples), len(reference))
        likeness = np.corrcoef(samples[:length], reference[:length])[0, 1]
        assert likeness > 0.99, (name, likeness)


def test_a_voice_in_antiphase_is_kept(tmp_path: Path) -> None:
    voice = decode(SAMPLES / "ask-not.flac")
    stereo = np.stack([voice, -voice], axis=1).ravel()
    samples = decode(write_wav(tmp_path / "antiphase.wav", stereo, channels=2))
    assert abs(np.corrcoef(samples, voice)[0, 1]) > 0.99


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.wav", b"", "is empty"),
        ("text.wav", b"this is a text\n" * 100, "cannot be opened as sound"),
        ("page.mp3", b"<html>" + b"x" * 5000, "cannot be opened as sound"),
    ],
)
def test_what_is_no_sound_is_refused(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=told) as refusal:
        FileSource(str(path))
    assert "\n" not in str(refusal.value)
    assert name in str(refusal.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        FileSource(str(tmp_path / "nothing.wav"))
    with pytest.raises(InputError, match="is a folder"):
        FileSource(str(tmp_path))
    with pytest.raises(InputError, match="does not exist"):
        FileSource("concat:a.wav|b.wav")


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    import av  # noqa: PLC0415

    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(InputError, match="has no sound"):
        FileSource(str(path))


def test_a_truncated_wav_is_given_as_far_as_it_goes_and_then_told(tmp_path: Path) -> None:
    tone = np.sin(np.arange(2 * SAMPLE_RATE) / 20).astype(np.float32) * 0.5
    whole = write_wav(tmp_path / "whole.wav", tone)
    cut = tmp_path / "cut.wav"
    cut.write_bytes(whole.read_bytes()[: 44 + SAMPLE_RATE * 2])
    heard = 0
    with pytest.raises(DamagedInputError, match="ends early"):
        for chunk in FileSource(str(cut)):
            heard += len(chunk.samples)
    assert heard == SAMPLE_RATE


def test_names_with_shell_and_protocol_characters_are_files(tmp_path: Path) -> None:
    tone = np.sin(np.arange(1600) / 20).astype(np.float32)
    for name in ("a b.wav", "semi;colon & 'quote' $HOME.wav", "-dash.wav", "fala nº 1.wav", "data:x.wav"):
        assert len(decode(write_wav(tmp_path / name, tone))) == 1600


def test_a_long_file_is_never_held_whole(tmp_path: Path) -> None:
    minutes = 10
    path = tmp_path / "long.wav"
    second = (np.random.default_rng(1).integers(-2000, 2000, SAMPLE_RATE)).astype("<i2").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        for _ in range(minutes * 60):
            file.writeframes(second)
    source = FileSource(str(path))
    tracemalloc.start()
    total = sum(len(chunk.samples) for chunk in source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == minutes * 60 * SAMPLE_RATE
    assert peak < 2_000_000


def test_stop_ends_the_iteration() -> None:
    source = FileSource(str(SAMPLES / "ask-not.flac"))
    chunks = iter(source)
    next(chunks)
    source.stop()
    assert list(chunks) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes in the file system")
def test_a_file_goes_to_another_process_and_a_pipe_does_not(tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "sound.wav", np.ones(1600, np.float32))
    moved = pickle.loads(pickle.dumps(FileSource(str(sound))))  # noqa: S301 - our own bytes
    assert sum(len(chunk.samples) for chunk in moved) == 1600
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(sound.read_bytes()))
    writer.start()
    source = FileSource(str(pipe))
    with pytest.raises(pickle.PicklingError, match="is open here"):
        pickle.dumps(source)
    assert sum(len(chunk.samples) for chunk in source) == 1600
    writer.join()
