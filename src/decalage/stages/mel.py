"""Mel filters as what they are: short bands, each of a few neighbouring bins of the spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class MelBands:
    """Stands for the matrix of filters in ``filters @ power``, without a matrix product.

    ``filters``: (mels, bins), float32, mostly nought. A small product, but BLAS has all cores make it, and
    OpenBLAS lets its threads spin for long after each. It also adds up in an order that depends on how many
    threads there are, and a last digit now and then becomes another word. Bands are added up bin by bin.
    """

    def __init__(self, filters: NDArray[np.float32]) -> None:
        self._bins = filters.shape[1]
        self._bands = [_band(row) for row in filters]

    def __matmul__(self, power: NDArray[np.float32]) -> NDArray[np.float32]:
        """``power``: (bins, frames) → (mels, frames)."""
        if power.ndim != 2 or power.shape[0] != self._bins:
            message = f"expected {self._bins} bins and any number of frames, got an array of {power.shape}"
            raise ValueError(message)
        heard = np.empty((len(self._bands), power.shape[1]), np.float32)
        for number, (begin, weights) in enumerate(self._bands):
            np.sum(weights * power[begin : begin + len(weights)], axis=0, out=heard[number])
        return heard


def _band(row: NDArray[np.float32]) -> tuple[int, NDArray[np.float32]]:
    """First bin of a filter and its weights from there on, a column."""
    weighted = np.flatnonzero(row)
    if not len(weighted):
        return 0, np.zeros((0, 1), np.float32)
    begin, end = int(weighted[0]), int(weighted[-1]) + 1
    return begin, row[begin:end, None]
