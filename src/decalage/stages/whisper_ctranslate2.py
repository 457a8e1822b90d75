"""Whisper on CTranslate2: any size and arithmetic, beam search, and GPUs.

CTranslate2 releases the GIL, its replicas share one set of weights, and it takes features shorter than 30 s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from decalage.errors import (
    EngineError,
    MissingPartError,
    ModelDamagedError,
    ModelMissingError,
    UsageError,
    one_line,
)
from decalage.stages.alignment import FRAMES_PER_S
from decalage.stages.decode import Decoded, DecodePlan, Features, Heard

_CONTEXT_TOKENS = 448
_MEL_FRAMES = 2
"""Frames of the features for one of the encoder."""


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong in the engine is an error of ours."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"the recognizer failed: {one_line(error)}") from error


class CTranslate2Whisper:
    """One model for ``concurrency`` decodes at a time with ``threads`` threads each.

    ``folder``: a CTranslate2 Whisper folder. ``compute_type`` ``auto`` is int8 on a CPU. Raises
    ``ModelMissingError`` without the folder, ``ModelDamagedError`` when it does not load, ``UsageError``
    for arithmetic or a device that is not there.
    """

    def __init__(
        self, folder: Path, *, device: str, compute_type: str, threads: int, concurrency: int
    ) -> None:
        import ctranslate2  # noqa: PLC0415 - loads a large native library

        if not (folder / "model.bin").is_file():
            raise ModelMissingError(f"no model.bin in {folder}; run: decalage models list")
        if compute_type == "auto":
            compute_type = "default" if device == "cuda" else "int8"
        try:
            self._model = ctranslate2.models.Whisper(
                str(folder),
                device=device,
                compute_type=compute_type,
                inter_threads=concurrency,
                intra_threads=threads,
            )
        except ValueError as error:
            raise UsageError(f"{folder.name} on {device} as {compute_type}: {error}") from error
        except Exception as error:  # the engine's errors share no root
            if device == "cuda" or "CUDA" in str(error):
                told = f"no GPU that recognition can run on: {one_line(error)}; use --device cpu"
                raise MissingPartError(told) from error
            told = f"{folder} does not load: {one_line(error)}; copy the model there again"
            raise ModelDamagedError(told) from error
        self._view = ctranslate2.StorageView
        self._name = folder.name
        self.mels = int(self._model.n_mels)
        self.multilingual = bool(self._model.is_multilingual)

    def __repr__(self) -> str:
        return f"<CTranslate2Whisper {self._name} on {self._model.device} {self._model.compute_type}>"

    def hear(self, features: Features) -> Heard:
        with _told():
            return self._model.encode(self._view.from_array(features))

    def decode(self, heard: Heard, plan: DecodePlan) -> Decoded:
        with _told():
            result = self._model.generate(
                heard,
                [list(plan.prompt)],
                beam_size=plan.beam,
                patience=1,
                length_penalty=1,
                # Taken as prompt and text, and the text is allowed at most half of it.
                max_length=min(_CONTEXT_TOKENS, max(2 * plan.limit, len(plan.prompt) + plan.limit)),
                return_scores=True,
                return_no_speech_prob=True,
                suppress_blank=True,
                suppress_tokens=list(plan.suppressed),
                no_repeat_ngram_size=plan.no_repeat,
            )[0]
            tokens = tuple(result.sequences_ids[0])
            starts = self._starts(heard, tokens, plan) if plan.timed and tokens else ()
        return Decoded(
            tokens,
            mean_log_probability=result.scores[0] * len(tokens) / (len(tokens) + 1),
            no_speech_probability=result.no_speech_prob,
            ended=len(tokens) < plan.limit,
            starts=starts,
        )

    def languages(self, heard: Heard, start: int, tokens: Mapping[int, str]) -> dict[str, float]:  # noqa: ARG002
        with _told():
            found = self._model.detect_language(heard)[0]
        known = set(tokens.values())
        return {name: share for token, share in found if (name := token.strip("<|>")) in known}

    def _starts(self, heard: Heard, tokens: tuple[int, ...], plan: DecodePlan) -> tuple[float, ...]:
        """When each token began, and when the last one ended, seconds."""
        begin = list(plan.prompt[plan.prompt.index(plan.start) : -1])  # without "no timestamps"
        aligned = self._model.align(heard, begin, [list(tokens)], _MEL_FRAMES * max(1, plan.frames))[0]
        first: dict[int, int] = {}
        for token, frame in aligned.alignments:
            first.setdefault(token, frame)
        last = aligned.alignments[-1][1]
        return tuple(first.get(number, last) / FRAMES_PER_S for number in range(len(tokens) + 1))
