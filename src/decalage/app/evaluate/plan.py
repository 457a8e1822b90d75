"""From rows to cells: each recording one, all texts together one more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from decalage.app.bench.cell import Measured
from decalage.app.bench.plan import Audio, Cell, Row
from decalage.app.bench.sound import audio_of
from decalage.app.evaluate.manifest import Recording
from decalage.app.settings import Settings
from decalage.errors import InputError

CELL = "decalage.app.evaluate.cell"
"""The module that measures one."""
CODE = (
    "events.py",
    "speech.py",
    "app/evaluate/cell.py",
    "app/evaluate/onset.py",
    "app/evaluate/tail.py",
)
"""What its results depend on beside what a benchmark's do."""
_LONGEST_S = 24 * 3600.0
_TAIL_S = 2.0
_AFTER_S = 1.0
_TEXT_S = 0.3
"""Taken for the length of a text: it is estimated to take the part of it that sound takes."""


@dataclass(frozen=True, slots=True)
class Hearing(Cell):
    """One recording through the pipeline."""

    recording: Recording
    tail_s: float

    @property
    def settings(self) -> Settings:
        """As the program would be given them."""
        return replace(self.row.settings, pace=self.pace, offline=True)

    @property
    def name(self) -> str:
        """For a person."""
        return self.recording.id

    def request(self) -> dict[str, Any]:
        """What the cell's process is told."""
        return {"audio": self.audio.path, "settings": asdict(self.settings), "tail_s": self.tail_s}


@dataclass(frozen=True, slots=True)
class Reading(Cell):
    """All texts through the translator."""

    texts: tuple[str, ...]

    @property
    def settings(self) -> Settings:
        """As the program would be given them."""
        return replace(self.row.settings, offline=True)

    @property
    def name(self) -> str:
        """For a person."""
        return f"{len(self.texts)} texts"

    def request(self) -> dict[str, Any]:
        """What the cell's process is told."""
        return {"texts": list(self.texts), "settings": asdict(self.settings)}


def default_tail_s(settings: Settings) -> float:
    """Silence after a recording: longer than what ends an utterance, and none at full speed."""
    if settings.pace == "max":
        return 0.0
    return max(_TAIL_S, settings.segmenter_options().end_silence_s + _AFTER_S)


def make_cells(
    chosen: Sequence[Recording], folder: Path, settings: Settings, tail_s: float
) -> dict[Recording, Cell]:
    """Recording → its cell. ``folder`` is the manifest's. Raises ``InputError`` for what is not there."""
    each, inside = settings.parallelism()
    row = Row("c", replace(settings, workers=each, threads=inside))
    texts = tuple(dict.fromkeys(one.transcript for one in chosen if one.path is None and one.transcript))
    reading = Reading(row, _written(texts), "max", 0, texts)
    return {
        one: reading if one.path is None else _hearing(one, folder / one.path, row, tail_s) for one in chosen
    }


def _hearing(recording: Recording, path: Path, row: Row, tail_s: float) -> Hearing:
    try:
        audio = audio_of(str(path), _LONGEST_S)
    except InputError as error:
        raise InputError(f"{recording.place}: {error}") from error
    whole = replace(audio, seconds=audio.seconds + tail_s)
    return Hearing(row, whole, row.settings.pace, 0, recording, tail_s)


def _written(texts: Sequence[str]) -> Audio:
    """Texts in the place of a sound: what they are known by, and how long they take."""
    return Audio("", sha256(json.dumps(texts).encode()).hexdigest(), _TEXT_S * len(texts), None)


def answers(cells: Mapping[Recording, Cell], results: Mapping[Cell, Measured]) -> dict[Recording, Measured]:
    """Recording → what was measured of it; of a text, its own translations alone."""
    found = {}
    for recording, cell in cells.items():
        result = results.get(cell)
        if result is not None:
            found[recording] = _own(recording, cell, result) if isinstance(cell, Reading) else result
    return found


def _own(recording: Recording, cell: Reading, result: Measured) -> Measured:
    if result["error"] is not None:
        return result
    number = cell.texts.index(recording.transcript or "")
    own = {
        name: {target: each[number] for target, each in result[name].items()}
        for name in ("translations", "seconds")
    }
    return {**result, **own}
