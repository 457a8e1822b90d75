"""A file or URL in any container and codec with sound, decoded by PyAV as it is read."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from pickle import PicklingError
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decalage.audio import SAMPLE_RATE, AudioChunk, Samples, sample_count, seconds
from decalage.errors import DamagedInputError, InputError, one_line
from decalage.sources.downmix import Downmix, clean
from decalage.sources.frame_clock import find_clock
from decalage.sources.isom import lacks_index
from decalage.sources.promised import find_promise
from decalage.sources.reach import OWN, STRANGE, TRACKS, bound_memory, network
from decalage.sources.riff import missing_bytes

logger = logging.getLogger(__name__)

_CHUNK = SAMPLE_RATE // 10
_RATES = range(1_000, 768_001)
_URL = re.compile(r"(https?|rtsps?|rtmps?|srt)://", re.IGNORECASE)
_TLS = re.compile(r"(https|rtsps|rtmps)://", re.IGNORECASE)
_PASSWORD = re.compile(r"^(\w+://[^/?#:@]*):[^/?#]*@")
_URL_TIMEOUT_S = (10.0, 20.0)
"""To open, and for each read."""
_URL_OPTIONS = {"reconnect": "1", "reconnect_delay_max": "8"}
"""FFmpeg's own, for files: a transfer that broke off goes on where it was."""
_ANY_TAGS = MappingProxyType({"metadata_errors": "replace"})
"""What to do with tags that are no UTF-8: a title in Latin-1 is no reason to refuse a talk."""
_QUIET_S = 1.0
"""Up to here what a file leaves out is silence, as its pieces go; more of it is a hole."""
_OF_THIS_PROCESS = (("/", "dev"), ("/", "proc"))
"""Where a path means something else in another process."""


def is_url(given: str) -> bool:
    """Whether ``given`` is on the network rather than a path."""
    return _URL.match(given) is not None


def without_password(given: str) -> str:
    """``given`` as it may be told: ``rtsp://user:…@host/``."""
    return _PASSWORD.sub(r"\1:…@", given)


