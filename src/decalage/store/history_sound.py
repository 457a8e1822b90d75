"""The sound of a session as one file, where a program wants one: silence where nothing was heard."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from decalage.audio import SAMPLE_RATE
from decalage.errors import InputError, OutputError
from decalage.store.journal_folders import is_kept
from decalage.store.journal_reader import JournalContent, read_journal
from decalage.store.journal_sound import FlacEncoder

_SILENCE = np.zeros(SAMPLE_RATE, np.float32)


@contextmanager
def kept_sound(folder: Path) -> Iterator[Path]:
    """A FLAC file of all that the journal in ``folder`` holds, from second 0 on, gone at the end.

    Raises ``InputError`` where there is no sound any more, ``OutputError`` where the file cannot be written.
    """
    if not is_kept(folder):
        raise InputError(f"the sound of {folder.name} is not kept any more; write a .srt")
    content = read_journal(folder)
    with tempfile.TemporaryDirectory(prefix="decalage-") as place:
        path = Path(place) / "sound.flac"
        try:
            if not _write(content, path):
                raise InputError(f"no sound of {folder.name} is kept; write a .srt")
        except OSError as error:
            raise OutputError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
        yield path


def _write(content: JournalContent, path: Path) -> int:
    """The samples that were written."""
    encoder, place = FlacEncoder(), 0
    with path.open("wb") as file:
        file.write(encoder.header)
        for chunk in content.chunks():
            while place < chunk.first:
                silence = _SILENCE[: chunk.first - place]
                file.write(encoder.add(silence))
                place += len(silence)
            file.write(encoder.add(chunk.samples))
            place += len(chunk.samples)
        file.write(encoder.finish())
    return place
