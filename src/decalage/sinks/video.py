"""A recording with its captions as a subtitle track, in Matroska. Nothing is encoded anew."""

from __future__ import annotations

import io
import logging
import secrets
from collections.abc import Iterator
from contextlib import suppress
from heapq import merge
from pathlib import Path
from typing import Any

from decalage.errors import OutputError, UsageError, one_line
from decalage.events import Caption, Event
from decalage.languages import LANGUAGES
from decalage.sinks.captions import Show
from decalage.sinks.output import TextOutput
from decalage.sinks.subtitles import SubtitleSink

logger = logging.getLogger(__name__)

FORM = "mkv"
_CONTAINER = "matroska"
_COPIED = ("video", "audio", "subtitle", "attachment")
_NEEDED = ("video", "audio")
"""Without these no copy is made; what else Matroska cannot hold is left out."""


class VideoSink:
    """Puts the captions of ``recording``, a file, into a copy of it at ``path``, when it is closed.

    Until then they stand in a hidden SRT file beside ``path``. ``path`` appears whole or not at all.
    The other arguments are those of ``SubtitleSink``.
    """

    def __init__(self, path: str, recording: str, show: Show, language: str | None = None) -> None:
        self._path = Path(path).absolute()
        self._recording = Path(recording).absolute()
        self._captions = self._beside("srt")
        self._subtitles = SubtitleSink(TextOutput.to_path(str(self._captions)), "srt", show, language)
        self._language = language
        self._closed = False

    def write(self, event: Event) -> None:
        if isinstance(event, Caption) and self._language is None:
            self._language = next((each for each in event.text if each != event.source), event.source)
        self._subtitles.write(event)

    def close(self) -> None:
        """Raises ``OutputError`` where the copy cannot be made; the captions' file is left there then."""
        if self._closed:
            return
        self._closed = True
        self._subtitles.close()
        import av  # noqa: PLC0415 - loads FFmpeg

        made = self._beside(FORM)
        try:
            _mux(self._recording, self._captions, made, self._language)
            made.replace(self._path)
        except (av.error.FFmpegError, OSError, ValueError, StopIteration) as error:
            told = one_line(getattr(error, "strerror", None) or error)
            raise OutputError(
                f"cannot write {self._path}: {told}; captions are in {self._captions}"
            ) from error
        finally:
            made.unlink(missing_ok=True)
        self._captions.unlink(missing_ok=True)

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(f".decalage-{self._path.stem}-{secrets.token_hex(4)}.{suffix}")


def _opened(recording: str | Path) -> Any:
    """``recording`` to be read, also with tags that are no UTF-8."""
    import av  # noqa: PLC0415 - loads FFmpeg

    return av.open(f"file:{recording}", metadata_errors="replace")


def check_recording(recording: str) -> None:
    """Refuse what no copy can be made of, before it is captioned: raises ``UsageError``."""
    import av  # noqa: PLC0415 - loads FFmpeg

    try:
        with _opened(recording) as source, av.open(io.BytesIO(), "w", format=_CONTAINER) as made:
            _copied(source, made)
            made.start_encoding()  # some is refused only now
    except (av.error.FFmpegError, OSError, ValueError) as error:
        told = one_line(getattr(error, "strerror", None) or error)
        raise UsageError(f"{recording} cannot be copied into Matroska: {told}; write a .srt") from error


def _copied(source: Any, made: Any) -> dict[int, Any]:
    """Index of each stream of ``source`` that ``made`` can hold → the stream it is copied to."""
    copied = {}
    for stream in source.streams:
        if stream.type not in _COPIED:
            continue
        try:
            copied[stream.index] = made.add_stream_from_template(stream, opaque=True)
        except ValueError as error:
            if stream.type in _NEEDED:
                raise
            logger.warning("%s is left out: %s", stream, error)
    return copied


def _sound_begins(recording: Path) -> float:
    """When the first sample is due, which is second 0 of the captions."""
    import av  # noqa: PLC0415 - loads FFmpeg

    with _opened(recording) as source:
        sound = source.streams.audio[0]
        for _, packet in _packets(source, {sound.index: sound}):
            with suppress(av.error.FFmpegError):  # the source passes over damage, too
                for frame in packet.decode():
                    return 0.0 if frame.pts is None else float(frame.pts * frame.time_base)
    return 0.0


def _mux(recording: Path, captions: Path, path: Path, language: str | None) -> None:
    import av  # noqa: PLC0415 - loads FFmpeg

    begins = _sound_begins(recording)
    with _opened(recording) as source, av.open(f"file:{path}", "w", format=_CONTAINER) as made:
        packets = [_packets(source, _copied(source, made))]
        if captions.stat().st_size:
            with av.open(f"file:{captions}", format="srt") as written:
                track = made.add_stream_from_template(written.streams.subtitles[0], opaque=True)
                if language is not None:
                    known = LANGUAGES.get(language)
                    track.metadata["language"] = language if known is None else known.iso
                packets.append(iter(list(_packets(written, {0: track}, begins))))
        for _, packet in merge(*packets, key=lambda each: each[0]):
            made.mux(packet)


def _packets(container: Any, streams: dict[int, Any], later: float = 0.0) -> Iterator[tuple[float, Any]]:
    """(seconds, packet for its stream in ``streams``), in the order of ``container``, all ``later``."""
    import av  # noqa: PLC0415

    last = 0.0
    packets = container.demux(*(container.streams[index] for index in streams))
    while True:
        try:
            packet = next(packets, None)
        except av.error.InvalidDataError:  # told by the source already
            continue
        if packet is None:
            return
        if not packet.size:  # the end of a stream
            continue
        if later:
            packet.pts += round(later / packet.time_base)
            packet.dts += round(later / packet.time_base)
        at = packet.pts if packet.dts is None else packet.dts
        last = last if at is None else max(last, float(at * packet.time_base))
        packet.stream = streams[packet.stream.index]
        yield last, packet
