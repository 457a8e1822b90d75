"""The journals of the sessions of one program: what is heard and answered goes to the disk as it comes.

::

    sound(), event() ─▶ queue ─▶ thread ─▶ SessionFolder of each session
      never wait        bounded     each SYNC_S: on the disk
                        in s        each minute: what is too old or too much is deleted

What is lost: when the program is killed, the frame of sound that is not full (0.072 s) and what the
thread has not come to yet, milliseconds where the disk keeps up. When the machine loses its power, what came
in the last ``sync_s`` (2 s) and while the disk took its time, beside that frame. A disk that is full, or so
slow that the queue is, ends the journal of the session while the captions go on: it holds all up to there,
says that it was stopped, and one warning says why.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeAlias

from decalage.audio import AudioChunk
from decalage.clock import Clock, OutsideClock
from decalage.config import StreamOptions
from decalage.errors import OutputError, one_line
from decalage.events import Event, Start
from decalage.flow.channel import Channel, ChannelClosed, ChannelFinished
from decalage.store.journal_folders import journal_folder, make_private, new_name
from decalage.store.journal_pruner import Pruner
from decalage.store.journal_session import SessionFolder, Sync
from decalage.store.journal_settings import JournalSettings, Models

logger = logging.getLogger(__name__)

_EVENT_S = 0.1
"""What an event weighs in the queue: as much as so much sound."""
_PRUNE_S = 60.0
_CLOSE_S = 10.0
"""What is still in the queue has so long at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalOptions:
    """How much is kept, and how safely."""

    most_bytes: int = 2_000_000_000
    """Of all sessions in the folder; an hour takes about 60 MB. Passed by what comes in a minute."""
    longest_s: float = 7 * 86_400.0
    """A session that has not been written for so long is deleted."""
    sync_s: float = 2.0
    """From sound to ``fsync``, at most."""
    segment_s: float = 60.0
    """Sound in a file."""
    waiting_s: float = 300.0
    """Sound of all sessions that waits for the disk: 19 MB. A client that comes back sends 120 s at once."""


@dataclass(frozen=True, slots=True)
class RecordingStatistics:
    """Numbers of samples on the stream clock: each is one past the last that it holds for."""

    handed: int
    written: int
    """Survives the end of the program."""
    synced: int
    """Survives the end of the machine."""


