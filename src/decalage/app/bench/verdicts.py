"""What the events of a run say about it: order, losses, and whether it keeps up with the speaker."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

GROWTH_S = 1.0
"""Lag may be this much greater at the end of a run than at its beginning."""
SLOPE = 0.01
"""Seconds of lag per second of sound: a rise of more than this goes on, if it is no chance."""
FEWEST = 3
"""With fewer captions nothing can be said of growth."""


def order_violations(indices: Sequence[int]) -> int:
    """How many settled ``indices`` do not follow the one before by one; the first must be 0."""
    return sum(index != before + 1 for before, index in pairwise([-1, *indices]))


def lost(indices: Sequence[int], issued: int) -> int:
    """How many of the ``issued`` indices were never settled."""
    return len(set(range(issued)) - set(indices))


def keeps_up(lags: Sequence[tuple[float, float]], dropped_s: float = 0.0) -> bool | None:
    """Whether lag does not grow over the run; None where too little was said to tell.

    ``lags`` are (time of the sound, lag) in seconds, in spoken order. Lag grows when its median over the
    last third of the captions is ``GROWTH_S`` above that of the first third, or when the line through
    all of them surely rises by more than ``SLOPE``: two standard errors less would still be steeper.
    Who drops sound does not keep up.
    """
    if dropped_s > 0:
        return False
    if len(lags) < FEWEST:
        return None
    times, values = np.array(lags, dtype=float).T
    third = len(values) // 3
    growth = float(np.median(values[-third:]) - np.median(values[:third]))
    return not (growth > GROWTH_S or _sure_slope(times, values) > SLOPE)


def _sure_slope(times: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """The slope of the line through all, less two of its standard errors."""
    spread = float(((times - times.mean()) ** 2).sum())
    if spread == 0:
        return 0.0
    slope, start = np.polyfit(times, values, 1)
    rest = float(((values - start - slope * times) ** 2).sum())
    return float(slope) - 2 * float(np.sqrt(rest / (len(values) - 2) / spread))
