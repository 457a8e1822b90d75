"""Sound as it comes: frames of network clients, a WAV file's header, raw samples on a pipe."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from contextlib import closing, suppress

import numpy as np

from decalage.audio import SAMPLE_RATE, Samples
from decalage.errors import DamagedInputError, InputError
from decalage.sources.packets import OPUS_RATE, Encoding, PacketSound
from decalage.sources.pcm import PcmSource
from decalage.sources.riff import _missing
from scripts.fuzz.choices import Choices, hold
from scripts.fuzz.target import Target

_RATES = (8_000, 16_000, 22_050, 44_100, 48_000, 192_000)
_SILENT_OPUS = b"\xf8\xff\xfe"
"""20 ms of silence."""
_HELD_S = 0.2
"""More than a resampler holds back."""
_READS = 2_000
"""Of a header, however long the file."""


def _frames(choices: Choices) -> Iterator[bytes]:
    while piece := choices.taken(1):
        yield choices.taken(piece[0])


def _heard(encoding: Encoding, rate: int, frames: Iterator[bytes]) -> PacketSound:
    """``frames`` through a decoder, which goes on after those that it refuses."""
    sound = PacketSound(encoding, rate)
    given = made = 0
    for frame in frames:
        before = sound.received
        with suppress(InputError):
            samples = sound.add(frame)
            _hold_sound(samples)
            made += len(samples)
        new = sound.received - before
        size = 2 if encoding == "pcm_s16le" else 4
        hold(new <= 0.12 * OPUS_RATE if encoding == "opus" else new in (0, len(frame) / size), new)
        given += new
    if encoding == "opus":
        hold(len(sound.add(_SILENT_OPUS)) <= _HELD_S * SAMPLE_RATE, "silence after all that")
    last = sound.finish()
    _hold_sound(last)
    due = sound.received / sound.rate
    hold(made + len(last) <= (due + _HELD_S) * SAMPLE_RATE, f"{made} samples of {due} s")
    return sound


def _hold_sound(samples: Samples) -> None:
    hold(samples.dtype == np.float32 and samples.ndim == 1, samples.dtype)
    hold(np.isfinite(samples).all() and np.abs(samples).max(initial=0) <= 1, "beyond full scale")


def opus(data: bytes) -> None:
    """Packets of Opus: at most 120 ms each, within full scale, or refused; the decoder goes on."""
    _heard("opus", OPUS_RATE, _frames(Choices(data)))


def pcm(data: bytes) -> None:
    """Frames of raw samples: every whole one is heard, within full scale, or the frame is refused."""
    choices = Choices(data)
    encodings: tuple[Encoding, ...] = ("pcm_s16le", "pcm_f32le")
    _heard(choices.pick(encodings), choices.pick(_RATES), _frames(choices))


class _Counted(io.BytesIO):
    """Counts how often it is read."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


def wav_header(data: bytes) -> None:
    """A WAV file: how much sound is missing is told, after few reads, and is what a header can say."""
    whole = data[1:13] + data[13:] * (400 if data[:1] == b"\1" else 1)
    file = _Counted(whole)
    with suppress(struct.error):
        hold(0 <= _missing(file, len(whole)) < 2**32, "bytes beyond what 32 bits can say")
    hold(file.reads <= _READS, f"{file.reads} reads of {len(data)} bytes")


def pcm_pipe(data: bytes) -> None:
    """Raw samples on a pipe: each comes once, and half of one at the end is told."""
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    with open(reading, "rb", buffering=0) as pipe:  # noqa: PTH123 - a pipe has no path
        try:
            source = PcmSource(pipe)
        except InputError:
            hold(not data, "sound refused")
            return
        heard, told = [], False
        with closing(iter(source)) as chunks:  # type: ignore[type-var]
            try:
                for chunk in chunks:
                    heard.append(chunk.samples)  # noqa: PERF401 - what came before an error counts
            except DamagedInputError:
                told = True
            except InputError:
                hold(len(data) < 2, "sound refused")
                source.stop()
                return
        source.stop()
    whole = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
    hold(np.array_equal(np.concatenate(heard) * 32_768, whole), "other samples")
    hold(told == bool(len(data) % 2), "half a sample")


def _wav(*chunks: tuple[bytes, int, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", size) + rest for name, size, rest in chunks)
    return b"\0RIFF" + struct.pack("<I", len(body)) + b"WAVE" + body


TARGETS = (
    Target("opus", opus, (b"\x03" + _SILENT_OPUS, b"\x03\xfc\xff\xfe\x03" + _SILENT_OPUS), longest=600),
    Target("pcm-frames", pcm, (b"\0\1\4\1\0\2\0", b"\1\4\4\0\0\x80\x3f", b"\1\1\4\0\0\xc0\x7f")),
    Target(
        "wav-header",
        wav_header,
        (
            _wav((b"fmt ", 16, bytes(16)), (b"LIST", 3, b"abc\0"), (b"data", 100, bytes(40))),
            _wav((b"data", 0, b"")),
        ),
        ("RIFF", "WAVE", "fmt ", "data", "LIST"),
        256,
    ),
    Target("pcm-pipe", pcm_pipe, (b"\0\x80\xff\x7f", b"\1\0\2"), longest=4000),
)
