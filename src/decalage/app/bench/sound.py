"""The sound a benchmark is run on: known whole before, the same for every cell."""

from __future__ import annotations

import logging
from pathlib import Path

from decalage.app.bench.plan import Audio
from decalage.audio import seconds
from decalage.errors import DamagedInputError, InputError
from decalage.sources.file import FileSource
from decalage.sources.pace import Limited
from decalage.store.files import sha256

logger = logging.getLogger(__name__)


def default_audio() -> str:
    """The sample talk: of the checkout this runs from, else the one that was installed with the package.

    Raises ``InputError`` where neither is there.
    """
    for root in (Path(__file__).parents[4], Path(__file__).parents[2]):
        path = root / "samples" / "talk.flac"
        if path.is_file():
            return str(path)
    raise InputError("no sound to measure on; name a file: decalage bench talk.mp4")


def audio_of(given: str, limit_s: float) -> Audio:
    """A file to measure on, its length known; named from the current folder. Raises ``InputError``."""
    if given == "-" or "://" in given:
        raise InputError(f"{given} cannot be heard again for each cell; save it to a file")
    source = FileSource(given)
    length_s = source.duration_s
    if length_s is None:
        length_s = _counted(source, limit_s * 2)
    path = Path(given).resolve()
    here = Path.cwd()
    told = path.relative_to(here) if path.is_relative_to(here) else path
    return Audio.limited(str(told), sha256(path), length_s, limit_s)


def _counted(source: FileSource, limit_s: float) -> float:
    """Seconds of sound in a file that does not say, counted up to ``limit_s``."""
    counted = 0
    try:
        for chunk in Limited(source, limit_s):
            counted += len(chunk.samples)
    except DamagedInputError as damage:
        logger.info("%s: %s", source.name, damage)
    return seconds(counted)
