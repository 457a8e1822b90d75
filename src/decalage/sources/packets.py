"""Sound in the frames of a network client, as the pipeline wants it: mono float32 at 16 kHz."""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from decalage.audio import SAMPLE_RATE, Samples
from decalage.errors import InputError, one_line
from decalage.sources.downmix import Downmix

Encoding: TypeAlias = Literal["pcm_s16le", "pcm_f32le", "opus"]

OPUS_RATE = 48_000
"""Hertz. RFC 6716: every Opus stream can be decoded at it, whatever it was made from."""
_FULL_SCALE = 32_768.0
_LONGEST_OPUS_S = 0.12
"""RFC 6716, section 3.2: a packet holds no more."""


class Decoder(Protocol):
    """Frames of one encoding, in order."""

    rate: int
    """Hertz."""

    def decode(self, frame: bytes) -> Samples:
        """Mono samples at ``rate``, within ±1. Raises ``InputError``."""
        ...


class PcmDecoder:
    """Raw little-endian samples, 16 bit whole or 32 bit floating."""

    def __init__(self, encoding: Literal["pcm_s16le", "pcm_f32le"], rate: int) -> None:
        self.rate = rate
        self._form = np.dtype("<i2" if encoding == "pcm_s16le" else "<f4")

    def decode(self, frame: bytes) -> Samples:
        if len(frame) % self._form.itemsize:
            raise InputError(f"a frame of {len(frame)} bytes ends in the middle of a sample")
        samples = np.frombuffer(frame, self._form)
        if self._form.kind == "i":
            return samples.astype(np.float32) / np.float32(_FULL_SCALE)
        if not np.isfinite(samples).all():
            raise InputError("a sample is not a number, or infinite")
        return np.clip(samples.astype(np.float32), -1, 1)


class OpusDecoder:
    """One Opus packet a frame, without a container."""

    rate = OPUS_RATE

    def __init__(self) -> None:
        import av  # noqa: PLC0415 - loads FFmpeg

        self._av: Any = av
        self._codec = av.CodecContext.create("opus", "r")
        self._channels = 0
        self._downmix = Downmix(1, OPUS_RATE)

    def decode(self, frame: bytes) -> Samples:
        try:
            decoded = self._codec.decode(self._av.Packet(frame))
        except (self._av.error.FFmpegError, ValueError) as error:
            raise InputError(f"not an Opus packet: {one_line(error)}") from error
        mono = [self._mono(each.to_ndarray()) for each in decoded]
        samples = np.concatenate(mono) if mono else np.zeros(0, np.float32)
        if len(samples) > _LONGEST_OPUS_S * OPUS_RATE:
            raise InputError("an Opus packet of more than 120 ms")
        return np.clip(np.nan_to_num(samples), -1, 1)

    def _mono(self, planes: Samples) -> Samples:
        if len(planes) != self._channels:
            self._channels = len(planes)
            self._downmix = Downmix(self._channels, OPUS_RATE)
        return self._downmix(planes)


class PacketSound:
    """What comes in frames of one encoding, resampled: what it holds back comes with ``finish``."""

    def __init__(self, encoding: Encoding, rate: int) -> None:
        self.encoding = encoding
        self._decoder: Decoder = OpusDecoder() if encoding == "opus" else PcmDecoder(encoding, rate)
        self._resampler: Any = None
        self.received = 0
        """Samples at ``rate``."""

    @property
    def rate(self) -> int:
        """Hertz, of what comes in."""
        return self._decoder.rate

    def add(self, frame: bytes) -> Samples:
        """The next samples at 16 kHz, shape (n,). Raises ``InputError`` for what is no such frame."""
        if not frame:
            return np.zeros(0, np.float32)
        samples = self._decoder.decode(frame)
        self.received += len(samples)
        if self.rate == SAMPLE_RATE:
            return samples
        if self._resampler is None:
            import soxr  # noqa: PLC0415

            self._resampler = soxr.ResampleStream(self.rate, SAMPLE_RATE, 1, dtype="float32")
        return _within(self._resampler.resample_chunk(samples))

    def finish(self) -> Samples:
        """The last samples; no frame comes after it."""
        if self._resampler is None:
            return np.zeros(0, np.float32)
        last = self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        self._resampler = None
        return _within(last)


def _within(samples: Samples) -> Samples:
    """Within ±1: a resampler overshoots."""
    return np.clip(samples, -1, 1)
