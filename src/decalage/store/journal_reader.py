"""What a session's journal holds, whole or as far as it was written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from decalage.audio import AudioChunk
from decalage.errors import InputError, MalformedEventError
from decalage.events import Event
from decalage.store.journal_folders import EVENTS, SETTINGS
from decalage.store.journal_session import ENDED, Ending
from decalage.store.journal_settings import JournalSettings, settings_from_json
from decalage.store.journal_sound import read_flac
from decalage.wire import from_json

_SOUND = re.compile(r"sound-(\d{12})\.flac")


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event as it was told."""

    seq: int
    event: Event


@dataclass(frozen=True, slots=True)
class JournalContent:
    """One session; its sound stays on the disk until it is asked for."""

    folder: Path
    settings: JournalSettings
    events: tuple[Numbered, ...]
    """In the order in which they were told."""
    ending: Ending | None
    """None: it is being written, or its program came to an end before."""

    def chunks(self, first: int = 0) -> Iterator[AudioChunk]:
        """The sound from sample ``first`` on, in order, none twice.

        Where a chunk does not begin at the end of the one before, nothing was heard, or what was heard is
        damaged.
        """
        files = _sound_files(self.folder)
        for number, (begins, path) in enumerate(files):
            ends = files[number + 1][0] if number + 1 < len(files) else None
            if ends is not None and ends <= first:
                continue
            place = begins
            for samples in read_flac(path):
                skipped = max(0, first - place)
                kept = samples[skipped : None if ends is None else max(0, ends - place)]
                if len(kept):
                    yield AudioChunk(place + skipped, kept)
                place += len(samples)


def read_journal(folder: Path, events: bytes | None = None) -> JournalContent:
    """The journal in ``folder``; a last line or frame that is cut off is left out. Raises ``InputError``.

    ``events``: what of its events counts, all by default.
    """
    try:
        settings = settings_from_json(json.loads((folder / SETTINGS).read_bytes()))
        told = (folder / EVENTS).read_bytes() if events is None else events
    except FileNotFoundError as error:
        raise InputError(f"{folder} holds no journal: {Path(error.filename).name} is not there") from error
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{folder / SETTINGS} is not JSON: {error}") from error
    found: list[Numbered] = []
    ending: Ending | None = None
    for body in filter(None, map(_object, told.split(b"\n")[:-1])):  # the last is empty, or cut off
        if body.get("type") == ENDED:
            ending = _ending(body.get("ending"))
        elif (event := _event(body)) is not None:
            found.append(event)
    return JournalContent(folder, settings, tuple(found), ending)


def sound_end(folder: Path) -> int:
    """Number of the first sample that the sound files of ``folder`` do not hold; reads the last of them."""
    for begins, path in reversed(_sound_files(folder)):
        if length := sum(map(len, read_flac(path))):
            return begins + length
    return 0


def _object(line: bytes) -> dict[str, object] | None:
    """What a line says; None for one that is damaged."""
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _ending(said: object) -> Ending | None:
    if said == "closed":
        return "closed"
    return "stopped" if said == "stopped" else None


def _event(body: dict[str, object]) -> Numbered | None:
    seq = body.get("seq")
    try:
        event = from_json(body)
    except MalformedEventError:
        return None
    if event is None or not isinstance(seq, int) or isinstance(seq, bool):
        return None
    return Numbered(seq, event)


def _sound_files(folder: Path) -> list[tuple[int, Path]]:
    """(number of its first sample, file), in order."""
    found = [(_SOUND.fullmatch(path.name), path) for path in folder.iterdir()]
    return sorted((int(match.group(1)), path) for match, path in found if match)
