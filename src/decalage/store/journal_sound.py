"""Sound in files that can be cut off anywhere: FLAC, 16 bit, written frame by frame without a muxer."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decalage.audio import SAMPLE_RATE, Samples

FRAME_SAMPLES = 1152
"""0.072 s: what a frame holds, and so what is not yet in the file."""
_FULL_SCALE = 32_768.0
_SIGNATURE = b"fLaC\x80\x00\x00\x22"
"""RFC 9639, section 8: one metadata block, STREAMINFO of 34 bytes, which leaves the length open."""


class FlacEncoder:
    """Gives each frame as soon as its sound is there.

    What came with 16 bits is kept bit for bit, all else rounded to them: 96 dB down.
    """

    def __init__(self) -> None:
        import av  # noqa: PLC0415 - loads FFmpeg

        self._av: Any = av
        codec = av.CodecContext.create("flac", "w")
        codec.sample_rate = SAMPLE_RATE
        codec.format = "s16"
        codec.layout = "mono"
        codec.time_base = Fraction(1, SAMPLE_RATE)
        codec.options = {"frame_size": str(FRAME_SAMPLES)}
        codec.open()
        self._codec = codec
        self._waiting: NDArray[np.int16] = np.zeros(0, np.int16)  # less than a frame
        self._encoded = 0
        self.header = _SIGNATURE + bytes(codec.extradata)
        """What the file begins with."""

    @property
    def waiting(self) -> int:
        """Samples that no frame holds yet."""
        return len(self._waiting)

    def add(self, samples: Samples) -> bytes:
        """The frames that are whole with ``samples``."""
        self._waiting = np.concatenate([self._waiting, _sixteen_bit(samples)])
        whole = len(self._waiting) // FRAME_SAMPLES * FRAME_SAMPLES
        frames = [
            self._encode(self._waiting[at : at + FRAME_SAMPLES]) for at in range(0, whole, FRAME_SAMPLES)
        ]
        self._waiting = self._waiting[whole:]
        return b"".join(frames)

    def finish(self) -> bytes:
        """The last frame, a shorter one; no sound comes after it."""
        last = self._encode(self._waiting) if len(self._waiting) else b""
        self._waiting = self._waiting[:0]
        return last + self._packets(None)

    def _encode(self, samples: NDArray[np.int16]) -> bytes:
        frame = self._av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._encoded
        self._encoded += len(samples)
        return self._packets(frame)

    def _packets(self, frame: Any) -> bytes:
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))


def read_flac(path: Path) -> Iterator[Samples]:
    """The sound of ``path`` frame by frame, up to the first frame that is cut off or damaged."""
    import av  # noqa: PLC0415 - loads FFmpeg

    place = 0
    try:
        with av.open(f"file:{path}", format="flac") as container:
            stream = container.streams.audio[0]
            stream.codec_context.options = {"err_detect": "crccheck+explode"}
            for frame in container.decode(stream):
                if frame.pts is None or round(frame.pts * frame.time_base * SAMPLE_RATE) != place:
                    return  # frames between are gone
                samples = frame.to_ndarray()[0]
                place += len(samples)
                yield samples.astype(np.float32) / np.float32(_FULL_SCALE)
    except (av.error.FFmpegError, IndexError):
        return


def _sixteen_bit(samples: Samples) -> NDArray[np.int16]:
    scaled = np.rint(np.nan_to_num(samples) * np.float32(_FULL_SCALE))
    clipped: NDArray[np.int16] = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    return clipped
