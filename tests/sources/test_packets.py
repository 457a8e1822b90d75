"""Frames of a network client: what they hold, and what is refused."""

from __future__ import annotations

from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.audio import SAMPLE_RATE, Samples
from decalage.errors import InputError
from decalage.sources.packets import OPUS_RATE, Encoding, PacketSound
from tests.properties import examples


def sine(rate: int, seconds: float, hertz: float = 440.0) -> Samples:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def s16(samples: Samples) -> bytes:
    return bytes((samples * 32768).clip(-32768, 32767).astype("<i2").tobytes())


def opus(samples: Samples, layout: str = "mono") -> list[bytes]:
    """Packets of 20 ms."""
    codec = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format = OPUS_RATE, layout, "s16"
    codec.open()
    packets = []
    for start in range(0, len(samples), 960):
        block = (samples[start : start + 960] * 32767).astype(np.int16)
        both = np.repeat(block, 2)[None] if layout == "stereo" else block[None]
        frame = av.AudioFrame.from_ndarray(both, format="s16", layout=layout)
        frame.sample_rate, frame.pts = OPUS_RATE, start
        packets += [bytes(packet) for packet in codec.encode(frame)]
    return packets


def taken(sound: PacketSound, frames: list[bytes]) -> Samples:
    return np.concatenate([*(sound.add(frame) for frame in frames), sound.finish()])


@given(st.lists(st.integers(0, 700), max_size=12))
def test_pcm_at_16_khz_passes_sample_for_sample(sizes: list[int]) -> None:
    whole = sine(SAMPLE_RATE, 0.4)
    places = np.cumsum([0, *sizes])
    frames = [s16(whole[begin:end]) for begin, end in pairwise(places)]
    sound = PacketSound("pcm_s16le", SAMPLE_RATE)
    said = np.frombuffer(s16(whole[: places[-1]]), "<i2") / np.float32(32768)
    np.testing.assert_array_equal(taken(sound, frames), said)
    assert sound.received == min(int(places[-1]), len(whole))


@examples(20)
@given(st.sampled_from([8_000, 44_100, 48_000, 96_000]), st.integers(50, 5_000))
def test_another_rate_is_resampled_the_same_however_it_is_framed(rate: int, size: int) -> None:
    whole = sine(rate, 0.5)
    frames = [whole[at : at + size].tobytes() for at in range(0, len(whole), size)]
    framed = taken(PacketSound("pcm_f32le", rate), frames)
    at_once = taken(PacketSound("pcm_f32le", rate), [whole.tobytes()])
    np.testing.assert_array_equal(framed, at_once)
    assert len(framed) == pytest.approx(SAMPLE_RATE / 2, abs=2)
    assert np.corrcoef(framed[800:7200], sine(SAMPLE_RATE, 0.5)[800:7200])[0, 1] > 0.999


def test_loud_sound_is_held_within_full_scale() -> None:
    square = np.sign(sine(48_000, 0.2)).astype(np.float32) * 7
    for rate in (SAMPLE_RATE, 48_000):
        assert np.abs(taken(PacketSound("pcm_f32le", rate), [square.tobytes()])).max() <= 1.0


@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_opus_is_decoded_packet_by_packet(layout: str) -> None:
    sound = PacketSound("opus", 16_000)
    heard = taken(sound, opus(sine(OPUS_RATE, 1.0), layout))
    assert sound.rate == OPUS_RATE
    assert sound.received == pytest.approx(OPUS_RATE, abs=960)
    spectrum = np.abs(np.fft.rfft(heard[2000:14000]))
    assert np.argmax(spectrum) * SAMPLE_RATE / 12000 == pytest.approx(440, abs=3)


@pytest.mark.parametrize(
    ("encoding", "frame", "told"),
    [
        ("pcm_s16le", b"\0\0\0", "middle of a sample"),
        ("pcm_f32le", b"\0" * 6, "middle of a sample"),
        ("pcm_f32le", np.array([np.nan], "<f4").tobytes(), "not a number"),
        ("pcm_f32le", np.array([np.inf], "<f4").tobytes(), "infinite"),
        ("opus", b"\xff" * 5, "not an Opus packet"),
    ],
)
def test_what_is_no_such_frame_is_refused(encoding: Encoding, frame: bytes, told: str) -> None:
    sound = PacketSound(encoding, SAMPLE_RATE)
    with pytest.raises(InputError, match=told):
        sound.add(frame)


def test_an_empty_frame_is_no_sound() -> None:
    for encoding in ("pcm_s16le", "pcm_f32le", "opus"):
        assert len(PacketSound(encoding, 48_000).add(b"")) == 0


@examples(200)
@given(st.lists(st.binary(max_size=200), max_size=6))
def test_any_bytes_are_sound_or_refused(frames: list[bytes]) -> None:
    """The decoder goes on after what it could not read."""
    for encoding in ("opus", "pcm_f32le", "pcm_s16le"):
        sound = PacketSound(encoding, 48_000)
        for frame in frames:
            heard: Samples | None = None
            try:
                heard = sound.add(frame)
            except InputError:
                continue
            assert np.isfinite(heard).all()
            assert np.abs(heard, dtype=np.float32).max(initial=0.0) <= 1.0
