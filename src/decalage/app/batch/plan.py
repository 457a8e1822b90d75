"""What is to be done of a batch, and what has been done before. Looks at files, writes nothing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from decalage.app.batch.entries import Entry, common_root
from decalage.app.batch.fingerprint import fingerprint
from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.naming import Output, Wish, assign, files_of, key, outputs_of
from decalage.app.batch.record import Record, Stamp
from decalage.app.settings import Settings
from decalage.errors import UsageError
from decalage.sinks.captions import Show
from decalage.store.files import sha256


@dataclass(frozen=True, slots=True)
class Forms:
    """How the captions of each file are written."""

    forms: tuple[str, ...]
    show: Show | None = None
    """None: both languages in plain text, the target in subtitles."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """One file and the result set that it is to have."""

    entry: Entry
    name: str
    settings: Settings
    fingerprint: str
    outputs: tuple[Output, ...]
    show: Show | None
    stamp: Stamp | None
    """None: there is no such file, or it cannot be looked at."""
    sha256: str | None = None
    """Of its content, where that is known without reading it."""
    duration_s: float | None = None
    """As its container says, where it says so."""

    @property
    def path(self) -> Path:
        """What is captioned."""
        return self.entry.path

    @property
    def files(self) -> dict[str, str]:
        """Suffix of each output → its path in the folder of the results."""
        return files_of(self.name, self.outputs)


@dataclass(frozen=True, slots=True)
class Reuse:
    """What of a result set that is there will do for a task."""

    record: Record
    copied: frozenset[str] = frozenset()
    """Suffixes of files that are taken over as they are."""
    made: frozenset[str] = frozenset()
    """Suffixes of files that are written anew, from the events of that set."""

    @property
    def whole(self) -> bool:
        """Whether nothing is left to do."""
        return not self.copied and not self.made


def stamp_of(path: Path) -> Stamp | None:
    """How ``path`` is now; None: it cannot be looked at."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return Stamp(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class _Now:
    """The files of a batch as they are; one that changes after its stamp was taken is read again later."""

    stamps: Mapping[Path, Stamp | None]
    digests: dict[Path, str] = field(default_factory=dict)
    """Of those that had to be read."""

    def is_moved(self, path: Path, record: Record) -> bool:
        """Whether ``path`` is what ``record`` is of, which is not where it was. Reads what is as large."""
        stamp = self.stamps[path]
        if stamp is None or stamp.size != record.stamp.size or not _gone(record.source):
            return False
        try:
            digest = self.digests.get(path) or sha256(path)
        except OSError:
            return False
        self.digests[path] = digest
        return digest == record.sha256


