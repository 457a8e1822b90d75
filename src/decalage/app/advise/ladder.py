"""Whisper's sizes: what a model that is not measured here would cost, and what tiny.en gives up."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LADDER = ("small", "medium", "large-v3")
"""Models that may be advised in place of a smaller one; all are multilingual."""

SMALLEST = "tiny.en"
"""Stands in where the model asked for is too much, for English speech only."""

SMALLEST_COSTS = "it hears English only and has 7.5 % of words wrong where base has 4.1 %"
"""70 gold English recordings, fitted window, greedy, 2026-11-24: ``scripts.recognition_accuracy --model``."""

_PARAMETERS_M: Mapping[str, float] = MappingProxyType(
    {"tiny": 39, "base": 74, "small": 244, "medium": 769, "large-v3": 1550}
)
"""Millions, from Whisper's model card."""

_WIDTH: Mapping[str, int] = MappingProxyType(
    {"tiny": 384, "base": 512, "small": 768, "medium": 1024, "large-v3": 1280}
)
_VOCABULARY = 51_865
_BYTES_A_PARAMETER = 2
"""The published CTranslate2 files are float16."""


def relative_cost(model: str, measured: str) -> float | None:
    """Estimated time of ``model`` over that of ``measured``; None for a model of unknown size.

    The ratio of parameters without the token embedding, which is looked up, not multiplied. It errs on
    the side of caution: for base over tiny.en it gives 2.5 where 1.7 to 1.9 was measured.
    """
    wanted, known = _multiplied_m(model), _multiplied_m(measured)
    return None if wanted is None or known is None else wanted / known


def weights_bytes(model: str) -> int | None:
    """Estimated size of a model's file; None for a model of unknown size."""
    parameters = _PARAMETERS_M.get(_size(model))
    return None if parameters is None else round(parameters * 1e6 * _BYTES_A_PARAMETER)


def bigger(model: str) -> list[str]:
    """Models above ``model``, the next one first; none above one of unknown size."""
    if _size(model) not in _PARAMETERS_M:
        return []
    return [name for name in LADDER if _PARAMETERS_M[name] > _PARAMETERS_M[_size(model)]]


def _size(model: str) -> str:
    return model.removesuffix(".en")


def _multiplied_m(model: str) -> float | None:
    parameters = _PARAMETERS_M.get(_size(model))
    return None if parameters is None else parameters - _WIDTH[_size(model)] * _VOCABULARY / 1e6
