"""The reorderer gives each index once, in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.flow.reorder import Reorderer


@given(st.permutations(range(12)))
def test_any_order_in_gives_index_order_out(order: list[int]) -> None:
    reorderer: Reorderer[int] = Reorderer()
    out = [item for index in order for item in reorderer.put(index, index)]
    assert out == list(range(12))
    assert reorderer.statistics().waiting == 0


def test_an_index_is_answered_once() -> None:
    reorderer: Reorderer[str] = Reorderer()
    assert reorderer.put(1, "waits") == []
    assert reorderer.put(0, "first") == ["first", "waits"]
    for index in (0, 1):
        with pytest.raises(ValueError, match="twice"):
            reorderer.put(index, "again")


def test_statistics_keep_the_peak() -> None:
    reorderer: Reorderer[int] = Reorderer()
    for index in (3, 2, 1, 0):
        reorderer.put(index, index)
    assert reorderer.statistics().peak_waiting == 4
    assert reorderer.next_index == 4