class Recording:
    """One session on its way into its folder. It keeps nobody waiting.

    ``sound`` is for one thread at a time, and so is ``event``; the two may be of different threads.
    """

    def __init__(
        self,
        folder: SessionFolder,
        hand_over: Callable[[Recording, Work, float], bool],
        tell: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.stopped: str | None = None
        """Why nothing is kept any more while the session goes on."""
        self._hand_over = hand_over
        self._tell = tell
        self._closed = False
        self._handed = 0
        self._stopping = threading.Lock()

    def __repr__(self) -> str:
        return f"<Recording {self.folder!r}{' stopped' if self.stopped else ''}>"

    def sound(self, chunk: AudioChunk) -> None:
        """What is heard next; where it does not follow what came before, nothing was heard between."""
        if self._hand(partial(self.folder.sound, chunk), chunk.duration):
            self._handed = chunk.first + len(chunk.samples)

    def event(self, seq: int, event: Event) -> None:
        """What was answered, with its number."""
        self._hand(partial(self.folder.event, seq, event), _EVENT_S)

    def close(self) -> None:
        """The session is over, and its journal whole. Idempotent."""
        self._hand(partial(self.folder.end, "closed"), 0.0)
        self._closed = True

    def leave(self) -> None:
        """Keep no more, and do not claim that the session is over: what has no answer can be answered later.

        From any thread; what was handed over by then is kept. Idempotent.
        """
        self._closed = True
        self._hand_over(self, self.folder.leave, 0.0)

    def stop(self, why: str) -> None:
        """Keep no more than what has been handed over. From any thread."""
        if self.told(why):
            self._hand_over(self, partial(self.folder.end, "stopped", why), 0.0)

    def told(self, why: str) -> bool:
        """Nothing is kept any more; False where that is known."""
        with self._stopping:
            if self.stopped is not None:
                return False
            self.stopped = why
        self._tell(f"the journal {self.folder.folder.name} stopped, captions go on: {why}")
        return True

    def statistics(self) -> RecordingStatistics:
        """How far it is."""
        return RecordingStatistics(self._handed, self.folder.written, self.folder.synced)

    def _hand(self, work: Work, weight: float) -> bool:
        if self._closed or self.stopped is not None:
            return False
        if self._hand_over(self, work, weight):
            return True
        self.stop("the disk is too slow")
        return False


Work: TypeAlias = Callable[[], None]


class Journal:
    """Keeps the sessions of this program in ``root``, by default the user's own folder.

    ``before_delete``: as of ``Pruner``. ``tell`` gets each warning; ``sync`` stands for ``os.fsync``. Raises
    ``OutputError`` where nothing can be written.
    """

    def __init__(
        self,
        models: Models,
        root: Path | None = None,
        options: JournalOptions | None = None,
        *,
        before_delete: Callable[[Path], None] = lambda _: None,
        clock: Clock | None = None,
        sync: Sync = os.fsync,
        tell: Callable[[str], None] = logger.warning,
    ) -> None:
        self.root = root or journal_folder()
        self._models = models
        self._options = options or JournalOptions()
        self._clock = clock or OutsideClock()
        self._sync = sync
        self._tell = tell
        self._queue: Channel[tuple[Recording, Work]] = Channel(self._options.waiting_s, clock=self._clock)
        self._open: dict[Recording, float | None] = {}  # since when it has what is not on the disk
        try:
            make_private(self.root)
        except OSError as error:
            raise OutputError(
                f"no journal can be kept in {self.root}: {error.strerror}; "
                "use --no-journal, or set DECALAGE_DATA to another folder"
            ) from error
        self._pruner = Pruner(self.root, before_delete, self._clock, tell)
        self._prune_at = self._clock.now()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<Journal {self.root} {self._queue!r}>"

    def begin(self, start: Start, options: StreamOptions) -> Recording:
        """Keep one more session. Its folder is made when there is sound; if it cannot be, that is told."""
        settings = JournalSettings(
            began=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", models=self._models, start=start, options=options
        )
        folder = SessionFolder(
            self.root / new_name(), settings, segment_s=self._options.segment_s, sync=self._sync
        )
        return Recording(folder, self._hand_over, self._tell)

    def close(self) -> None:
        """Write what was handed over; sessions that are not over stay without an ending. Idempotent."""
        self._queue.close()
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            self._tell("the journal is not whole: the disk does not answer")

    def _hand_over(self, recording: Recording, work: Work, weight: float) -> bool:
        try:
            return self._queue.offer((recording, work), weight)
        except ChannelClosed:  # the program ends
            return True

    def _run(self) -> None:
        """All that is handed over, in order; what is due between. Ends when the queue is closed and empty."""
        try:
            while True:
                self._keep_up()
                handed = self._queue.take_until(self._due())
                if handed is not None:
                    recording, work = handed
                    self._open.setdefault(recording, None)
                    self._guarded(recording, work)
                    self._note(recording)
        except ChannelFinished:
            for recording in list(self._open):
                self._guarded(recording, recording.folder.leave)

    def _guarded(self, recording: Recording, work: Work) -> None:
        """``work``, unless the folder is left already. What it raises ends this journal alone."""
        folder = recording.folder
        try:
            if not folder.left:
                work()
        except Exception as error:  # the edge of a thread: whatever a disk or an encoder raises is told
            why = one_line((isinstance(error, OSError) and error.strerror) or error)
            recording.told(why)
            folder.give_up(why)
        if folder.left:
            self._open.pop(recording, None)

    def _note(self, recording: Recording) -> None:
        """It has something that is not on the disk, from now on if not before."""
        if recording in self._open and self._open[recording] is None:
            self._open[recording] = self._clock.now()

    def _due(self) -> float:
        """When there is something to do though nothing comes."""
        waiting = [since + self._options.sync_s for since in self._open.values() if since is not None]
        return min([self._prune_at, *waiting])

    def _keep_up(self) -> None:
        now = self._clock.now()
        for recording, since in list(self._open.items()):
            if since is not None and now >= since + self._options.sync_s:
                self._open[recording] = None
                self._guarded(recording, recording.folder.sync)
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE_S
            self._prune()

    def _prune(self) -> None:
        limits = self._options
        left = self._pruner.prune(most_bytes=limits.most_bytes, longest_s=limits.longest_s)
        if left > limits.most_bytes:
            for recording in list(self._open):
                recording.stop(f"the sessions that go on take more than {limits.most_bytes / 1e6:.0f} MB")
