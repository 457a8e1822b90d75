"""Whisper as a recognizer: what the engine is given, what of its text is believed, what is tried again.

An utterance is padded to a window fitted to it, so that it costs what it is long. Radford et al., *Robust
Speech Recognition via Large-Scale Weak Supervision* (2022); feature extraction and tokenizer are
faster-whisper's.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import numpy as np

from decalage.audio import Samples, sample_count
from decalage.config import RecognizerOptions
from decalage.errors import EngineError, ModelDamagedError, UsageError, one_line
from decalage.speech import Decoding, Rejection, Transcript, Utterance, Word
from decalage.stages.alignment import FRAMES_PER_S
from decalage.stages.decode import DecodePlan, Features, WhisperEngine
from decalage.stages.loops import compression_ratio, has_words, repeats
from decalage.stages.window import FULL_S, window_s

logger = logging.getLogger(__name__)

_TOKENS_AT_LEAST = 24
_TOKENS_PER_S = 12
"""Fast English speech is about 6 tokens a second; twice that bounds a decode that has lost its way."""
_TOKENS_AT_MOST = 224
"""Half of Whisper's text context, as in its reference decoder."""
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
_BUDGET = 2
"""Tokens for all decodes of an utterance, in bounds of one."""
_NO_REPEAT = 3
"""No three tokens twice, where everything else loops."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One decode and why it is not believed, if so."""

    text: str
    tokens: tuple[int, ...]
    starts: tuple[float, ...]
    decoding: Decoding
    doubt: str | None


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to decode an utterance."""

    window: float
    """Seconds that the encoder is given."""
    prompt: str | None = None
    """What may have been said before."""
    no_repeat: int = 0


class WhisperRecognizer:
    """Recognizes from as many threads at once as ``engine`` was built for.

    ``folder`` holds the model's tokenizer. Raises ``ModelDamagedError`` when that cannot be read.
    """

    def __init__(self, engine: WhisperEngine, folder: Path) -> None:
        import tokenizers  # noqa: PLC0415 - loads a large native library
        from faster_whisper.feature_extractor import FeatureExtractor  # noqa: PLC0415

        try:
            self._tokens = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises plain Exception
            raise ModelDamagedError(
                f"{folder} does not load: {one_line(error)}; add the model again"
            ) from error
        self._engine = engine
        self._features = FeatureExtractor(feature_size=engine.mels)
        self._name = folder.name
        self._tokenizers: dict[str, Any] = {}  # bounded by Whisper's languages

    def __repr__(self) -> str:
        return f"<WhisperRecognizer {self._name} {self._engine!r}>"

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        """Text of ``utterance``, up to 30 s; a loop is tried again at the full window, without the prompt.

        Of an utterance that goes on less is heard and nothing tried again.

        Raises ``EngineError`` for longer sound or when the engine fails, ``UsageError`` for a
        language the model does not hear.
        """
        if utterance.duration > FULL_S:
            raise EngineError(f"{utterance.duration:.1f} s in one piece; at most {FULL_S:g} s can be heard")
        if not np.any(utterance.samples):
            return Rejection("no-speech", Decoding(calls=0))
        attempts = self._attempts(utterance, options, () if draft is None else draft.tokens)
        decoding = _total(attempts)
        last = attempts[-1]
        if last.doubt is not None:
            return Rejection("loop", decoding)
        if _is_silence(last.decoding, utterance.duration):
            return Rejection("no-speech", decoding)
        if not has_words(last.text):
            return Rejection("no-text", decoding)
        words = self._words(utterance, options.language, last) if options.words else ()
        return Transcript(last.text, options.language, decoding, last.tokens, words)

    def _attempts(
        self, utterance: Utterance, options: RecognizerOptions, draft: tuple[int, ...]
    ) -> list[_Attempt]:
        """Decodes until one is believed, none is left to try, or the tokens for all of them are spent."""
        limit = token_limit(utterance.duration)
        left = _BUDGET * limit
        attempts: list[_Attempt] = []
        for way in _ways(utterance, options):
            plan = self._plan(utterance, options, way, min(limit, left), draft)
            attempt = self._attempt(utterance, options.language, way.window, plan)
            attempts.append(attempt)
            left -= attempt.decoding.tokens
            if attempt.doubt is None or left <= 0:
                break
            logger.info("%r: %s at a window of %.1f s", utterance, attempt.doubt, way.window)
            draft = attempt.tokens
        return attempts

    def _attempt(self, utterance: Utterance, language: str, window: float, plan: DecodePlan) -> _Attempt:
        decoded = self._engine.decode(self._encoder_input(utterance.samples, window), plan)
        text = self._tokenizer(language).decode(decoded.tokens).strip()
        ratio = compression_ratio(text)
        decoding = Decoding(
            calls=1,
            tokens=len(decoded.tokens),
            window_s=window,
            mean_log_probability=decoded.mean_log_probability,
            no_speech_probability=decoded.no_speech_probability,
            compression_ratio=ratio,
        )
        doubt = _doubt(text, ratio, decoded.ended)
        return _Attempt(text, decoded.tokens, decoded.starts, decoding, doubt)

    def _plan(
        self, utterance: Utterance, options: RecognizerOptions, way: _Way, limit: int, draft: tuple[int, ...]
    ) -> DecodePlan:
        """``draft`` is the tokens of an earlier decode."""
        tokenizer = self._tokenizer(options.language)

        def loops(tokens: Sequence[int]) -> bool:
            return repeats(tokenizer.decode(tokens))

        return DecodePlan(
            prompt=tuple(self._prompt(tokenizer, way.prompt)),
            start=tokenizer.sot,
            end=tokenizer.eot,
            no_speech=tokenizer.no_speech,
            suppressed=tuple(_suppressed(tokenizer)),
            suppressed_first=(*tokenizer.encode(" "), tokenizer.eot),
            limit=limit,
            beam=options.beam,
            no_repeat=way.no_repeat,
            draft=draft,
            timed=options.words and not utterance.sketch,
            frames=round(FRAMES_PER_S * utterance.duration),
            stop=loops,
        )

    def _words(self, utterance: Utterance, language: str, attempt: _Attempt) -> tuple[Word, ...]:
        """The words of a text with their times; none where the engine told no times."""
        if not attempt.starts:
            return ()
        pieces, numbers = self._tokenizer(language).split_to_word_tokens(list(attempt.tokens))
        found: list[Word] = []
        first = 0
        for piece, tokens in zip(pieces, numbers, strict=True):
            begun, ended = (
                utterance.start + min(attempt.starts[at], utterance.duration)
                for at in (first, first + len(tokens))
            )
            first += len(tokens)
            if found and not piece[:1].isspace() and not _is_word_alone(piece):
                found[-1] = replace(found[-1], text=found[-1].text + piece.strip(), end=ended)
            elif piece.strip():
                found.append(Word(piece.strip(), begun, ended))
        return tuple(found)

    def _encoder_input(self, samples: Samples, window: float) -> Features:
        """Log-mel features of ``samples`` followed by silence up to ``window`` seconds."""
        padded = np.zeros(sample_count(window), np.float32)
        padded[: len(samples)] = samples
        return np.ascontiguousarray(self._features(padded, padding=0)[None], dtype=np.float32)

    def _tokenizer(self, language: str) -> Any:
        """The tokenizer of ``language``, which keeps what it works out: made once for each."""
        from faster_whisper.tokenizer import Tokenizer  # noqa: PLC0415

        made = self._tokenizers.get(language)
        if made is not None:
            return made
        multilingual = self._engine.multilingual
        if not multilingual and language != "en":
            raise UsageError(f"{self._name} hears English only, not {language!r}; use --model base")
        try:
            made = Tokenizer(self._tokens, multilingual, task="transcribe", language=language)
        except ValueError as error:
            raise EngineError(f"the recognizer failed: {one_line(error)}") from error
        return self._tokenizers.setdefault(language, made)

    def _prompt(self, tokenizer: Any, text: str | None) -> list[int]:
        """The decoder's first tokens: what was said before, if told, then language and task."""
        before: list[int] = []
        if text:
            before = [tokenizer.sot_prev, *tokenizer.encode(" " + text.strip())[-_PROMPT_TOKENS_AT_MOST:]]
        return [*before, *tokenizer.sot_sequence, tokenizer.no_timestamps]


