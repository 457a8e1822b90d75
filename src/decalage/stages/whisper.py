"""Whisper on CTranslate2: one set of weights, as many recognitions at a time as it was built for.

CTranslate2 releases the GIL and takes log-mel features shorter than 30 s, so a short utterance costs
what it is long. Radford et al., *Robust Speech Recognition via Large-Scale Weak Supervision* (2022);
feature extraction and tokenizer are faster-whisper's.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from decalage.audio import Samples, sample_count
from decalage.config import RecognizerOptions
from decalage.errors import EngineError, ModelDamagedError, ModelMissingError, UsageError, one_line
from decalage.speech import Decoding, Rejection, Transcript, Utterance
from decalage.stages.loops import compression_ratio, has_words, repeats
from decalage.stages.window import FULL_S, window_s

logger = logging.getLogger(__name__)

_TOKENS_AT_LEAST = 24
_TOKENS_PER_S = 12
"""Fast English speech is about 6 tokens a second; twice that bounds a decode that has lost its way."""
_TOKENS_AT_MOST = 224
"""Half of Whisper's text context, as in its reference decoder."""
_CONTEXT_TOKENS = 448
_PROMPT_TOKENS_AT_MOST = 200
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


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One decode and why it is not believed, if so."""

    text: str
    decoding: Decoding
    doubt: str | None


class WhisperRecognizer:
    """Recognizes from up to ``concurrency`` threads at once over one set of weights.

    ``model_path``: a CTranslate2 Whisper folder. ``compute_type`` ``auto`` is int8 on a CPU.
    Raises ``ModelMissingError`` without the folder, ``ModelDamagedError`` when it does not load.
    """

    def __init__(
        self, model_path: Path, *, device: str, compute_type: str, threads: int, concurrency: int
    ) -> None:
        import ctranslate2  # noqa: PLC0415 - loads a large native library
        import tokenizers  # noqa: PLC0415
        from faster_whisper.feature_extractor import FeatureExtractor  # noqa: PLC0415

        if not (model_path / "model.bin").is_file():
            raise ModelMissingError(f"no model.bin in {model_path}; run: decalage models list")
        if compute_type == "auto":
            compute_type = "default" if device == "cuda" else "int8"
        try:
            self._tokens = tokenizers.Tokenizer.from_file(str(model_path / "tokenizer.json"))
            self._model = ctranslate2.models.Whisper(
                str(model_path),
                device=device,
                compute_type=compute_type,
                inter_threads=concurrency,
                intra_threads=threads,
            )
        except ValueError as error:
            raise UsageError(f"{model_path.name} on {device} as {compute_type}: {error}") from error
        except Exception as error:
            raise ModelDamagedError(
                f"{model_path} does not load: {one_line(error)}; add the model again"
            ) from error
        self._view = ctranslate2.StorageView
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        self._name = model_path.name
        self._tokenizers: dict[str, Any] = {}  # bounded by Whisper's languages

    def __repr__(self) -> str:
        return f"<WhisperRecognizer {self._name} on {self._model.device} {self._model.compute_type}>"

    def recognize(self, utterance: Utterance, options: RecognizerOptions) -> Transcript | Rejection:
        """Text of ``utterance``, up to 30 s; a loop is tried again at the full window, without the prompt.

        Raises ``EngineError`` for longer sound or when the engine fails, ``UsageError`` for a
        language the model does not hear.
        """
        if utterance.duration > FULL_S:
            raise EngineError(f"{utterance.duration:.1f} s in one piece; at most {FULL_S:g} s can be heard")
        if not np.any(utterance.samples):
            return Rejection("no-speech", Decoding(calls=0))
        try:
            return self._recognize(utterance, options)
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"the recognizer failed: {one_line(error)}") from error

    def _recognize(self, utterance: Utterance, options: RecognizerOptions) -> Transcript | Rejection:
        tokenizer = self._tokenizer(options.language)
        first_s = window_s(utterance.duration, options.encoder_window)
        attempts: list[_Attempt] = []
        plans: list[tuple[float, str | None, dict[str, int]]] = [(first_s, options.prompt, {})]
        if first_s < FULL_S or options.prompt:
            plans.append((FULL_S, None, {}))
        plans.append((FULL_S, None, {"no_repeat_ngram_size": 3}))
        for window, prompt, extra in plans:
            attempt = self._attempt(utterance, options.beam, tokenizer, window, prompt, extra)
            attempts.append(attempt)
            if attempt.doubt is None:
                break
            logger.info("%r: %s at a window of %.1f s", utterance, attempt.doubt, window)
        decoding = _total(attempts)
        last = attempts[-1]
        if last.doubt is not None:
            return Rejection("loop", decoding)
        if _is_silence(last.decoding, utterance.duration):
            return Rejection("no-speech", decoding)
        if not has_words(last.text):
            return Rejection("no-text", decoding)
        return Transcript(last.text, options.language, decoding)

    def _attempt(
        self,
        utterance: Utterance,
        beam: int,
        tokenizer: Any,
        window: float,
        before: str | None,
        extra: dict[str, int],
    ) -> _Attempt:
        limit = token_limit(utterance.duration)
        prompt = self._prompt(tokenizer, before)
        result = self._model.generate(
            self._encoder_input(utterance.samples, window),
            [prompt],
            beam_size=beam,
            patience=1,
            length_penalty=1,
            # CTranslate2 takes this as prompt and text, and allows the text at most half of it.
            max_length=min(_CONTEXT_TOKENS, max(2 * limit, len(prompt) + limit)),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=_suppressed(tokenizer),
            **extra,
        )[0]
        tokens = result.sequences_ids[0]
        text = tokenizer.decode(tokens).strip()
        ratio = compression_ratio(text)
        decoding = Decoding(
            calls=1,
            tokens=len(tokens),
            window_s=window,
            mean_log_probability=result.scores[0] * len(tokens) / (len(tokens) + 1),
            no_speech_probability=result.no_speech_prob,
            compression_ratio=ratio,
        )
        return _Attempt(text, decoding, _doubt(text, ratio, len(tokens) >= limit))

    def _encoder_input(self, samples: Samples, window: float) -> Any:
        """Log-mel features, shape (1, mels, 100 × window), of ``samples`` followed by silence."""
        padded = np.zeros(sample_count(window), np.float32)
        padded[: len(samples)] = samples
        features = self._features(padded, padding=0)
        return self._view.from_array(np.ascontiguousarray(features[None], dtype=np.float32))

    def _tokenizer(self, language: str) -> Any:
        """The tokenizer of ``language``, which keeps what it works out: made once for each."""
        from faster_whisper.tokenizer import Tokenizer  # noqa: PLC0415

        made = self._tokenizers.get(language)
        if made is not None:
            return made
        multilingual = self._model.is_multilingual
        if not multilingual and language != "en":
            raise UsageError(f"{self._name} hears English only, not {language!r}; use --model base")
        made = Tokenizer(self._tokens, multilingual, task="transcribe", language=language)
        return self._tokenizers.setdefault(language, made)

    def _prompt(self, tokenizer: Any, text: str | None) -> list[int]:
        """The decoder's first tokens: what was said before, if told, then language and task."""
        before: list[int] = []
        if text:
            before = [tokenizer.sot_prev, *tokenizer.encode(" " + text.strip())[-_PROMPT_TOKENS_AT_MOST:]]
        return [*before, *tokenizer.sot_sequence, tokenizer.no_timestamps]


