"""Which token was said when: the cheapest way through tokens and frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.stages.alignment import token_starts


def attention(begins: list[int], frames: int, heads: int = 3) -> np.ndarray:
    """Heads that look at the frames of each token, and at the end after the last."""
    scores = np.zeros((heads, len(begins) + 1, frames), np.float32)
    for row, (start, stop) in enumerate(zip(begins, [*begins[1:], frames], strict=True)):
        scores[:, row, start:stop] = 8.0
    scores[:, -1, frames - 4 :] = 16.0
    return scores


def test_tokens_begin_where_the_heads_begin_to_look() -> None:
    begins = [0, 20, 55, 90]
    starts = token_starts(attention(begins, 120), 120)
    assert len(starts) == 5
    assert np.allclose(np.array(starts[:4]) * 50, begins, atol=4)


def test_frames_without_sound_are_left_out() -> None:
    scores = attention([0, 20, 55], 200)
    scores[:, -1, :] = 0.0
    scores[:, -1, 190:] = 50.0
    assert max(token_starts(scores, 80)) <= 80 / 50


@given(st.integers(1, 12), st.integers(1, 60), st.integers(0, 2**31))
def test_times_never_go_back_and_stay_in_the_sound(tokens: int, frames: int, seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(2, tokens + 1, frames)).astype(np.float32)
    starts = token_starts(scores, frames)
    assert len(starts) == tokens + 1
    assert list(starts) == sorted(starts)
    assert 0 <= starts[0] <= starts[-1] <= frames / 50


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 4])
def test_the_shortest_sounds_have_times_too(frames: int) -> None:
    assert len(token_starts(np.zeros((2, 3, 10), np.float32), frames)) == 3