class FileSource:
    """Mono 16 kHz float32 from ``given``, a path or an http, rtsp, rtmp or srt URL.

    Opened, and decoded to its first samples, on construction: raises ``InputError`` for what holds
    no sound. Damage further on is decoded around, then told by ``DamagedInputError`` after the last
    good sample. Where the times that a container gives its sound leap, what is missing is a hole between
    two chunks, so that captions stay in time with the picture. Memory holds one packet, whatever the length.

    ``sound_only``: for a file of a stranger. ``given`` is a path then, whatever it looks like, and only
    a plain container is opened: nothing that names another file or URL (``sources/reach.py``).
    ``called`` is what messages call the file, in place of ``given``.
    """

    def __init__(self, given: str, *, sound_only: bool = False, called: str | None = None) -> None:
        self.name = called or without_password(given)
        self._given = given
        self._sound_only = sound_only
        self._stopped = False
        self._skipped = 0
        self._decoded_s = 0.0
        self._path = None if is_url(given) and not sound_only else _checked(given, self.name)
        self._plain = self._path if self._path is not None and self._path.is_file() else None
        self._container, self._stream = self._open()
        self.duration_s = self._duration()
        form = self._container.format.name.split(",")[0]
        self._promise = find_promise(form, self._container, self._stream, self._plain)
        self._clock = find_clock(form, self.duration_s, live=self._path is None)
        self._blocks = self._decode()
        self._first_block = next(self._blocks, None)
        if self._first_block is None:
            why = "its index may be at its end, download it first" if self._path is None else "check the file"
            raise InputError(f"{self.name} holds no sound that can be decoded; {why}")

    def __repr__(self) -> str:
        return f"<FileSource {self.name!r} {self._decoded_s:.1f} s decoded>"

    def __reduce__(self) -> tuple[partial[FileSource], tuple[str]]:
        """Goes to another process before it is iterated, and is opened again there.

        Raises ``PicklingError`` for a URL or a pipe, which do not give twice what they have given, and
        for a path such as ``/dev/fd/3`` that means something else there.
        """
        if self._path is None or not self._path.is_file() or self._path.parts[:2] in _OF_THIS_PROCESS:
            raise PicklingError(f"{self.name} is open here")
        again = partial(FileSource, sound_only=self._sound_only, called=self.name)
        return again, (self._given,)

    def stop(self) -> None:
        self._stopped = True

    def __iter__(self) -> Iterator[AudioChunk]:
        first = 0
        pending: Samples = np.zeros(0, np.float32)
        for samples in self._resampled():
            if isinstance(samples, int):
                if len(pending):
                    yield AudioChunk(first, pending)
                first += len(pending) + samples
                pending = np.zeros(0, np.float32)
                continue
            pending = np.concatenate([pending, samples])
            while len(pending) >= _CHUNK and not self._stopped:
                yield AudioChunk(first, pending[:_CHUNK])
                first += _CHUNK
                pending = pending[_CHUNK:]
            if self._stopped:
                break
        if len(pending) and not self._stopped:
            yield AudioChunk(first, pending)
            first += len(pending)
        self._container.close()
        if not self._stopped:
            self._tell_damage(seconds(first))

    def _open(self) -> tuple[Any, Any]:
        import av  # noqa: PLC0415 - loads FFmpeg

        try:
            if self._path is None:
                options = {**network(), **_URL_OPTIONS}
                container = av.open(self._given, timeout=_URL_TIMEOUT_S, options=options, **_ANY_TAGS)
            else:
                if self._sound_only:
                    bound_memory()
                options = dict(STRANGE if self._sound_only else OWN)
                container = av.open(f"file:{self._path}", options=options, **_ANY_TAGS)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            why = self._why(error)
            raise InputError(f"{self.name} cannot be opened as sound: {why}") from error
        if not container.streams.audio:
            container.close()
            raise InputError(f"{self.name} has no sound in it")
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            container.close()
            raise InputError(f"{self.name}: no decoder is here for its sound")
        try:
            stream.codec_context.open(strict=False)
        except (av.error.FFmpegError, ValueError) as error:
            container.close()
            raise InputError(f"{self.name}: its sound cannot be decoded: {_reason(error)}") from error
        return container, stream

    def _why(self, error: Exception) -> str:
        """Why it cannot be opened, as far as ``error`` tells."""
        number = getattr(error, "errno", None)
        if self._sound_only and number == errno.EINVAL:
            return "it is no plain file of sound or video"
        if self._sound_only and number == errno.ENOMEM:
            return f"it has more than {TRACKS} tracks, or tables too large"
        if self._plain is not None and lacks_index(self._plain):
            return "its index is missing: the recording, or its copy, broke off"
        if self._path is None and number == errno.EIO and _TLS.match(self._given):
            return "its certificate may not be trusted; SSL_CERT_FILE names a file of those that are"
        return _reason(error)

    def _duration(self) -> float | None:
        """Seconds, where the container says something sane."""
        if self._container.duration is None:
            return None
        duration_s = float(self._container.duration / 1_000_000)
        return duration_s if 0 < duration_s < 30 * 24 * 3600 else None

    def _decode(self) -> Iterator[tuple[int, NDArray[np.float32], float]]:
        """(rate, samples of shape (channels, n), seconds missing before) for each decoded frame.

        Damage is counted, not raised.
        """
        import av  # noqa: PLC0415

        planar = av.AudioResampler(format="fltp")
        for packet in self._packets():
            try:
                frames = [made for frame in packet.decode() for made in planar.resample(frame)]
            except av.error.EOFError:
                return
            except (av.error.FFmpegError, ValueError) as error:  # of damaged sound FFmpeg says many things
                self._count_damage(error)
                continue
            for frame in frames:
                if not frame.samples:
                    continue
                rate, missing_s = self._checked_rate(frame.sample_rate), 0.0
                if self._clock is not None:
                    timed = frame.pts is not None and frame.time_base is not None
                    at_s = float(frame.pts * frame.time_base) if timed else None
                    missing_s = self._clock.missing_s(at_s, frame.samples / rate)
                yield rate, clean(frame.to_ndarray()), missing_s

    def _packets(self) -> Iterator[Any]:
        """Of the track, as far as the file, the disk and the connection go."""
        import av  # noqa: PLC0415

        packets = self._container.demux(self._stream)
        while not self._stopped:
            try:
                packet = next(packets, None)
            except av.error.EOFError:
                return
            except (av.error.FFmpegError, ValueError) as error:
                self._count_damage(error)
                if not isinstance(error, av.error.InvalidDataError):
                    return
                continue
            if packet is None:
                return
            yield packet

    def _count_damage(self, error: Exception) -> None:
        logger.debug("%s: after %.2f s: %s", self.name, self._decoded_s, error)
        self._skipped += 1

    def _checked_rate(self, rate: int) -> int:
        if rate not in _RATES:
            raise InputError(f"{self.name} has a sample rate of {rate} Hz; 1 to 768 kHz can be read")
        return rate

    def _resampled(self) -> Iterator[Samples | int]:
        """16 kHz mono, and how many samples are missing where some are."""
        import soxr  # noqa: PLC0415

        block, form = self._first_block, (0, 0)
        downmix = Downmix(1, SAMPLE_RATE)
        resampler: Any = None
        while block is not None:
            rate, samples, missing_s = block
            quiet = self._path is not None and 0 < missing_s < _QUIET_S
            leaps = missing_s > 0 and not quiet
            if form != (rate, len(samples)) or leaps:
                if resampler is not None:
                    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
                if leaps:
                    level = logging.WARNING if self._path is None else logging.DEBUG
                    logger.log(level, "%s: %.1f s are missing", self.name, missing_s)
                    yield sample_count(missing_s)
                form = (rate, len(samples))
                downmix = Downmix(len(samples), rate)
                resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
            mono = downmix(samples)
            self._decoded_s += len(mono) / rate
            if quiet:
                mono = np.concatenate([np.zeros(round(missing_s * rate), np.float32), mono])
            yield np.clip(resampler.resample_chunk(mono), -1, 1)
            block = next(self._blocks, None)
        if resampler is not None:
            yield np.clip(resampler.resample_chunk(np.zeros(0, np.float32), last=True), -1, 1)

    def _tell_damage(self, heard_s: float) -> None:
        if self._skipped:
            pieces = f"{self._skipped} piece{'' if self._skipped == 1 else 's'}"
            raise DamagedInputError(
                f"{self.name} is damaged: {pieces} could not be decoded, {self._decoded_s:.1f} s could"
            )
        said_s = None if self._promise is None else self._promise.broken(heard_s, self._clock)
        if said_s is not None:
            raise DamagedInputError(
                f"{self.name} ends early: it says {said_s:.1f} s and holds {heard_s:.1f} s"
            )
        lost = 0 if self._plain is None else missing_bytes(self._plain)
        if lost:
            raise DamagedInputError(
                f"{self.name} ends early: {lost} bytes of the sound it promises are not there, "
                f"{heard_s:.1f} s are"
            )


def _checked(given: str, name: str) -> Path:
    """The absolute path of an existing, non-empty file; messages call it ``name``."""
    path = Path(given)
    try:
        if path.is_dir():
            raise InputError(f"{name} is a folder; name a file in it")
        if not path.exists():
            raise InputError(f"{name} does not exist; check the name")
        if path.is_file() and path.stat().st_size == 0:
            raise InputError(f"{name} is empty")
    except (OSError, ValueError) as error:
        raise InputError(f"{name!r} cannot be read: {_reason(error)}") from error
    return path.absolute()


def _reason(error: Exception) -> str:
    """What FFmpeg or the system says, without its number and its repetition of the name."""
    return one_line(getattr(error, "strerror", None) or error)
