"""One session's folder as it is written, for one thread.

::

    20261127T093000Z-3f9a1c2b/
        session.json                settings; there before anything else, whole
        sound-000000000000.flac     by the number of its first sample; between two, nothing was heard
        sound-000000960000.flac
        events.jsonl                settled events with their seq; the last line says how the journal ended

Whatever moment the program or the machine ends at, what is read back is what was written up to there: a sound
frame or a line that is cut off is left out.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any, Literal, TypeAlias

from decalage.audio import AudioChunk, Samples, sample_count
from decalage.events import Event, Settled, as_json
from decalage.store.journal_folders import EVENTS, SETTINGS, create_private, make_private, take_hold
from decalage.store.journal_settings import JournalSettings, settings_as_json
from decalage.store.journal_sound import FlacEncoder

Ending: TypeAlias = Literal["closed", "stopped"]
"""``closed``: the session was over; ``stopped``: it went on, and its journal did not."""

ENDED = "journal"
"""Type of the last line of the events."""
Sync: TypeAlias = Callable[[int], None]
"""Returns when what was written to this file descriptor is on the disk: ``os.fsync``."""


class Appended:
    """``file``, unbuffered, with what is written at its end. What cannot be written raises ``OSError``."""

    def __init__(self, file: FileIO, sync: Sync) -> None:
        self.file = file
        self._sync = sync
        self._dirty = True

    def write(self, data: bytes) -> None:
        """All of ``data``, straight to the system."""
        self._dirty = self._dirty or bool(data)
        while data:
            data = data[self.file.write(data) :]

    def sync(self) -> None:
        """Have it on the disk."""
        if self._dirty:
            self._sync(self.file.fileno())
            self._dirty = False

    def close(self) -> None:
        """Write no more; who held it holds it no longer."""
        self.file.close()


class _Sound(Appended):
    """One file of sound."""

    def __init__(self, path: Path, sync: Sync) -> None:
        super().__init__(create_private(path), sync)
        self._encoder = FlacEncoder()

    def begin(self) -> None:
        self.write(self._encoder.header)

    @property
    def waiting(self) -> int:
        return self._encoder.waiting

    def add(self, samples: Samples) -> None:
        self.write(self._encoder.add(samples))

    def finish(self) -> None:
        self.write(self._encoder.finish())
        self.sync()


class SessionFolder:
    """Creates nothing before sound comes. All raise ``OSError`` where the disk fails, but for ``give_up``."""

    def __init__(self, folder: Path, settings: JournalSettings, *, segment_s: float, sync: Sync) -> None:
        self.folder = folder
        self.written = 0
        """Number of the first sample that no file holds: those before it outlive the program."""
        self.synced = 0
        """The same for the machine's end."""
        self.left = False
        """Whether nothing is written any more."""
        self._settings = settings
        self._segment_samples = sample_count(segment_s)
        self._sync = sync
        self._events: Appended | None = None
        self._sound: _Sound | None = None
        self._first = self._next = 0  # samples: of the file that is written, and the one that follows
        self._grown = False  # has files that the folder on the disk may lack
        self._early: list[bytes] = []  # lines from before the first sound: one or two

    def __repr__(self) -> str:
        return f"<SessionFolder {self.folder.name} {self.written} samples>"

    def sound(self, chunk: AudioChunk) -> None:
        """The next sound; before it there may be a hole."""
        if chunk.first < self._next:
            raise ValueError(f"{chunk!r} is in the journal already")
        if self._events is None:
            self._open()
        file = self._sound
        if file is None or chunk.first > self._next or self._next - self._first >= self._segment_samples:
            file = self._begin(chunk.first)
        file.add(chunk.samples)
        self._next = chunk.first + len(chunk.samples)
        self.written = self._next - file.waiting

    def event(self, seq: int, event: Event) -> None:
        """The next event, numbered ``seq``."""
        told = event_line(seq, event)
        if self._events is None:
            self._early.append(told)
        else:
            self._events.write(told)

    def sync(self) -> None:
        """Have on the disk what was written."""
        written = self.written
        if self._sound is not None:
            self._sound.sync()
        if self._events is not None:
            self._events.sync()
        if self._grown:
            self._sync_folder(self.folder)
            self._grown = False
        self.synced = written

    def end(self, ending: Ending, why: str | None = None) -> None:
        """Write the last of it and how it ended, and leave the folder."""
        self._finish_sound()
        if self._events is not None:
            self._events.write(ending_line(ending, self.written, why))
        self.sync()
        self._leave()

    def leave(self) -> None:
        """Write the last of it and leave the folder: it does not claim to be whole."""
        self._finish_sound()
        self.sync()
        self._leave()

    def give_up(self, why: str) -> None:
        """Leave the folder after an error. If a line still can be written, it says why."""
        with suppress(OSError):
            if self._events is not None:
                self._events.write(b"\n" + ending_line("stopped", self.written, why))  # a line may be cut off
                self._events.sync()
        self._leave()

    def _leave(self) -> None:
        self.left = True
        for file in (self._sound, self._events):
            if file is not None:
                with suppress(OSError):  # what had to be on the disk is there, or was told
                    file.close()
        self._sound = self._events = None

    def _open(self) -> None:
        """Make the folder, or leave none."""
        make_private(self.folder.parent)
        self.folder.mkdir(mode=0o700)
        try:
            self._write_settings()
            self._events = Appended(create_private(self.folder / EVENTS), self._sync)
            take_hold(self._events.file, wait=True)  # another program may be looking whether somebody has it
            for told in self._early:
                self._events.write(told)
            self._sync_folder(self.folder.parent)
        except OSError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self._grown = True

    def _write_settings(self) -> None:
        part = self.folder / f"{SETTINGS}.part"
        settings = Appended(create_private(part), self._sync)
        try:
            settings.write(_line(settings_as_json(self._settings)))
            settings.sync()
        finally:
            settings.close()
        part.replace(self.folder / SETTINGS)

    def _begin(self, first: int) -> _Sound:
        """A file of sound from sample ``first`` on."""
        self._finish_sound()
        self._sound = _Sound(self.folder / f"sound-{first:012d}.flac", self._sync)
        self._sound.begin()
        self._first = self._next = first
        self._grown = True
        return self._sound

    def _finish_sound(self) -> None:
        if self._sound is None:
            return
        self._sound.finish()
        self.written = self._next
        self._sound.close()
        self._sound = None

    def _sync_folder(self, folder: Path) -> None:
        """Have the names of its files on the disk; Windows does that by itself."""
        if os.name == "nt":
            return
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            self._sync(descriptor)
        finally:
            os.close(descriptor)


def event_line(seq: int, event: Event) -> bytes:
    """``event`` as published and its number; where it begins and ends to the very sample.

    What is captioned later begins where this ended.
    """
    return _line({**exactly(event), "seq": seq})


def exactly(event: Event) -> dict[str, Any]:
    """As published, but for where it begins and ends: that form rounds to more than a sample."""
    exact = {"start": event.start, "end": event.end} if isinstance(event, Settled) else {}
    return {**as_json(event), **exact}


def ending_line(ending: Ending, samples: int, why: str | None = None) -> bytes:
    """The last line: how the journal ended, and the number of the first sample that it does not hold."""
    return _line({"type": ENDED, "ending": ending, "samples": samples, "why": why})


def _line(body: Mapping[str, Any]) -> bytes:
    """``body`` as a line of JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
