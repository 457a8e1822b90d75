"""One file, from its sound to a result set that waits to be put into its place."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Protocol

from decalage.app.batch.fingerprint import program
from decalage.app.batch.folder import refusal
from decalage.app.batch.plan import Task, stamp_of
from decalage.app.batch.record import Quality, Record
from decalage.app.batch.reuse import open_sink
from decalage.app.compose import ModelBlueprint, open_source, start_event, stream_options
from decalage.app.session import Session, failures
from decalage.app.settings import Settings
from decalage.config import StreamOptions
from decalage.errors import DecalageError, OutputError, StrandedError, UsageError, one_line
from decalage.events import Event, Settled, Start, Summary
from decalage.runtimes.local import LocalRuntime
from decalage.store.files import sha256

logger = logging.getLogger(__name__)

Moved = Callable[[float], None]
"""Told how much of a file is captioned, seconds."""

_PASSING = {errno.EIO, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ETIMEDOUT}
"""What the system may answer otherwise the next time."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""What it answers whatever is written next."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a run gave."""

    summary: Summary
    lost: tuple[str, ...]
    """Each piece of speech that failed."""


class Hearing(Protocol):
    """Captions files, several at a time."""

    def __call__(self, task: Task, made: Path, moved: Moved) -> Heard:
        """All of ``task``, its outputs in the folder ``made``. Raises ``DecalageError``, ``OSError``.

        ``StrandedError``: nothing more can be captioned.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How a try to caption a file ended."""

    made: Path | None = None
    """Where its result set is; None: there is none."""
    record: Record | None = None
    error: str | None = None
    """Why it is not all there, or could not be."""
    lost: tuple[str, ...] = ()
    passing: bool = False
    """Whether it may go better the next time."""
    wall_s: float = 0.0

    @property
    def rank(self) -> tuple[float, int]:
        """The lower the better: results at all, of more of the sound, with less that failed."""
        return (inf, 0) if self.record is None else self.record.rank


class RuntimeHearing:
    """``Hearing`` by a runtime whose models are loaded; how each kind of settings is heard is known."""

    def __init__(self, runtime: LocalRuntime, blueprints: Mapping[Settings, ModelBlueprint]) -> None:
        self._runtime = runtime
        self._ways = {
            settings: (stream_options(settings, blueprint), blueprint)
            for settings, blueprint in blueprints.items()
        }

    def __call__(self, task: Task, made: Path, moved: Moved) -> Heard:
        options, blueprint = self._ways[task.settings]
        start = start_event(task.settings, blueprint, str(task.path), self._runtime.options.workers)
        heard = hear(self._runtime, task, made, moved, options=options, start=start)
        if heard.lost and (why := self._runtime.stranded) is not None:
            raise StrandedError(f"{why}; the same command goes on once there is one")
        return heard


def hear(
    runtime: LocalRuntime, task: Task, made: Path, moved: Moved, *, options: StreamOptions, start: Start
) -> Heard:
    """``Hearing`` with the options and the first event of this file."""
    with ExitStack() as stack:
        source = open_source(str(task.path), task.settings)
        stack.callback(source.stop)
        sinks = []
        for output in task.outputs:
            sinks.append(open_sink(made, output, task.show, task.path))
            stack.callback(sinks[-1].close)
        session = Session(runtime, runtime.run(source, options), start, alone=False)
        stack.callback(session.cancel)
        lost: list[str] = []
        event: Event = start
        for event in session:
            for sink in sinks:
                sink.write(event)
            lost += failures(event)
            if isinstance(event, Settled):
                moved(event.end)
        assert isinstance(event, Summary)  # noqa: S101 - a session ends with it
        for sink in sinks:
            sink.close()
        return Heard(event, tuple(lost))


def attempt(task: Task, digest: str, made: Path, hearing: Hearing, moved: Moved) -> Attempt:
    """Caption ``task``, whose content is ``digest``. What went wrong is told in what is given.

    Raises what ``is_last`` is true of.
    """
    began, clock = time.time(), time.monotonic()
    try:
        heard = hearing(task, made, moved)
        changed = stamp_of(task.path) != task.stamp
        damaged = heard.summary.damaged
        broken = damaged is not None and (changed or not _of_content(damaged, task, digest))
    except Exception as error:  # a worker's edge: whatever it is ends this file alone
        if is_last(error):
            raise
        return failed(error, time.monotonic() - clock)
    wall_s = time.monotonic() - clock
    if changed:
        return Attempt(error=f"{task.path} changed while it was read", passing=True, wall_s=wall_s)
    quality: Quality = "done"
    if heard.lost or broken or heard.summary.breach:
        quality = "incomplete"
    elif damaged is not None:
        quality = "damaged"
    why = "; ".join(filter(None, (damaged, heard.summary.breach, _counted(heard.lost)))) or None
    if quality == "incomplete" and not heard.summary.captions:  # what stands in its place is better
        return Attempt(error=why, lost=heard.lost, passing=True, wall_s=wall_s)
    record = make_record(task, digest, heard, quality=quality, error=why, began=began)
    return Attempt(
        made=made, record=record, error=why, lost=heard.lost, passing=quality == "incomplete", wall_s=wall_s
    )


def failed(error: BaseException, wall_s: float = 0.0) -> Attempt:
    """A try that ended with ``error`` and has nothing to show."""
    if not isinstance(error, DecalageError | OSError | MemoryError):
        logger.error("a defect of this program", exc_info=error)
    told = (
        one_line(error) if isinstance(error, DecalageError) else f"{type(error).__name__}: {one_line(error)}"
    )
    return Attempt(error=told, passing=passes(error), wall_s=wall_s)


def make_record(
    task: Task, digest: str, heard: Heard, *, quality: Quality, error: str | None, began: float
) -> Record:
    """What is remembered of a file that was captioned."""
    assert task.stamp is not None  # noqa: S101 - it has been read
    summary = heard.summary
    return Record(
        name=task.name,
        source=str(task.path),
        sha256=digest,
        stamp=task.stamp,
        fingerprint=task.fingerprint,
        words=task.settings.words,
        show=task.show,
        quality=quality,
        files=task.files,
        audio_s=round(summary.audio_s, 3),
        captions=summary.captions,
        failures=summary.failures,
        rejected=summary.rejected,
        lost=len(heard.lost),
        gaps=summary.gaps,
        error=error,
        began=round(began, 3),
        ended=round(time.time(), 3),
        settings={name: value for name, value in asdict(task.settings).items() if value is not None},
        program=program(),
    )


def is_last(error: BaseException) -> bool:
    """Whether ``error`` says that nothing can be written, or captioned, any more."""
    if isinstance(error, StrandedError):
        return True
    cause = error.__cause__ if isinstance(error, OutputError) else error
    return isinstance(cause, OSError) and cause.errno in _FULL


def last_word(error: BaseException, results: Path) -> DecalageError:
    """What to tell of ``error``, which ``is_last``, while ``results`` were written."""
    if isinstance(error, DecalageError):
        return error
    assert isinstance(error, OSError)  # noqa: S101 - or it would not be the last
    return refusal(results, error)


def passes(error: BaseException) -> bool:
    """Whether it may not happen again. What was refused will be refused, unless the disk did not answer."""
    if isinstance(error, UsageError):
        return isinstance(error.__cause__, OSError) and error.__cause__.errno in _PASSING
    return isinstance(error, OSError | MemoryError | DecalageError)


def _of_content(damaged: str, task: Task, digest: str) -> bool:
    """Whether ``damaged`` is so because the file is, which a second reading does not mend.

    Not when a worker or the disk failed: then the file cannot be read through, or the words are not those
    of a file.
    """
    told = (f"{task.path} is damaged: ", f"{task.path} ends early: ")
    return damaged.startswith(told) and sha256(task.path) == digest


def _counted(lost: tuple[str, ...]) -> str | None:
    if not lost:
        return None
    return lost[0] if len(lost) == 1 else f"{len(lost)} pieces failed, the first: {lost[0]}"
