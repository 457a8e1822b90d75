"""Many channels to one without losing the voice: a pure function of the samples so far."""

from __future__ import annotations

from math import exp

import numpy as np
from numpy.typing import NDArray

from decalage.audio import Samples

_MEMORY_S = 0.5
"""Seconds over which a channel's level and its likeness to the others are judged."""
_SIGN_SURE = 0.2
"""Correlation beyond which a channel's sign is believed: under it the last belief stands."""


class Downmix:
    """Weighs each channel by its energy and turns over those in antiphase to the loudest.

    A plain mean loses a voice recorded in antiphase and buries one that only the centre channel of
    six has. Weights follow a half-second memory and move along a ramp, so there are no clicks.
    Causal, one object a stream.
    """

    def __init__(self, channels: int, rate: int) -> None:
        self._rate = rate
        self._products = np.zeros((channels, channels))
        self._signs = np.ones(channels)
        self._weights: NDArray[np.float64] | None = None

    def __call__(self, block: NDArray[np.float32]) -> Samples:
        """Mono, shape (n,), of ``block``, shape (channels, n), the next in time."""
        channels, length = block.shape
        if channels == 1:
            return np.ascontiguousarray(block[0])
        if length == 0:
            return np.zeros(0, np.float32)
        new = np.einsum("cn,dn->cd", block, block).astype(np.float64) / length
        keep = exp(-length / (self._rate * _MEMORY_S)) if self._weights is not None else 0.0
        self._products = keep * self._products + (1 - keep) * new
        weights = self._judge()
        before = weights if self._weights is None else self._weights
        ramp = np.linspace(0, 1, length, endpoint=False)
        path = before[:, None] + (weights - before)[:, None] * ramp
        self._weights = weights
        mixed: Samples = np.einsum("cn,cn->n", path, block).astype(np.float32)
        return mixed

    def _judge(self) -> NDArray[np.float64]:
        energy = np.diag(self._products)
        total = float(energy.sum())
        if total <= 0:
            return np.full(len(energy), 1 / len(energy))
        loudest = int(energy.argmax())
        likeness = self._products[loudest] / np.sqrt(energy * energy[loudest] + 1e-20)
        sure = np.abs(likeness) > _SIGN_SURE
        relative = self._signs * self._signs[loudest]
        relative[sure] = np.sign(likeness[sure])
        self._signs = relative * self._signs[loudest]  # the loudest keeps its own sign: no flip mid-word
        weights: NDArray[np.float64] = self._signs * energy / total
        return weights


def clean(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Finite and within ±1: damaged input gives neither by itself."""
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), -1, 1)
