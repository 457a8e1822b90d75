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
from typing import Any, Literal, TypeAlias

import numpy as np

from decalage.audio import Samples, sample_count
from decalage.config import RecognizerOptions
from decalage.errors import EngineError, ModelDamagedError, UsageError, one_line
from decalage.speech import Decoding, Rejection, Transcript, Utterance, Word
from decalage.stages.alignment import FRAMES_PER_S
from decalage.stages.decode import DecodePlan, Features, Heard, WhisperEngine
from decalage.stages.judgement import doubt, is_silence, token_limit
from decalage.stages.loops import compression_ratio, has_words, repeats
from decalage.stages.mel import MelBands
from decalage.stages.tongues import judged, language_tokens
from decalage.stages.window import FULL_S, window_s
from decalage.stages.words import timed_words

logger = logging.getLogger(__name__)

_PROMPT_TOKENS_AT_MOST = 200
_BUDGET = 2
"""Tokens for all decodes of an utterance, in bounds of one."""
_NO_REPEAT = 3
"""No three tokens twice, where everything else loops."""
_AUTO = "auto"
Task: TypeAlias = Literal["transcribe", "translate"]


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
            told = f"{folder / 'tokenizer.json'} does not load: {one_line(error)}; copy the model there again"
            raise ModelDamagedError(told) from error
        self._engine = engine
        self._features = FeatureExtractor(feature_size=engine.mels)
        self._features.mel_filters = MelBands(self._features.mel_filters)
        self._name = folder.name
        self._tokenizers: dict[tuple[str, Task], Any] = {}  # bounded by Whisper's languages
        self._languages = language_tokens(self._tokens)

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
        window = window_s(utterance.duration, options.encoder_window, sketch=utterance.sketch)
        heard = self._hear(utterance, window)
        detected = None
        if options.language == _AUTO:
            detected = self._detect(heard)
            options = replace(options, language=judged(detected, utterance.duration, options.likely))
        attempts = self._attempts(utterance, options, (window, heard), () if draft is None else draft.tokens)
        decoding = _total(attempts)
        last = attempts[-1]
        if last.doubt is not None:
            return Rejection("loop", decoding)
        if is_silence(last.decoding, utterance.duration):
            return Rejection("no-speech", decoding)
        if not has_words(last.text):
            return Rejection("no-text", decoding)
        return Transcript(
            last.text,
            options.language,
            decoding,
            last.tokens,
            words=self._words(utterance, options.language, last),
            english=self._english(utterance, options, heard) if options.english else None,
            detected=detected,
        )

    def _attempts(
        self,
        utterance: Utterance,
        options: RecognizerOptions,
        first: tuple[float, Heard],
        draft: tuple[int, ...],
    ) -> list[_Attempt]:
        """Decodes until one is believed, none is left to try, or the tokens for all of them are spent.

        ``first``: the window that the first one has, and what was heard in it.
        """
        limit = token_limit(utterance.duration, options.language)
        left = _BUDGET * limit
        attempts: list[_Attempt] = []
        window, heard = first
        for way in _ways(utterance, options, window):
            if way.window != window:
                window, heard = way.window, self._hear(utterance, way.window)
            plan = self._plan(utterance, options, way, min(limit, left), draft)
            attempt = self._attempt(heard, options.language, way.window, plan)
            attempts.append(attempt)
            left -= attempt.decoding.tokens
            if attempt.doubt is None or left <= 0:
                break
            logger.info("%r: %s at a window of %.1f s", utterance, attempt.doubt, way.window)
            draft = attempt.tokens
        return attempts

    def _attempt(self, heard: Heard, language: str, window: float, plan: DecodePlan) -> _Attempt:
        decoded = self._engine.decode(heard, plan)
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
        doubted = doubt(text, ratio, decoded.ended)
        return _Attempt(text, decoded.tokens, decoded.starts, decoding, doubted)

    def _detect(self, heard: Heard) -> tuple[str, float]:
        """The most probable language and how probable it is."""
        if not self._engine.multilingual:
            return "en", 1.0
        tokenizer = self._tokenizer("en")
        shares = self._engine.languages(heard, tokenizer.sot, self._languages)
        return max(shares.items(), key=lambda each: each[1])

    def _english(self, utterance: Utterance, options: RecognizerOptions, heard: Heard) -> str | None:
        """What the model itself makes of the speech in English; None where that is not believed."""
        if options.language == "en":
            return None
        told = replace(options, prompt=None, words=False)
        limit = token_limit(utterance.duration, "en")
        plan = self._plan(utterance, told, _Way(0.0), limit, (), task="translate")
        attempt = self._attempt(heard, options.language, 0.0, plan)
        return attempt.text if attempt.doubt is None and has_words(attempt.text) else None

    def _plan(
        self,
        utterance: Utterance,
        options: RecognizerOptions,
        way: _Way,
        limit: int,
        draft: tuple[int, ...],
        task: Task = "transcribe",
    ) -> DecodePlan:
        """``draft`` is the tokens of an earlier decode."""
        tokenizer = self._tokenizer(options.language, task)

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
        pieces, tokens = self._tokenizer(language).split_to_word_tokens(list(attempt.tokens))
        return timed_words(pieces, tokens, attempt.starts, utterance)

    def _hear(self, utterance: Utterance, window: float) -> Heard:
        return self._engine.hear(self._encoder_input(utterance.samples, window))

    def _encoder_input(self, samples: Samples, window: float) -> Features:
        """Log-mel features of ``samples`` followed by silence up to ``window`` seconds."""
        padded = np.zeros(sample_count(window), np.float32)
        padded[: len(samples)] = samples
        return np.ascontiguousarray(self._features(padded, padding=0)[None], dtype=np.float32)

    def _tokenizer(self, language: str, task: Task = "transcribe") -> Any:
        """The tokenizer of ``language``, which keeps what it works out: made once for each."""
        from faster_whisper.tokenizer import Tokenizer  # noqa: PLC0415

        made = self._tokenizers.get((language, task))
        if made is not None:
            return made
        multilingual = self._engine.multilingual
        if not multilingual and language != "en":
            raise UsageError(f"{self._name} hears English only, not {language!r}; use --model base")
        try:
            made = Tokenizer(self._tokens, multilingual, task=task, language=language)
        except ValueError as error:
            raise EngineError(f"the recognizer failed: {one_line(error)}") from error
        return self._tokenizers.setdefault((language, task), made)

    def _prompt(self, tokenizer: Any, text: str | None) -> list[int]:
        """The decoder's first tokens: what was said before, if told, then language and task."""
        before: list[int] = []
        if text:
            before = [tokenizer.sot_prev, *tokenizer.encode(" " + text.strip())[-_PROMPT_TOKENS_AT_MOST:]]
        return [*before, *tokenizer.sot_sequence, tokenizer.no_timestamps]


def _ways(utterance: Utterance, options: RecognizerOptions, window: float) -> list[_Way]:
    """What is tried in turn, first in ``window``: of a sketch only that, for the next one comes soon."""
    first = _Way(window, options.prompt)
    if utterance.sketch:
        return [first]
    second = [_Way(FULL_S)] if first.window < FULL_S or options.prompt else []
    return [first, *second, _Way(FULL_S, no_repeat=_NO_REPEAT)]


def _suppressed(tokenizer: Any) -> list[int]:
    """Annotations such as ♪ and control tokens, as faster-whisper and Whisper suppress by default."""
    control = ("transcribe", "translate", "sot", "sot_prev", "sot_lm", "no_speech")
    return sorted({*tokenizer.non_speech_tokens, *(getattr(tokenizer, name) for name in control)} - {None})


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
