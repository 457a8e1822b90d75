"""Writes settings into the configuration file; whatever else stands there, comments too, is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from decalage.errors import OutputError, UsageError
from decalage.sinks.output import write_whole

_HEAD = "décalage's settings; keys are options of the command line without their dashes."


def save(path: Path, settings: Mapping[str, str | int]) -> bool:
    """Set the keys of ``settings`` in the file at ``path``, made with its folder if need be.

    The file changes whole or not at all. Gives whether it changed. Raises ``UsageError`` for one that
    is not TOML, ``OutputError`` where it cannot be written.
    """
    try:
        before = path.read_text("utf-8") if path.is_file() else None
        document = tomlkit.document() if before is None else tomlkit.parse(before)
        if before is None:
            document.add(tomlkit.comment(_HEAD))
        for key, value in settings.items():
            if document.get(key) != value:
                document[key] = value
        after = tomlkit.dumps(document)
        if after != before:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(str(path), after)
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML and was left as it is: {error}") from error
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    return after != before
