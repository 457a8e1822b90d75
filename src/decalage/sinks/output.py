"""Text going out line by line, with the system's refusals as errors of ours."""

from __future__ import annotations

import codecs
import errno
import logging
import os
import secrets
import shutil
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from decalage.errors import OutputError

logger = logging.getLogger(__name__)

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where nothing more can be written."""


class ReaderGoneError(OutputError):
    """Raised when whoever read standard output has gone (``| head``): stop, there is no one to tell."""

    exit_code = 0


def check_writable(path: str, *, whole: bool = False) -> None:
    """Raise ``OutputError`` if ``path`` cannot be written, without touching what is there.

    ``whole``: by ``write_whole``, which puts a new file in the place of an old one.
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder")
        if not target.parent.is_dir():
            raise OutputError(f"cannot write {path}: the folder does not exist")
        needed = [target] if target.exists() else [target.parent]
        if whole and target.is_file():
            needed.append(target.resolve().parent)
    except OSError as error:  # a name that is too long, a folder that may not be searched
        raise OutputError(f"cannot write {path}: {reason(error)}") from error
    if not all(os.access(one, os.W_OK) for one in needed):
        raise OutputError(f"cannot write {path}: permission denied")


def write_whole(path: str, content: str | bytes) -> None:
    """Make ``path`` a file of ``content``, or leave what was there. Raises ``OutputError``.

    Text is written as UTF-8. A link stays one; what is no regular file (``/dev/null``, a named pipe)
    is written to as it is.
    """
    whole = content.encode() if isinstance(content, str) else content
    target = Path(path).resolve()
    temporary = target.with_name(f".decalage-{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(whole)
            return
        try:
            temporary.touch(exist_ok=False)
            if target.exists():
                shutil.copymode(target, temporary)  # before a word is in it: it may be private
            temporary.write_bytes(whole)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason(error)}") from error


class TextOutput:
    """Writes lines and flushes each, so that what stands there is valid at any moment, on a full disk too.

    A letter that the stream's encoding does not have is written as ``?``.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._owned = False
        self._whole = 0  # bytes of a file of ours that are whole lines
        self._closed = False
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")

    @property
    def unicode(self) -> bool:
        """Whether every letter can be written."""
        return codecs.lookup(self._stream.encoding or "utf-8").name.startswith("utf")

    @classmethod
    def to_path(cls, path: str) -> TextOutput:
        """A new file, replacing an old one. Raises ``OutputError``."""
        try:
            output = cls(Path(path).open("w", encoding="utf-8", newline="\n"), path)  # noqa: SIM115 - close() closes it
        except OSError as error:
            raise OutputError(f"cannot write {path}: {reason(error)}") from error
        output._owned = True
        return output

    def __repr__(self) -> str:
        return f"<TextOutput {self._name}>"

    def line(self, text: str) -> None:
        """Write ``text`` and a line end. Raises ``OutputError``, ``ReaderGoneError`` for a closed pipe."""
        written = text + "\n"
        try:
            self._stream.write(written)
            self._stream.flush()
        except OSError as error:
            raise self.refusal(error) from error
        self._whole += len(written.encode(self._stream.encoding or "utf-8", "replace"))

    def refusal(self, error: OSError) -> OutputError:
        """What to raise for ``error``; a stream of which a write failed is not flushed again at exit."""
        self._abandon()
        if error.errno == errno.EPIPE:
            return ReaderGoneError(f"{self._name} is no longer read")
        return OutputError(f"cannot write {self._name}: {reason(error)}")

    def close(self) -> None:
        """Close a file; standard output is only flushed. Idempotent."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._owned:
                self._stream.close()
            else:
                self._stream.flush()
        except OSError as error:
            raise self.refusal(error) from error

    def _abandon(self) -> None:
        """Let the unwritten rest go nowhere, or the interpreter would fail on it once more at exit."""
        self._closed = True
        try:
            if self._owned:
                os.ftruncate(self._stream.fileno(), self._whole)  # no half of a line stays
        except OSError:
            logger.debug("%r is no file that can be cut", self)
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
            if self._owned:
                self._stream.close()
        except (OSError, ValueError):
            return  # no file behind it: nothing will be flushed


def reason(error: OSError) -> str:
    """What the system refuses, in words."""
    hints = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.ENOENT: "the folder does not exist",
    }
    return hints.get(error.errno or 0, (error.strerror or str(error)).lower())
