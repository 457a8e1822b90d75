"""The folder of the results. Whatever happens when, what stands in it is whole.

::

    DIR/week1/talk.srt …                    the results
    DIR/.decalage/done/week1/talk.json      the record: written last, it says that they are there
    DIR/.decalage/work/TOKEN/               where they are made
    DIR/.decalage/lock                      held by the one batch that writes

A result set is made in a folder of its own under ``work``, synced to the disk, and described there by
``record.json``. From then on it counts: the record of the set before is taken away, the files are moved to
their places, one by one, and the new record last. A batch that finds such a folder, for the one before it was
killed, moves the rest; one without ``record.json`` was never whole and is deleted.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from types import TracebackType

from decalage.app.batch.record import Record, Records, read_record
from decalage.errors import OutputError, UsageError
from decalage.store.journal_folders import take_hold

logger = logging.getLogger(__name__)

OWN = ".decalage"
_RECORD = "record.json"
_BEFORE = "before.json"
_MADE = "captions"


class ResultFolder:
    """Lock it (``with``) to write; without, its records can be read. Raises ``OutputError``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own = path / OWN
        self._lock: FileIO | None = None
        self.records = Records()

    def __repr__(self) -> str:
        return f"<ResultFolder {self.path} {self.records!r}>"

    def __enter__(self) -> ResultFolder:
        try:
            (self._own / "work").mkdir(parents=True, exist_ok=True)
            self._lock = FileIO(self._own / "lock", "a")
            self._take()
            for made in sorted((self._own / "work").iterdir()):
                self._recover(made)
        except OSError as error:
            self.close()
            raise refusal(self.path, error) from error
        self.read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the next batch in. Idempotent."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()

    def read(self) -> None:
        """Look at what is done. A record that cannot be read is none."""
        done = self._own / "done"
        found = (_read(path) for path in sorted(done.rglob("*.json")))
        self.records = Records(record for record in found if record is not None)

    def begin(self) -> Path:
        """An empty folder for the files of a result set, called by ``made_file``. Raises ``OutputError``."""
        folder = self._own / "work" / secrets.token_hex(8)
        try:
            folder.mkdir()
        except OSError as error:
            raise refusal(folder, error) from error
        return folder

    def commit(self, made: Path, record: Record) -> None:
        """Put what was made into its place, and ``record`` after it; the other files of it are there.

        What the set held before and holds no more is deleted. Raises ``OutputError``: there may be no such
        set then, neither the new nor the old. From any thread, one a name at a time.
        """
        try:
            for path in made.iterdir():
                _sync(path)
            _write(made / _RECORD, record.as_text())
            self._place(made, record)
        except OSError as error:
            shutil.rmtree(made, ignore_errors=True)
            raise refusal(self.path / record.name, error) from error

    def drop(self, made: Path) -> None:
        """What was made is not wanted."""
        shutil.rmtree(made, ignore_errors=True)

    def missing(self, record: Record) -> set[str]:
        """Suffixes of its files that are not there any more."""
        return {suffix for suffix, path in record.files.items() if not (self.path / path).is_file()}

    def _take(self) -> None:
        assert self._lock is not None  # noqa: S101 - just opened
        if not take_hold(self._lock):
            self.close()
            raise UsageError(f"another batch is at work in {self.path}; wait for it or name another folder")

    def _recover(self, made: Path) -> None:
        """End what a batch before this one began; raises no error for a set that cannot be had."""
        record = _read(made / _RECORD)
        if record is not None:
            try:
                self._place(made, record)
            except OSError as error:
                logger.warning("%s was made and cannot be put into its place: %s", record.name, error)
        shutil.rmtree(made, ignore_errors=True)

    def _place(self, made: Path, record: Record) -> None:
        """Each step may be the last, and may have been done."""
        done = self._own / "done" / f"{record.name}.json"
        done.parent.mkdir(parents=True, exist_ok=True)
        if done.exists():
            done.replace(made / _BEFORE)
            _sync(done.parent)
        before = _read(made / _BEFORE)
        kept = set(record.files.values())
        for path in () if before is None else before.files.values():
            if path not in kept:
                (self.path / path).unlink(missing_ok=True)
        places = dict(_moves(made, record.files))
        for source, path in places.items():
            target = self.path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
        for folder in {(self.path / path).parent for path in places.values()} | {done.parent}:
            _sync(folder)
        (made / _RECORD).replace(done)
        _sync(done.parent)
        shutil.rmtree(made, ignore_errors=True)


def made_file(folder: Path, suffix: str) -> Path:
    """Where in ``folder`` the file of a result set with that suffix is made.

    Its name is of no use for the language of a file: ``talk.de.srt`` may be of a talk about Delaware.
    """
    return folder / f"{_MADE}.{suffix}"


def refusal(path: Path, error: OSError) -> OutputError:
    """What to raise for ``error``; its cause tells a full disk from a name that cannot be."""
    return OutputError(f"cannot write {path}: {(error.strerror or str(error)).lower()}")


def _moves(folder: Path, files: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for suffix, path in files.items():
        if made_file(folder, suffix).exists():
            yield made_file(folder, suffix), path


def _read(path: Path) -> Record | None:
    try:
        return read_record(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _write(path: Path, text: str) -> None:
    """``path`` is there only when all of it is."""
    part = path.with_suffix(".part")
    part.write_text(text, "utf-8")
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Return when it is on the disk; Windows cannot be asked for a folder."""
    if os.name == "nt" and path.is_dir():
        return
    file = os.open(path, os.O_RDONLY if path.is_dir() or os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)