def token_limit(duration_s: float) -> int:
    """Tokens that so much speech can need at most: a bound on the work of one decode."""
    return min(_TOKENS_AT_MOST, _TOKENS_AT_LEAST + round(_TOKENS_PER_S * duration_s))


def _suppressed(tokenizer: Any) -> list[int]:
    """Annotations such as ♪ and control tokens, as faster-whisper and Whisper suppress by default."""
    control = ("transcribe", "translate", "sot", "sot_prev", "sot_lm", "no_speech")
    return sorted({*tokenizer.non_speech_tokens, *(getattr(tokenizer, name) for name in control)} - {None})


def _doubt(text: str, ratio: float, capped: bool) -> str | None:
    """Why a decode is not believed."""
    if ratio > _LOOP_RATIO:
        return f"text compresses {ratio:.1f}-fold"
    if repeats(text):
        return "a phrase repeats"
    if capped:
        return "more tokens than so much speech can need"
    return None


def _is_silence(decoding: Decoding, duration_s: float) -> bool:
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


def _total(attempts: list[_Attempt]) -> Decoding:
    """The last decode's figures with the work of all."""
    last = attempts[-1].decoding
    return Decoding(
        calls=len(attempts),
        tokens=sum(attempt.decoding.tokens for attempt in attempts),
        window_s=last.window_s,
        mean_log_probability=last.mean_log_probability,
        no_speech_probability=last.no_speech_probability,
        compression_ratio=last.compression_ratio,
    )
