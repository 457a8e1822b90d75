"""The page of failures names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+\.py::\w+)`", PAGE)))


@pytest.mark.parametrize("named", NAMED)
def test_every_test_that_is_named_is_there(named: str) -> None:
    path, _, name = named.partition("::")
    assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE)


def test_each_way_to_fail_has_a_row() -> None:
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", PAGE.partition("\n## ")[0], re.M)
    assert [int(number) for number, _ in rows] == list(range(1, 16))
    assert all(tests for _, tests in rows)
