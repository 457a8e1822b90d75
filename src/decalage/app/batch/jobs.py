"""What the workers of a batch do: each a step of one file, that ends in a value or an error."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol

from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.outcome import Outcome
from decalage.app.batch.plan import Reuse, Task, stamp_of
from decalage.app.batch.record import Record, Stamp
from decalage.app.batch.reuse import make_from
from decalage.app.batch.work import Attempt, Hearing, attempt
from decalage.errors import DecalageError, InputError
from decalage.flow.stopping import StopSignal
from decalage.store.files import sha256


class Watch(Protocol):
    """Shows how far a batch is. ``began`` and ``moved`` come from any thread."""

    def began(self, task: Task) -> None:
        """``task`` is being captioned."""
        ...

    def moved(self, task: Task, heard_s: float) -> None:
        """It is captioned up to ``heard_s``."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """There will be no more of its task."""
        ...


class GivenUpError(DecalageError):
    """Raised in a worker whose file is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What a file is now."""

    stamp: Stamp
    sha256: str


def examine(task: Task) -> Examined:
    """Look at the file, and read it if it is not known. Raises ``InputError``, ``OSError``."""
    stamp = stamp_of(task.path)
    if stamp is None:
        raise InputError(f"{task.path} does not exist, or may not be looked at")
    if not task.path.is_file():
        raise InputError(f"{task.path} is no file")
    known = task.sha256 if stamp == task.stamp else None
    return Examined(stamp, known or sha256(task.path))


def remake(task: Task, reuse: Reuse, folder: ResultFolder) -> Record:
    """Give ``task`` its result set, out of what is there. Raises as ``make_from``."""
    made = folder.begin()
    try:
        record = make_from(task, reuse, folder.path, made)
    except BaseException:
        folder.drop(made)
        raise
    folder.commit(made, record)
    return record


def caption(
    task: Task, folder: ResultFolder, hearing: Hearing, watch: Watch, given_up: StopSignal
) -> Attempt:
    """Try to caption ``task``; what is made waits to be committed.

    Raises ``GivenUpError`` where it ended early, ``OutputError``, ``OSError`` or ``StrandedError`` where
    nothing more can be done.
    """
    made = folder.begin()
    try:
        watch.began(task)
        found = attempt(task, task.sha256 or "", made, hearing, partial(watch.moved, task))
        _raise_if_set(given_up)
    except BaseException:
        folder.drop(made)
        raise
    if found.made is None:
        folder.drop(made)
    return found


def _raise_if_set(given_up: StopSignal) -> None:
    """What failed after that failed for that."""
    if given_up.is_set:
        raise GivenUpError("the batch has ended")
