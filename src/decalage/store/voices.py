"""Piper's voices: from the cache, or from the hub's ``rhasspy/piper-voices``.

::

    voice:pt_BR-faber-medium    pt/pt_BR/faber/medium/pt_BR-faber-medium.onnx and its .json
"""

from __future__ import annotations

import re
from pathlib import Path

from decalage.errors import ModelMissingError, UsageError
from decalage.languages import primary
from decalage.store.files import cache_folder, whole_folder
from decalage.store.hub import fetch, offline_by_environment

PREFIX = "voice:"
_REPOSITORY = "rhasspy/piper-voices"
_NAME = re.compile(
    r"(?P<locale>(?P<language>[a-z]{2,3})_[A-Z]{2})-(?P<voice>[a-z0-9_]+)-(?P<quality>[a-z_]+)"
)


def find_voice(language: str, wanted: str | None) -> Path | None:
    """The model of a voice: a file, or one in the cache by name; without a name the first of ``language``.

    None: no name was given and the cache has none. Raises ``UsageError`` for a name that is not there.
    """
    if wanted is None:
        folders = sorted(cache_folder().glob("voice-*"))
        fitting = (folder for folder in folders if _language(folder.name.removeprefix("voice-")) == language)
        return next((folder / f"{folder.name.removeprefix('voice-')}.onnx" for folder in fitting), None)
    if Path(wanted).is_file():
        return Path(wanted)
    model = _folder(wanted) / f"{wanted}.onnx"
    if not model.is_file():
        road = f"give a file, or run: decalage models add {PREFIX}{wanted}"
        raise UsageError(f"no voice {wanted!r} here; {road}")
    return model


def add_voice(name: str, *, again: bool) -> Path:
    """Bring a voice into the cache, whole or not at all. Raises ``ModelMissingError``, ``UsageError``."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise UsageError(f"{name!r} is no voice of Piper; write for example {PREFIX}pt_BR-faber-medium")
    folder = _folder(name)
    if folder.is_dir() and not again:
        return folder
    if offline_by_environment():
        raise ModelMissingError(f"voice {name} is not on this machine and offline is set")
    place = "/".join(found.group("language", "locale", "voice", "quality"))
    with whole_folder(folder, replace=True) as temporary:
        files = [f"{place}/{name}.onnx", f"{place}/{name}.onnx.json"]
        fetch(_REPOSITORY, None, temporary, files, ["check the network, and the name of the voice"])
        for path in files:
            if not (temporary / path).is_file():
                raise ModelMissingError(f"{_REPOSITORY} has no {path}; check the name of the voice")
            (temporary / path).rename(temporary / Path(path).name)
    return folder


def _folder(name: str) -> Path:
    return cache_folder() / f"voice-{name}"


def _language(name: str) -> str:
    return primary(name.partition("-")[0])