def _gone(path: str) -> bool:
    """Whether nothing has that name, as far as may be looked."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def make_tasks(
    entries: Sequence[Entry], settings: Settings, forms: Forms, folder: ResultFolder
) -> list[Task]:
    """A task for each of ``entries``; what is a result of ``folder`` is none. Raises ``UsageError``."""
    holders = folder.records.holders()
    entries = [each for each in entries if _relative(each.path, folder.path) not in holders]
    own = [asked(entry, settings) for entry in entries]
    outputs = [outputs_of(forms.forms, each.stream_options().targets, forms.show) for each in own]
    now = _Now({entry.path: None if entry.lack else stamp_of(entry.path) for entry in entries})
    names = _names(entries, own, outputs, folder, now)
    before = folder.records.of_source()
    tasks = []
    for entry, wanted, files, name in zip(entries, own, outputs, names, strict=True):
        stamp = now.stamps[entry.path]
        known = (each.sha256 for each in before.get(str(entry.path), []) if each.stamp == stamp)
        tasks.append(
            Task(
                entry=entry,
                name=name,
                settings=wanted,
                fingerprint=fingerprint(wanted),
                outputs=files,
                show=forms.show,
                stamp=stamp,
                sha256=next(known, now.digests.get(entry.path)),
            )
        )
    return tasks


def find_reuse(task: Task, sha256: str, folder: ResultFolder) -> Reuse | None:
    """What is there already for ``task``, whose content is ``sha256``; None: it is to be captioned.

    Best its own result set, else one that needs the least to be done. Some speech failed in a set that is
    ``incomplete``: it is tried again.
    """
    fit = [
        found
        for record in folder.records.alike(sha256, task.fingerprint)
        if folder.records.is_fresh(record, task.name)
        if record.quality != "incomplete" and (record.words or not task.settings.words)
        if (found := _reuse(task, record, folder)) is not None
    ]
    return min(
        fit, key=lambda each: (each.record.name != task.name, len(each.made), each.record.name), default=None
    )


def alike_in_size(tasks: Sequence[Task], folder: ResultFolder) -> set[Task]:
    """Those whose content may be that of another, or of what was captioned before: others are new."""
    sizes = Counter(task.stamp.size for task in tasks if task.stamp)
    known = {record.stamp.size for record in folder.records}
    return {task for task in tasks if task.stamp and (sizes[task.stamp.size] > 1 or task.stamp.size in known)}


def _reuse(task: Task, record: Record, folder: ResultFolder) -> Reuse | None:
    there = set(record.files) - folder.missing(record)
    own = record.name == task.name
    fit = there if record.show == task.show else there & {"jsonl"}
    needed = {output.suffix for output in task.outputs}
    if needed - fit and "jsonl" not in there:
        return None
    return Reuse(record, frozenset() if own else frozenset(needed & fit), frozenset(needed - fit))


def asked(entry: Entry, settings: Settings) -> Settings:
    """``settings`` with what was said of ``entry``. Raises ``UsageError``, with its place."""
    own = replace(settings, source=entry.source or settings.source, targets=entry.targets or settings.targets)
    try:
        own.stream_options()
    except UsageError as error:
        if not entry.source and not entry.targets:
            raise
        raise UsageError(f"{entry.place}: {error}") from error
    return own


def _names(
    entries: Sequence[Entry],
    settings: Sequence[Settings],
    outputs: Sequence[tuple[Output, ...]],
    folder: ResultFolder,
    now: _Now,
) -> list[str]:
    """The name of each result set, those that have one already as they are."""
    root = common_root(entries)
    wishes = [
        Wish(
            relative=_below(entry.path, root),
            asked=entry.name,
            place=entry.place,
            identity=_identity(entry, own),
            outputs=files,
        )
        for entry, own, files in zip(entries, settings, outputs, strict=True)
    ]
    sources = {_relative(entry.path, folder.path) for entry in entries}
    holders = folder.records.holders() | {key(f"{each.name}.json"): each for each in folder.records}
    held = partial(_held, entries, holders, sources, folder.path, now)
    return assign(wishes, _kept(wishes, entries, held, folder), held)


def _kept(
    wishes: Sequence[Wish], entries: Sequence[Entry], held: Callable[[int, str], bool], folder: ResultFolder
) -> dict[int, str]:
    """The names that files have had before, where all that is to be written now can have them too."""
    records = folder.records.of_source()
    times = Counter(entry.path for entry in entries)
    found = {
        number: records[str(entry.path)][0].name
        for number, entry in enumerate(entries)
        if times[entry.path] == 1 and len(records.get(str(entry.path), [])) == 1
    }
    return {
        number: name
        for number, name in found.items()
        if not any(held(number, path) for path in files_of(name, wishes[number].outputs).values())
    }


def _held(
    entries: Sequence[Entry],
    holders: Mapping[str, Record],
    sources: Container[str],
    root: Path,
    now: _Now,
    number: int,
    path: str,
) -> bool:
    """Whether ``path`` in ``root`` is something else than a result, or the record, of entry ``number``.

    A file that is to be captioned, of another, or of nobody known. What a file left behind that is gone is
    that of one with the same content, which was moved.
    """
    if key(path) in sources:
        return True
    record = holders.get(key(path))
    if record is None:
        return not path.endswith(".json") and os.path.lexists(root / path)
    source = entries[number].path
    return record.source != str(source) and not now.is_moved(source, record)


def _relative(path: Path, root: Path) -> str:
    """``naming.key`` of ``path`` in ``root``; of what is elsewhere, something that is no key."""
    try:
        return key(path.relative_to(root.absolute()).as_posix())
    except ValueError:
        return f"/{path}"


def _below(path: Path, root: Path | None) -> str:
    """Where ``path`` is in ``root``, with ``/``; without a root, from its drive on."""
    if root is not None:
        return path.relative_to(root).as_posix()
    return "/".join([path.drive.strip(":\\"), *path.parts[1:]])


def _identity(entry: Entry, settings: Settings) -> str:
    """Tells one entry from all others."""
    return "\n".join([str(entry.path), settings.source, *settings.targets])
