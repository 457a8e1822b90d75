"""The transcripts that ``live`` saves: files of captions that stay until a person deletes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from decalage.errors import OutputError
from decalage.events import Caption, Event, Failure, as_json
from decalage.store.journal_folders import create_private, journal_folder, make_private

_SAYS = (Caption.type, Failure.type)


def transcripts_folder() -> Path:
    """Beside the journals: in ``DECALAGE_DATA``, else in the system's place for a user's data."""
    return journal_folder().with_name("transcripts")


def new_transcript() -> Path:
    """For a session that begins now: the name of a file that is not there, in a folder that is.

    Raises ``OutputError``.
    """
    folder = transcripts_folder()
    try:
        make_private(folder)
    except OSError as error:
        raise _refusal(f"the folder {folder}", error) from error
    now = datetime.now()
    return folder / f"{now:%Y-%m-%d %H.%M.%S}.{now.microsecond // 1000:03}.jsonl"


def make_transcript(path: Path) -> None:
    """An empty file that nobody else may read, whatever the umask. Raises ``OutputError``."""
    try:
        create_private(path).close()
    except OSError as error:
        raise _refusal(str(path), error) from error


def drop_empty(path: Path) -> None:
    """Delete the file of a session that never began."""
    if path.is_file() and not path.stat().st_size:
        path.unlink()


def transcripts_of(sessions: Iterable[Iterable[Event]]) -> list[Path]:
    """The files whose first words are, to the tenth of a millisecond, those of one of ``sessions``.

    One that cannot be read is nobody's.
    """
    said = [body for events in sessions if (body := _first(map(_as_read, events))) is not None]
    return [path for path in sorted(transcripts_folder().glob("*.jsonl")) if _first(_lines(path)) in said]


def _as_read(event: Event) -> dict[str, Any]:
    """As it is read out of a file: with lists for tuples."""
    body: dict[str, Any] = json.loads(json.dumps(as_json(event)))
    return body


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The events in a file, up to what is none."""
    with suppress(OSError, ValueError), path.open(encoding="utf-8") as file:
        for line in file:
            body = json.loads(line)
            if not isinstance(body, dict):
                return
            yield body


def _first(events: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """What was said first, and how it was answered."""
    return next((each for each in events if each.get("type") in _SAYS and each.get("text")), None)


def _refusal(what: str, error: OSError) -> OutputError:
    return OutputError(f"cannot make {what}: {error.strerror}; use --no-save, or set DECALAGE_DATA")