def _ways(utterance: Utterance, options: RecognizerOptions) -> list[_Way]:
    """What is tried in turn: of a sketch only the first, for the next one comes soon."""
    sketch = utterance.sketch
    first = _Way(window_s(utterance.duration, options.encoder_window, sketch=sketch), options.prompt)
    if sketch:
        return [first]
    second = [_Way(FULL_S)] if first.window < FULL_S or options.prompt else []
    return [first, *second, _Way(FULL_S, no_repeat=_NO_REPEAT)]


def _is_word_alone(piece: str) -> bool:
    """Whether a piece without a space before it is a word all the same, as in scripts without spaces."""
    return any(letter.isalnum() and east_asian_width(letter) in "WF" for letter in piece)


def token_limit(duration_s: float) -> int:
    """Tokens that so much speech can need at most: a bound on the work of one decode."""
    return min(_TOKENS_AT_MOST, _TOKENS_AT_LEAST + round(_TOKENS_PER_S * duration_s))


def _suppressed(tokenizer: Any) -> list[int]:
    """Annotations such as ♪ and control tokens, as faster-whisper and Whisper suppress by default."""
    control = ("transcribe", "translate", "sot", "sot_prev", "sot_lm", "no_speech")
    return sorted({*tokenizer.non_speech_tokens, *(getattr(tokenizer, name) for name in control)} - {None})


def _doubt(text: str, ratio: float, ended: bool) -> str | None:
    """Why a decode is not believed."""
    if ratio > _LOOP_RATIO:
        return f"text compresses {ratio:.1f}-fold"
    if repeats(text):
        return "a phrase repeats"
    if not ended:
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
