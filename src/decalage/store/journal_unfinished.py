"""Sessions of which something has no answer yet, and going on with one of them."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from decalage.audio import sample_count
from decalage.errors import InputError, OutputError, UsageError
from decalage.events import Event, Settled
from decalage.store.journal_folders import EVENTS, is_held, sessions, take_hold
from decalage.store.journal_reader import JournalContent, read_journal, sound_end
from decalage.store.journal_session import Appended, Sync, ending_line, event_line

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A session and how far it is."""

    content: JournalContent
    settled: tuple[Settled, ...]
    """In the order of their indices."""
    heard: int
    """Number of the first sample that the journal does not hold."""

    @classmethod
    def of(cls, content: JournalContent) -> Unfinished:
        """Reads the last of the sound, to see where it ends."""
        settled = tuple(each.event for each in content.events if isinstance(each.event, Settled))
        return cls(content, settled, sound_end(content.folder))

    @property
    def answered(self) -> int:
        """Number of the first sample of which nothing is decided: what is before it is settled.

        An utterance is settled after all that came before it, speech or none.
        """
        return sample_count(self.settled[-1].end) if self.settled else 0

    @property
    def next_index(self) -> int:
        """Of the utterance that comes next."""
        return self.settled[-1].index + 1 if self.settled else 0

    @property
    def next_seq(self) -> int:
        """Of the event that is told next."""
        return max((each.seq for each in self.content.events), default=0) + 1


def unfinished(root: Path) -> Iterator[Unfinished]:
    """Those in ``root`` that no program holds, the newest first; what cannot be read is passed over."""
    for session in reversed(sessions(root)):
        if is_held(session.folder):
            continue
        try:
            content = read_journal(session.folder)
            found = None if content.ending == "closed" else Unfinished.of(content)
        except (InputError, OSError) as error:  # the second: it is being deleted
            logger.warning("passed over: %s", error)
            continue
        if found is not None and found.heard:
            yield found


class Reopened:
    """The session in ``folder``, for this program to go on with; nobody else can while it does.

    A last line that is cut off does not count, nor does all from the first damaged line on: what it said is
    said again. It goes when the first event is written. Not safe for threads. Raises ``InputError`` where no
    journal is, ``UsageError`` where another program holds it, ``OutputError`` where it cannot be written.
    """

    def __init__(self, folder: Path, *, sync: Sync = os.fsync) -> None:
        file = _held(folder)
        try:
            whole = _whole(file.readall())
            self.found = Unfinished.of(read_journal(folder, whole))
            """As it was when it was opened."""
        except OSError as error:
            file.close()
            raise OutputError(_refusal(folder, error)) from error
        except BaseException:
            file.close()
            raise
        self._events = Appended(file, sync)
        self._whole: int | None = len(whole)  # bytes, until something follows them

    def __repr__(self) -> str:
        return f"<Reopened {self.found.content.folder.name}>"

    def event(self, seq: int, event: Event) -> None:
        """What was answered, with its number; it is on the disk then. Raises ``OSError``."""
        self._add(event_line(seq, event))

    def end(self) -> None:
        """All has its answer: the session is closed. Raises ``OSError``."""
        self._add(ending_line("closed", self.found.heard))
        self.close()

    def close(self) -> None:
        """Let go of it; without ``end`` it can be gone on with. Idempotent."""
        if not self._events.file.closed:
            with suppress(OSError):  # what does not get to the disk is answered again
                self._events.sync()
            with suppress(OSError):
                self._events.close()

    def _add(self, line: bytes) -> None:
        if self._whole is not None:
            self._events.file.seek(self._whole)
            self._events.file.truncate()
            self._whole = None
        self._events.write(line)
        self._events.sync()


def _held(folder: Path) -> FileIO:
    """The events of ``folder``, locked."""
    try:
        file = FileIO(folder / EVENTS, "r+")
    except FileNotFoundError as error:
        raise InputError(f"{folder} holds no journal: {EVENTS} is not there") from error
    except OSError as error:
        raise OutputError(_refusal(folder, error)) from error
    if not take_hold(file):
        file.close()
        raise UsageError(f"{folder.name} is being written by another program; wait until that one ends")
    return file


def _refusal(folder: Path, error: OSError) -> str:
    return f"{folder} cannot be written, which going on with it takes: {error.strerror or error}"


def _whole(data: bytes) -> bytes:
    """The lines up to the first that is damaged or cut off."""
    end = 0
    for line in data.split(b"\n")[:-1]:  # the last is empty, or cut off
        if not _is_whole(line):
            break
        end += len(line) + 1
    if end < len(data):
        logger.warning("%d bytes of damaged events are left out", len(data) - end)
    return data[:end]


def _is_whole(line: bytes) -> bool:
    """Whether ``line`` is an object, or empty as before an ending that followed an error."""
    try:
        return not line or isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
