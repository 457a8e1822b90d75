"""Files on disk: the cache folder, hashes remembered, and writes that happen whole or not at all."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from decalage.errors import ModelDamagedError, ModelMissingError

_BLOCK = 1 << 20
_ABANDONED_S = 86_400.0
_STAMPS = "verified.json"
_READABLE = 0o755
"""Of folders: a model is no secret, and one account may fetch it for others; mkdtemp makes private ones."""
_OTHERS_WRITE = 0o022
_PUBLISHED = "published.json"
"""Beside the files of a model: name → SHA-256, as they came."""


def cache_folder() -> Path:
    """Where decalage keeps models: ``DECALAGE_CACHE``, else the system's place for caches."""
    given = os.environ.get("DECALAGE_CACHE")
    return (Path(given) if given else Path(platformdirs.user_cache_dir("decalage"))) / "models"


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(folder: Path, hashes: Mapping[str, str], mend: str) -> None:
    """Check every file against its published hash, once for each size and time of change.

    Raises ``ModelDamagedError`` naming the file and ``mend``, the command that puts it right.
    """
    stamps = _read_stamps()
    fresh = {}
    for name, published in hashes.items():
        path = folder / name
        try:
            status = path.stat()
            stamp = [published, status.st_size, status.st_mtime_ns]
            if stamps.get(str(path)) == stamp:
                continue
            found = sha256(path)
        except FileNotFoundError as error:
            raise ModelDamagedError(f"{path} is missing; run: {mend}") from error
        except OSError as error:
            raise ModelDamagedError(f"{path} cannot be read: {error.strerror}; run: {mend}") from error
        if found != published:
            raise ModelDamagedError(f"{path} is not the published file; run: {mend}")
        fresh[str(path)] = stamp
    if fresh:
        _write_stamps({**stamps, **fresh})


def publish(folder: Path) -> None:
    """Note the hashes of all that is in ``folder``."""
    hashes = {path.name: sha256(path) for path in folder.iterdir() if path.is_file()}
    (folder / _PUBLISHED).write_text(json.dumps(hashes), "utf-8")


def is_published(folder: Path) -> bool:
    """Whether ``publish`` has noted the hashes of what is in ``folder``."""
    return (folder / _PUBLISHED).is_file()


def verify_published(folder: Path, mend: str) -> None:
    """``verify`` against what ``publish`` noted; without the note too it raises ``ModelDamagedError``."""
    try:
        hashes = json.loads((folder / _PUBLISHED).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelDamagedError(f"{folder} is incomplete; run: {mend}") from error
    if not isinstance(hashes, dict) or any(Path(name).name != name or "\0" in name for name in hashes):
        raise ModelDamagedError(f"{folder} is incomplete; run: {mend}")
    verify(folder, hashes, mend)


def join(target: Path, parts: Mapping[str, Iterable[Path]], hashes: Mapping[str, str], mend: str) -> None:
    """Make folder ``target`` of files joined from parts, checked while they are copied.

    The folder appears whole or not at all; of two processes at once either one's work stands.
    Raises ``ModelDamagedError`` for parts that are not the published ones, ``ModelMissingError``
    where the folder cannot be written.
    """
    with whole_folder(target) as temporary:
        for name, sources in parts.items():
            digest = hashlib.sha256()
            with (temporary / name).open("wb") as written:
                for block in _blocks(sources, mend):
                    digest.update(block)
                    written.write(block)
            if digest.hexdigest() != hashes[name]:
                raise ModelDamagedError(f"{name} of {target.name} is not the published file; run: {mend}")


@contextmanager
def whole_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """A temporary folder beside ``target`` that becomes it at the end, or is removed on an error.

    ``replace``: what is there goes then, and not before. What a program left that was killed is removed.
    """
    temporary: Path | None = None
    try:
        make_folder(target.parent)
        _sweep(target)
        beside = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
        beside.mkdir(mode=_READABLE)
        temporary = beside
        yield temporary
        _keep_from_writers(temporary)
        if replace and target.is_dir():
            aside = target.with_name(f"{beside.name}-old")
            target.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
        try:
            temporary.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    except OSError as error:
        raise ModelMissingError(
            f"cannot write the model to {target}: {error.strerror or error}; "
            "free some space or set DECALAGE_CACHE to another folder"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def make_folder(folder: Path) -> None:
    """``folder`` and what is missing above it, for others to read and not to write. Raises ``OSError``."""
    for each in reversed([folder, *folder.parents]):
        each.mkdir(mode=_READABLE, exist_ok=True)


def _keep_from_writers(folder: Path) -> None:
    """Nobody else may change what is in ``folder``, however lax the umask was."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~_OTHERS_WRITE)


def _sweep(target: Path) -> None:
    """Remove temporary folders of ``target`` into which nothing has come for a day."""
    for rest in target.parent.glob(f".{glob.escape(target.name)}-*"):
        with suppress(FileNotFoundError):
            if time.time() - rest.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(rest, ignore_errors=True)


def _blocks(sources: Iterable[Path], mend: str) -> Iterator[bytes]:
    for source in sources:
        try:
            with source.open("rb") as file:
                while block := file.read(_BLOCK):
                    yield block
        except OSError as error:
            raise ModelDamagedError(f"{source} cannot be read: {error.strerror}; run: {mend}") from error


def _read_stamps() -> dict[str, object]:
    try:
        stamps = json.loads((cache_folder() / _STAMPS).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _write_stamps(stamps: dict[str, object]) -> None:
    """Remember; where nothing can be written the files are hashed again next time."""
    folder = cache_folder()
    try:
        make_folder(folder)
        with tempfile.TemporaryDirectory(dir=folder) as aside:
            written = Path(aside) / _STAMPS
            written.touch(mode=0o600)
            written.write_text(json.dumps(stamps), "utf-8")
            written.replace(folder / _STAMPS)
    except OSError:
        return
