"""Speech that a decode passed over is heard again, in parts.

Whisper decides by itself when its text ends, and after a pause within the sound it now and then ends it early
or leaves a sentence out. The model tells nothing of it; that so much sound has so few words does.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from decalage.audio import SAMPLE_RATE, Samples, sample_count, seconds
from decalage.config import RecognizerOptions
from decalage.contracts import Recognizer
from decalage.speech import Decoding, Rejection, Transcript, Utterance
from decalage.stages.judgement import doubt
from decalage.stages.loops import compression_ratio, words
from decalage.stages.words import is_wide

logger = logging.getLogger(__name__)

_LEAST_S = 5.0
_FEW_TOKENS_PER_S = 2.0
"""Speech with its pauses has three and more; what has fewer is looked at, not judged."""
_DEEPEST = 2
"""Halves of halves: seven decodes of three times the sound at most."""
_MORE = 1.25
"""Times the tokens that make parts better than the whole: it knows more of what was said around."""
_SURE = -0.7
"""Mean log-probability: what is made up for noise is less sure."""
_EDGE_S = 1.0
_FRAME = SAMPLE_RATE // 50
_PAUSE_FRAMES = 15
_EQUAL_DB = 3.0


class ThoroughRecognizer:
    """``recognizer``, asked again for the halves of an utterance in which it heard next to nothing.

    Implements ``contracts.Recognizer``, for as many threads at once as ``recognizer`` is.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer

    def __repr__(self) -> str:
        return f"<ThoroughRecognizer {self._recognizer!r}>"

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        outcome = self._recognizer.recognize(utterance, options, draft)
        if utterance.sketch or options.lighter or isinstance(outcome, Rejection):
            return outcome
        return self._again(utterance, options, outcome, _DEEPEST)

    def _again(
        self, utterance: Utterance, options: RecognizerOptions, whole: Transcript, deeper: int
    ) -> Transcript:
        """``whole``, or what its halves say where that is more; with the work of all that was asked."""
        if not deeper or not _sparse(whole, utterance.duration):
            return whole
        alike = replace(options, language=whole.language)
        parts: list[Transcript] = []
        work = [whole.decoding]
        believed = True
        for half in _halves(utterance):
            part = self._recognizer.recognize(half, alike)
            if isinstance(part, Transcript):
                believed &= part.decoding.mean_log_probability >= _SURE
                part = self._again(half, alike, part, deeper - 1)
                parts.append(part)
            elif part.reason == "loop":
                believed = False
            work.append(part.decoding)
        if believed and _says_more(parts, whole):
            logger.info("%r: more was said than was heard at once", utterance)
            whole = _joined(whole, parts)
        return replace(whole, decoding=_with_work(whole.decoding, work))


def _sparse(heard: Transcript, duration_s: float) -> bool:
    """Whether there may be more; an engine that tells no tokens is believed."""
    return duration_s >= _LEAST_S and 0 < len(heard.tokens) < _FEW_TOKENS_PER_S * duration_s


def _halves(utterance: Utterance) -> tuple[Utterance, Utterance]:
    at = pause_in(utterance.samples)
    first = replace(utterance, samples=utterance.samples[:at], speech_end=utterance.start + seconds(at))
    second = replace(
        utterance,
        samples=utterance.samples[at:],
        first=utterance.first + at,
        speech_end=max(utterance.speech_end, first.speech_end),
    )
    return first, second


def pause_in(samples: Samples) -> int:
    """Number of the sample in the quietest 0.3 s that are a second or more from the ends.

    Of several that are about as quiet the one next to the middle. ``samples``: 3 s or more.
    """
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    levels = 10 * np.log10(np.var(frames, axis=1, dtype=np.float64) + 1e-10)
    mean = np.convolve(levels, np.ones(_PAUSE_FRAMES) / _PAUSE_FRAMES, mode="same")
    edge = sample_count(_EDGE_S) // _FRAME
    inner = mean[edge:-edge]
    quiet = np.flatnonzero(inner <= inner.min() + _EQUAL_DB)
    middle = len(inner) / 2
    return int((edge + quiet[np.argmin(np.abs(quiet - middle))]) * _FRAME)


def _says_more(parts: Sequence[Transcript], whole: Transcript) -> bool:
    """Whether ``parts`` have clearly more text, and not the same one over and over, as noise has."""
    if sum(len(part.tokens) for part in parts) < _MORE * len(whole.tokens):
        return False
    said = [tuple(words(part.text)) for part in parts]
    text = _text(parts)
    return len(set(said)) == len(said) and doubt(text, compression_ratio(text), ended=True) is None


def _text(parts: Sequence[Transcript]) -> str:
    """The text of all, with spaces between where the script has them."""
    text = ""
    for part in parts:
        wide = text and is_wide(text[-1]) and is_wide(part.text[0])
        text += part.text if not text or wide else f" {part.text}"
    return text


def _joined(whole: Transcript, parts: Sequence[Transcript]) -> Transcript:
    """``parts`` in one, with the measures of the least sure."""
    english = [part.english for part in parts if part.english is not None]
    return replace(
        whole,
        text=_text(parts),
        tokens=tuple(token for part in parts for token in part.tokens),
        words=tuple(word for part in parts for word in part.words),
        english=" ".join(english) if len(english) == len(parts) else None,
        decoding=min((part.decoding for part in parts), key=lambda each: each.mean_log_probability),
    )


def _with_work(decoding: Decoding, work: Sequence[Decoding]) -> Decoding:
    return replace(decoding, calls=sum(each.calls for each in work), tokens=sum(each.tokens for each in work))
