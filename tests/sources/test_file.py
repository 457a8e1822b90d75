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


def test_what_could_not_be_decoded_is_counted_in_words(tmp_path: Path) -> None:
    cut = tmp_path / "cut.flac"
    cut.write_bytes((SAMPLES / "ask-not.flac").read_bytes()[:100_000])
    with pytest.raises(DamagedInputError, match=" 1 piece could not be decoded, "):
        decode(cut)


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


def encode(path: Path, codec: str, samples: Samples, rate: int = 48_000) -> Path:
    """``samples``, 16 kHz mono, in the container that the name says."""
    import av  # noqa: PLC0415

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.codec_context.layout = "mono"
        stream.codec_context.bit_rate = 64_000
        resampler = av.AudioResampler(stream.codec_context.format, "mono", rate)
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="flt", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for ready in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(ready))
    return path


STRANGERS = [
    ("a.webm", "libopus", 48_000),
    ("a.ogg", "libopus", 48_000),
    ("a.mkv", "aac", 48_000),
    ("a.mp4", "aac", 44_100),
    ("a.mov", "pcm_s16le", 16_000),
    ("a.aac", "aac", 44_100),
    ("a.mp3", "libmp3lame", 44_100),
    ("a.wav", "pcm_f32le", 16_000),
    ("a.aiff", "pcm_s16be", 22_050),
    ("a.caf", "pcm_s16be", 16_000),
    ("a.au", "pcm_s16be", 16_000),
    ("a.w64", "pcm_s16le", 16_000),
    ("a.ts", "mp2", 48_000),
    ("a.mpg", "mp2", 48_000),
    ("a.avi", "pcm_s16le", 16_000),
    ("a.wma", "wmav2", 44_100),
    ("a.flv", "aac", 44_100),
    ("a.wv", "wavpack", 16_000),
    ("a.tta", "tta", 16_000),
]


@pytest.mark.parametrize(("name", "codec", "rate"), STRANGERS)
def test_plain_files_of_strangers_are_heard_without_their_extension(
    tmp_path: Path, name: str, codec: str, rate: int
) -> None:
    voice = decode(SAMPLES / "ask-not.flac")[: 4 * SAMPLE_RATE]
    path = encode(tmp_path / name, codec, voice, rate).rename(tmp_path / "upload")
    source = FileSource(str(path), sound_only=True)
    samples = np.concatenate([chunk.samples for chunk in source])
    assert len(samples) / SAMPLE_RATE == pytest.approx(4, abs=0.2)
    assert np.abs(samples).max() > 0.05


@pytest.mark.parametrize("name", [path.name for path in SAMPLES.glob("*.flac")])
def test_the_samples_may_come_from_strangers(name: str) -> None:
    assert next(iter(FileSource(str(SAMPLES / name), sound_only=True)))


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\npart.ts\n#EXT-X-ENDLIST\n"
SCRIPT = "ffconcat version 1.0\nfile part.ts\n"


@pytest.mark.parametrize(("name", "text"), [("list.m3u8", PLAYLIST), ("script.ffconcat", SCRIPT)])
def test_what_names_other_files_is_opened_for_oneself_and_not_for_strangers(
    tmp_path: Path, name: str, text: str
) -> None:
    encode(tmp_path / "part.ts", "mp2", np.full(SAMPLE_RATE, 0.1, np.float32))
    path = tmp_path / name
    path.write_text(text)
    assert next(iter(FileSource(str(path))))
    with pytest.raises(InputError, match=r"^talk cannot be opened as sound"):
        FileSource(str(path), sound_only=True, called="talk")


DRAWING = '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
SUBTITLES = "1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:00:03,000 --> 00:00:04,000\nthere\n"
CALL = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"


@pytest.mark.parametrize("text", [DRAWING, SUBTITLES, CALL], ids=["svg", "srt", "sdp"])
def test_what_is_no_sound_is_not_read_for_strangers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "upload"
    path.write_text(text)
    with pytest.raises(InputError, match=r"^talk\.wav cannot be opened as sound: it is no plain file"):
        FileSource(str(path), sound_only=True, called="talk.wav")


def test_an_address_is_a_path_for_strangers() -> None:
    with pytest.raises(InputError, match="does not exist"):
        FileSource("http://127.0.0.1:9/radio", sound_only=True)


def test_messages_call_a_file_as_they_are_told_to_in_other_processes_too(tmp_path: Path) -> None:
    whole = write_wav(tmp_path / "secret.wav", np.full(2 * SAMPLE_RATE, 0.1, np.float32))
    whole.write_bytes(whole.read_bytes()[: 44 + SAMPLE_RATE * 2])
    moved = pickle.loads(pickle.dumps(FileSource(str(whole), sound_only=True, called="talk")))  # noqa: S301 - our own bytes
    assert moved.name == "talk"
    with pytest.raises(DamagedInputError) as told:
        list(moved)
    assert str(told.value).startswith("talk ends early")
    encode(tmp_path / "part.ts", "mp2", np.full(SAMPLE_RATE, 0.1, np.float32))
    source = FileSource(str(whole), sound_only=True, called="talk")
    whole.write_text(SCRIPT)
    with pytest.raises(InputError, match=r"^talk cannot be opened as sound: it is no plain file"):
        pickle.loads(pickle.dumps(source))  # noqa: S301
