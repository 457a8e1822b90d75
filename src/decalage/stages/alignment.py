"""Which token was said when, from what the decoder attended to. Pure.

As Whisper's own ``timing.py``: the attention of the heads that follow the speech, normalized over tokens,
smoothed over time; then the cheapest monotone path through tokens and frames (dynamic time warping).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRAMES_PER_S = 50
"""Frames that the encoder gives for a second of sound."""
_SMOOTHED = 7
"""Frames that a median is taken over."""


def token_starts(attention: NDArray[np.float32], frames: int) -> tuple[float, ...]:
    """When each token began, seconds, and when the last one ended.

    ``attention``: scores before softmax, shape (heads, tokens + 1, frames of the window); row i is the
    step that chose token i, the last row the one that chose the end. ``frames``: how many of them are sound.
    """
    heads = attention[:, :, : max(1, frames)]
    cost = np.zeros(heads.shape[1:])
    for head in heads:  # one by one: a large model has hundreds
        cost -= _smoothed(_weights(head.astype(np.float64)))
    path = _path(cost / len(heads))
    return tuple(frame / FRAMES_PER_S for frame in path)


def _weights(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of one head: its attention over frames, normalized over tokens."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    spread = weights.std(axis=-2, keepdims=True)
    return np.asarray((weights - weights.mean(axis=-2, keepdims=True)) / np.where(spread > 0, spread, 1.0))


def _smoothed(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median over time of ``_SMOOTHED`` frames, mirrored at the edges."""
    reach = _SMOOTHED // 2
    if weights.shape[-1] <= reach:
        return weights
    padded = np.pad(weights, ((0, 0), (reach, reach)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHED, axis=-1)
    return np.asarray(np.median(windows, axis=-1))


def _path(cost: NDArray[np.float64]) -> list[int]:
    """The frame at which the cheapest path comes to each row of ``cost``, shape (rows, frames).

    A step goes one row on, one frame on, or both.
    """
    rows, frames = cost.shape
    total = np.full((rows + 1, frames + 1), np.inf)
    total[0, 0] = 0.0
    steps = np.zeros((rows + 1, frames + 1), np.int8)
    steps[0, :], steps[:, 0] = 2, 1
    for row in range(1, rows + 1):
        above, here = total[row - 1], total[row]
        for frame in range(1, frames + 1):
            both, down, right = above[frame - 1], above[frame], here[frame - 1]
            if both < down and both < right:
                best, step = both, 0
            elif down < both and down < right:
                best, step = down, 1
            else:
                best, step = right, 2
            here[frame] = cost[row - 1, frame - 1] + best
            steps[row, frame] = step
    starts = [0] * rows
    row, frame = rows, frames
    while row > 0 and frame > 0:
        starts[row - 1] = frame - 1
        step = int(steps[row, frame])
        row -= step != 2
        frame -= step != 1
    return starts
