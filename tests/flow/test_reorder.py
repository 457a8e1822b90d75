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


@given(st.permutations(range(10)), st.integers(0, 10), st.lists(st.integers(0, 15), max_size=20))
def test_whatever_is_put_twice_changes_nothing_and_what_is_let_out_has_no_hole(
    order: list[int], place: int, more: list[int]
) -> None:
    indices = [*order[:place], *more, *order[place:]]
    reorderer: Reorderer[str] = Reorderer()
    known, out, peak = set[int](), list[str](), 0
    for turn, index in enumerate(indices):
        if index in known:
            before = (repr(reorderer), reorderer.statistics())
            with pytest.raises(ValueError, match="twice"):
                reorderer.put(index, "again")
            assert (repr(reorderer), reorderer.statistics()) == before
            continue
        known.add(index)
        waited = len(known) - len(out)
        peak = max(peak, waited)
        out += reorderer.put(index, f"{index}, put {turn}")
        assert [reorderer.answered(each) for each in range(16)] == [each in known for each in range(16)]
    assert [int(item.split(",")[0]) for item in out] == list(range(reorderer.next_index))
    assert reorderer.next_index == next(each for each in range(17) if each not in known)
    counts = reorderer.statistics()
    assert (counts.released, counts.waiting) == (len(out), len(known) - len(out))
    assert counts.peak_waiting == peak


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
