"""One word for everything that a text depends on beside its sound: settings, models, this program."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from functools import cache
from importlib import metadata
from pathlib import Path

from decalage.app.directions import find_directions
from decalage.app.settings import Settings
from decalage.errors import DecalageError
from decalage.store.files import sha256
from decalage.store.models import find_recognizer

_NO_MATTER = {"directions", "overload", "max_lag_s", "lighter", "name"}
"""Of a stream's options, what follows from the models, or makes no difference at full speed."""


def program() -> str:
    """The version of this program."""
    return metadata.version("decalage")


@cache
def fingerprint(settings: Settings) -> str:
    """The same for settings that give the same text, of models that are the same byte by byte.

    How many workers there are and where they run does not count, and not whether words have times. What is
    left to the machine (the engine, the device) counts as left. Raises ``UsageError`` as the settings do.
    """
    plain = replace(settings, words=False)
    options = asdict(plain.stream_options())
    depends = {
        "program": program(),
        "models": _models(plain),
        "options": {name: value for name, value in options.items() if name not in _NO_MATTER},
        "device": settings.device,
        "compute_type": settings.compute_type,
        "engine": settings.engine,
        "duration": settings.duration_s,
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:32]


def _models(settings: Settings) -> list[object]:
    """What the models are made of; of those that are not here, what they are called and what is missing."""
    options = settings.stream_options()
    recognizer: object = settings.model
    directions: list[object] = [*options.targets]
    try:
        recognizer = _weights(find_recognizer(settings.model, offline=True))
        found = find_directions(options.source, options.targets, hears_others=True)
        directions = [[*pair, _weights(folder)] for pair, folder in sorted(found.items())]
    except DecalageError as error:
        directions.append(str(error))
    return [recognizer, directions]


@cache
def _weights(folder: Path) -> tuple[str, ...]:
    return tuple(sha256(path) for path in sorted(folder.glob("*.bin")))
