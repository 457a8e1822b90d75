"""One decode of Whisper as values: what is asked of an engine, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Features: TypeAlias = NDArray[np.float32]
"""Log-mel spectrogram, shape (1, mels, 100 × seconds)."""
Heard: TypeAlias = Any
"""What an engine's encoder made of features; for that engine alone."""


def _never(_tokens: Sequence[int]) -> bool:
    """Nothing but the end of the text or the limit ends a decode."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodePlan:
    """What to decode and within which bounds. Tokens are numbers of the model's vocabulary."""

    prompt: tuple[int, ...]
    """The decoder's first tokens."""
    start: int
    """The token in ``prompt`` after which no-speech probability is read."""
    end: int
    """The token that ends a text."""
    no_speech: int
    suppressed: tuple[int, ...]
    """Tokens that never come."""
    suppressed_first: tuple[int, ...]
    """Tokens that the text does not begin with."""
    limit: int
    """Tokens at most."""
    beam: int = 1
    no_repeat: int = 0
    """No run of so many tokens comes twice; 0: any may."""
    draft: tuple[int, ...] = ()
    """What the text may be: it makes greedy search faster and, but for rounding, its result no other."""
    timed: bool = False
    """Whether to tell when each token was said."""
    frames: int = 0
    """Frames of the encoder that are sound, for that."""
    stop: Callable[[Sequence[int]], bool] = _never
    """Asked as tokens come, whether to end there; an engine may leave it out."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The best text an engine found."""

    tokens: tuple[int, ...]
    mean_log_probability: float
    """Of the tokens and the end."""
    no_speech_probability: float
    ended: bool
    """False where a bound was met first."""
    starts: tuple[float, ...] = ()
    """Seconds from the beginning of the sound: when each token began, and when the last one ended."""


class WhisperEngine(Protocol):
    """Runs one Whisper model. Safe to call from as many threads as it was built for."""

    mels: int
    """Rows of the features."""
    multilingual: bool

    def hear(self, features: Features) -> Heard:
        """Run the encoder, once for all that is asked of a piece of sound. Raises ``EngineError``."""
        ...

    def decode(self, heard: Heard, plan: DecodePlan) -> Decoded:
        """Raises ``EngineError`` when the engine fails, ``UsageError`` for a plan it cannot follow."""
        ...

    def languages(self, heard: Heard, start: int, tokens: Mapping[int, str]) -> dict[str, float]:
        """How probable each language is; ``tokens`` are those of the languages, ``start`` the first of all.

        Raises ``EngineError``.
        """
        ...
