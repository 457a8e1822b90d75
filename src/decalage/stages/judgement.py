"""What of a decode is believed: pure rules on its text and the model's own measures."""

from __future__ import annotations

from decalage.speech import Decoding
from decalage.stages.loops import repeats

_TOKENS_AT_LEAST = 24
_TOKENS_PER_S = 12
"""Fast English speech is about 6 tokens a second; twice that bounds a decode that has lost its way."""
_TOKENS_PER_S_BY_BYTE = 36
"""The same where the vocabulary has next to no words: a token is a byte or two, a letter three bytes."""
_BY_BYTE = frozenset("am as bn bo gu hi hy ka km kn lo ml mr my ne pa sa sd si ta te th ur yi".split())  # noqa: SIM905
"""Languages of scripts that Whisper spells so."""
_TOKENS_AT_MOST = 224
"""Half of Whisper's text context, as in its reference decoder."""
_LOOP_RATIO = 2.4
"""Compression ratio of a loop, Whisper's own threshold."""
_NO_SPEECH = 0.6
_UNSURE = -1.0
"""Mean log-probability; with no-speech probability above 0.6 Whisper takes the sound for silence."""
_SURELY_NO_SPEECH = 0.8
_LESS_SURE = -0.5
"""The "you" and "Thank you." that Whisper hears in music: short, fairly sure of themselves."""
_LOST = -1.6
"""Mean log-probability of text that has nothing to do with the sound, whatever else it says."""
_SPARSE_TOKENS_PER_S = 0.5
"""Speech, pauses included, has several tokens a second."""
_SPARSE_NO_SPEECH = 0.3


def token_limit(duration_s: float, language: str) -> int:
    """Tokens that so much speech can need at most: a bound on the work of one decode."""
    per_s = _TOKENS_PER_S_BY_BYTE if language in _BY_BYTE else _TOKENS_PER_S
    return min(_TOKENS_AT_MOST, _TOKENS_AT_LEAST + round(per_s * duration_s))


def doubt(text: str, ratio: float, ended: bool) -> str | None:
    """Why a decode is not believed."""
    if ratio > _LOOP_RATIO:
        return f"text compresses {ratio:.1f}-fold"
    if repeats(text):
        return "a phrase repeats"
    if not ended:
        return "more tokens than so much speech can need"
    return None


def is_silence(decoding: Decoding, duration_s: float) -> bool:
    """Whether sound without speech explains a decode better than its text does.

    The thresholds were set by looking at the evaluation speech, its noise and music among it, so what
    they do there is no proof for other sound.
    """
    unsure, doubted = decoding.mean_log_probability, decoding.no_speech_probability
    sparse = decoding.tokens < _SPARSE_TOKENS_PER_S * duration_s
    return (
        unsure < _LOST
        or (doubted > _NO_SPEECH and unsure < _UNSURE)
        or (doubted > _SURELY_NO_SPEECH and unsure < _LESS_SURE)
        or (sparse and doubted > _SPARSE_NO_SPEECH and unsure < _LESS_SURE)
    )
