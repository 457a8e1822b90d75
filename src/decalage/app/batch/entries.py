"""What is to be captioned: files, folders with all in them, patterns, and the rows of lists."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from decalage.errors import InputError, UsageError, one_line
from decalage.sources.file import is_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file, and what was said of it."""

    path: Path
    """Absolute, as it was found: links are not followed."""
    root: Path
    """The folder that it was looked for in."""
    place: str
    """Where it was asked for, for messages."""
    named: bool = True
    """False: found in a folder or by a pattern. What has no sound is left out then."""
    source: str | None = None
    """The language spoken; None: as for all."""
    targets: tuple[str, ...] = ()
    """Languages of its captions; none: as for all."""
    name: str | None = None
    """What its results are to be called; None: as the file."""
    lack: str | None = None
    """Why it cannot be looked into, where that is known."""


def gather(given: Sequence[str], rows: Iterable[Entry], *, results: Path) -> list[Entry]:
    """Each file once, in the order given, those of a folder by name, then ``rows``.

    Hidden files are not found, nor what lies in the folder of the ``results``. Raises ``InputError`` for a
    name that is not there or may not be looked at, ``UsageError`` for what is no file.
    """
    entries: dict[object, Entry] = {}
    for each in given:
        try:
            for entry in _entries(each, absolute(results)):
                entries.setdefault(_told(entry), entry)
        except OSError as error:
            raise InputError(f"{each} {_lack(error)}") from error
    for entry in rows:
        entries.setdefault(_told(entry), entry)
    if not entries:
        where = f"no file with sound in {', '.join(given)}" if given else "no file is there"
        raise UsageError(f"{where}; name files, folders, patterns such as 'talks/*.mp4', or a --manifest")
    return list(entries.values())


def absolute(path: Path) -> Path:
    """``path`` from the root, without dots in it; links stay as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps the dots


def common_root(entries: Sequence[Entry]) -> Path | None:
    """The folder that holds all that was looked in; None where there is none, as with two drives."""
    try:
        return Path(os.path.commonpath([entry.root for entry in entries]))
    except ValueError:
        return None


def _told(entry: Entry) -> object:
    """What makes two entries one."""
    return entry.path, entry.source, entry.targets, entry.name


def _entries(given: str, results: Path) -> Iterator[Entry]:
    if given == "-" or is_url(given):
        what = "standard input" if given == "-" else given
        raise UsageError(f"{what} is no file: download it first, or use decalage translate")
    path = Path(given)
    pattern = glob.has_magic(given)
    if os.path.exists(given) if pattern else path.exists():  # noqa: PTH110 - a pattern may be longer than names
        yield from _found(path, path if path.is_dir() else path.parent, given, results)
        return
    if not pattern:
        raise InputError(f"{given} does not exist; check the name")
    matches = sorted(glob.glob(given, recursive=True))  # noqa: PTH207 - of any root, with ** that links end
    if not matches:
        raise InputError(f"nothing matches {given}")
    root = absolute(_fixed(given))
    for match in matches:
        if root.is_relative_to(results) or not absolute(Path(match)).is_relative_to(results):
            yield from (replace(each, named=False) for each in _found(Path(match), root, given, results))


def _fixed(pattern: str) -> Path:
    """The folder that every match of ``pattern`` is in, unless it goes up again."""
    parts: list[str] = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)


def _found(path: Path, root: Path, place: str, results: Path) -> Iterator[Entry]:
    path, root = absolute(path), absolute(root)
    if not path.is_relative_to(root):
        root = path.parent
    if path.is_dir():
        yield from _walked(path, root, place, results)
    elif path.is_file():
        yield Entry(path=path, root=root, place=place)
    else:
        raise UsageError(f"{path} is no regular file")


def _walked(folder: Path, root: Path, place: str, results: Path) -> Iterator[Entry]:
    closed: list[OSError] = []
    for at, folders, files in os.walk(folder, onerror=closed.append):
        inside = Path(at)
        folders[:] = sorted(
            each for each in folders if not each.startswith(".") and (inside / each) != results
        )
        for name in sorted(files):
            path = inside / name
            try:
                if not name.startswith(".") and path.is_file():
                    yield Entry(path=path, root=root, place=place, named=False)
            except OSError as error:
                closed.append(error)
    for refused in closed:
        path = absolute(Path(refused.filename))
        yield Entry(path=path, root=root, place=place, named=False, lack=_lack(refused))


def _lack(error: OSError) -> str:
    return f"cannot be looked into: {one_line(error.strerror or error).lower()}"
