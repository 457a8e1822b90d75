"""SECURITY.md names what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
ROWS = [line for line in PAGE.splitlines() if line.startswith("|") and "::" in line]


def modules(row: str) -> list[Path]:
    """Of the third column; one without a folder is beside the one before it."""
    folder, found = Path(), []
    for name in re.findall(r"`([^`]+)`", row.split("|")[3]):
        at_top = name.startswith("scripts/") or name.endswith(".txt")
        path = Path(name) if "/" in name or at_top else folder / name
        folder = path.parent
        found.append(ROOT / path if at_top else ROOT / "src" / "decalage" / path)
    return found


def test_every_claim_has_a_module_and_a_test() -> None:
    assert len(ROWS) > 10
    assert all(modules(row) for row in ROWS)


@pytest.mark.parametrize(("file", "name"), TESTS)
def test_each_test_that_is_named_exists(file: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)


def test_each_module_that_is_named_exists() -> None:
    missing = [str(path) for row in ROWS for path in modules(row) if not path.is_file()]
    assert not missing
