"""The folder of the results. Whatever happens when, what stands in it is whole.

::

    DIR/week1/talk.srt …                    the results
    DIR/.decalage/done/week1/talk.json      the record: written last, it says that they are there
    DIR/.decalage/work/TOKEN/               where they are made
    DIR/.decalage/again.json                what is made anew, while it is
    DIR/.decalage/lock                      held by the one batch that writes

A result set is made in a folder of its own under ``work``, synced to the disk, and described there by
``record.json``. From then on it counts: the record of the set before is taken away, the files are moved to
their places, one by one, and the new record last. A batch that finds such a folder, for the one before it was
killed or refused by the disk, moves the rest; one without ``record.json`` was never whole and is deleted.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from io import FileIO
from pathlib import Path
from types import TracebackType

from decalage.app.batch.record import Record, Records, read_record
from decalage.errors import OutputError, UsageError
from decalage.store.journal_folders import take_hold

logger = logging.getLogger(__name__)

OWN = ".decalage"
_AGAIN = "again.json"
_RECORD = "record.json"
_BEFORE = "before.json"
_MADE = "captions"


class ResultFolder:
    """Lock it (``with``) to write; without, its records can be read. Raises ``OutputError``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own = path / OWN
        self._lock: FileIO | None = None
        self._unplaced: dict[str, Path] = {}
        """Where each set is made that is whole and could not be put into its place."""
        self.records = Records()

    def __repr__(self) -> str:
        return f"<ResultFolder {self.path} {self.records!r}>"

    def __enter__(self) -> ResultFolder:
        try:
            self._refuse_links()
            (self._own / "work").mkdir(parents=True, exist_ok=True)
            self._lock = FileIO(self._own / "lock", "a")
            self._take()
            for made in sorted((self._own / "work").iterdir(), key=_finished):
                self._recover(made)
        except OSError as error:
            self.close()
            raise refusal(self.path, error) from error
        self.read()
        self._reserve()
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
        """Look at what is done. A record that cannot be read is none. Raises ``OutputError``."""
        try:
            paths = sorted((self._own / "done").rglob("*.json"))
        except OSError as error:
            raise refusal(self.path, error) from error
        found = (_read_if_able(path) for path in paths)
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

        What the set held before and holds no more is deleted. Raises ``OutputError``: then the set before
        stands, and where the new one was whole already, the next batch puts it into its place, or the rest
        of it. From any thread, one a name at a time.
        """
        try:
            for path in made.iterdir():
                _sync(path)
            _write(made / _RECORD, record.as_text())
        except OSError as error:
            self.drop(made)
            raise refusal(self.path / record.name, error) from error
        try:
            self._supersede(made, record)
            self._place(made, record)
        except OSError as error:
            self._unplaced[record.name] = made
            raise refusal(self.path / record.name, error) from error

    def drop(self, made: Path) -> None:
        """What was made is not wanted. Its record goes first: without, it is not whole."""
        with suppress(OSError):
            (made / _RECORD).unlink()
        shutil.rmtree(made, ignore_errors=True)

    def kept(self) -> str | None:
        """What is made anew, as ``keep`` was told; None: nothing, or no text. Raises ``OutputError``."""
        try:
            return (self._own / _AGAIN).read_text("utf-8")
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        except OSError as error:
            raise refusal(self._own / _AGAIN, error) from error

    def keep(self, text: str | None) -> None:
        """Remember for the next batch what is made anew; None forgets it. Raises ``OutputError``."""
        try:
            if text is None:
                (self._own / _AGAIN).unlink(missing_ok=True)
            else:
                _write(self._own / _AGAIN, text)
        except OSError as error:
            raise refusal(self._own / _AGAIN, error) from error

    def missing(self, record: Record) -> set[str]:
        """Suffixes of its files that are not there any more."""
        return {suffix for suffix, path in record.files.items() if not (self.path / path).is_file()}

    def _take(self) -> None:
        assert self._lock is not None  # noqa: S101 - just opened
        if not take_hold(self._lock):
            self.close()
            raise UsageError(f"another batch is at work in {self.path}; wait for it or name another folder")

    def _refuse_links(self) -> None:
        """What this program keeps for itself it deletes as it likes; elsewhere that would be somebody's."""
        for path in (self._own, *(self._own / name for name in ("work", "done", "lock", _AGAIN))):
            if path.is_symlink():
                raise OutputError(f"cannot write {self.path}: {path} is a link; delete it")

    def _recover(self, made: Path) -> None:
        """End what a batch before this one began; what has no place now waits for the next."""
        if made.is_symlink():
            return
        record = None
        try:
            record = _read(made / _RECORD)
            if record is None:
                self.drop(made)
                return
            self._supersede(made, record)
            self._place(made, record)
        except OSError as error:
            name = made if record is None else record.name
            logger.warning("%s was made and cannot be put into its place yet: %s", name, error)
            if record is not None:
                self._unplaced[record.name] = made

    def _reserve(self) -> None:
        """The names of sets that wait for their place are not free; what they are of is tried again."""
        for made in self._unplaced.values():
            record = _read_if_able(made / _RECORD)
            if record is not None and self.records.named(record.name) is None:
                self.records.add(replace(record, quality="incomplete"))

    def _supersede(self, made: Path, record: Record) -> None:
        """An older set of that name waits for its place no more; what is there of it will be deleted."""
        older = self._unplaced.pop(record.name, None)
        if older is None:
            return
        begun = (_read(older / _BEFORE), _read(older / _RECORD))
        files = {suffix: path for each in begun if each for suffix, path in each.files.items()}
        _write(made / _BEFORE, replace(record, files=files).as_text())
        self.drop(older)

    def _place(self, made: Path, record: Record) -> None:
        """Each step may be the last, and may have been done."""
        done = self._own / "done" / f"{record.name}.json"
        for target in (done, *(self.path / path for path in record.files.values())):
            self._make_way(target)
        if done.exists():
            done.replace(made / _BEFORE)
            _sync(done.parent)
        before = _read(made / _BEFORE)
        kept = set(record.files.values())
        for path in () if before is None else before.files.values():
            target = self.path / path
            if path not in kept and self._holds(target) and not target.is_dir():
                target.unlink(missing_ok=True)
        places = dict(_moves(made, record.files))
        for source, path in places.items():
            source.replace(self.path / path)
        for folder in {(self.path / path).parent for path in record.files.values()} | {done.parent}:
            _sync(folder)
        (made / _RECORD).replace(done)
        _sync(done.parent)
        shutil.rmtree(made, ignore_errors=True)

    def _make_way(self, target: Path) -> None:
        """What can be known to be in the way is found before anything is moved. Raises ``OSError``."""
        if not self._holds(target):
            raise PermissionError(errno.EACCES, "a link leads out of the folder", str(target))
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))

    def _holds(self, target: Path) -> bool:
        """Whether ``target`` is in this folder, wherever links on the way to it lead."""
        root, folder = (os.path.realpath(each) for each in (self.path, target.parent))
        return Path(folder).is_relative_to(root)


def made_file(folder: Path, suffix: str) -> Path:
    """Where in ``folder`` the file of a result set with that suffix is made.

    Its name is of no use for the language of a file: ``talk.de.srt`` may be of a talk about Delaware.
    """
    return folder / f"{_MADE}.{suffix}"


def refusal(path: Path, error: OSError) -> OutputError:
    """What to raise for ``error``; its cause tells a full disk from a name that cannot be."""
    return OutputError(f"cannot write {path}: {(error.strerror or str(error)).lower()}")


def _finished(made: Path) -> int:
    """When its record was written, so that the newer of two sets of a name comes last."""
    try:
        return (made / _RECORD).stat().st_mtime_ns
    except OSError:
        return 0


def _moves(folder: Path, files: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for suffix, path in files.items():
        if made_file(folder, suffix).exists():
            yield made_file(folder, suffix), path


def _read(path: Path) -> Record | None:
    """None: there is no record, or not as it was written. Raises ``OSError`` where it cannot be told."""
    try:
        return read_record(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def _read_if_able(path: Path) -> Record | None:
    try:
        return _read(path)
    except OSError:
        return None


def _write(path: Path, text: str) -> None:
    """``path`` is there only when all of it is."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)  # it may be a link
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
