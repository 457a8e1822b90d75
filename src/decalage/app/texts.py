"""Text files that a person names."""

from __future__ import annotations

from pathlib import Path

from decalage.errors import InputError


def read_utf8(path: Path) -> str:
    """All of it, without a byte order mark. Raises ``InputError`` for what cannot be read or is no UTF-8."""
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8") from error
