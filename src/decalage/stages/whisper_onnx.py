"""Whisper on ONNX Runtime: greedy search over 8-bit weights, a token at a time.

ONNX Runtime packs the weights once, when it loads them, so that a token costs little more than reading
them. With each step in sight a loop is stopped as it begins, and a draft is checked in a single step:
all its tokens go through the decoder together, and those stay that greedy search would have chosen
(Leviathan et al., *Fast Inference from Transformers via Speculative Decoding*, 2023). The GIL is
released while a step runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from decalage.errors import EngineError, ModelDamagedError, UsageError, one_line
from decalage.stages.alignment import token_starts
from decalage.stages.decode import Decoded, DecodePlan, Features, Heard

_ENGLISH_ONLY_VOCABULARY = 51_864
_STOP_EVERY = 4
"""Tokens from one question to ``stop`` to the next."""

_Row: TypeAlias = NDArray[np.float32]
"""A logit for each token of the vocabulary."""


class OnnxWhisper:
    """One model for any number of decodes at a time; those with more than one thread share ``threads``.

    ``folder`` is what ``store.quantized`` prepared. Raises ``ModelDamagedError`` when it does not load.
    """

    def __init__(self, folder: Path, *, threads: int) -> None:
        import onnxruntime  # noqa: PLC0415 - loads a large native library

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        settings.log_severity_level = 4
        # Hardly two calls have the same shapes: an arena grows to what all of them need and keeps it, 100 MB,
        # and the plan that is made for one is never used again. The C library's allocator is no slower.
        settings.enable_cpu_mem_arena = False
        settings.enable_mem_pattern = False
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._encoder, self._decoder = (
                onnxruntime.InferenceSession(
                    str(folder / f"{part}.onnx"), sess_options=settings, providers=["CPUExecutionProvider"]
                )
                for part in ("encoder", "decoder")
            )
            # Mapped: memory is taken for the tokens that come.
            self._embeddings = np.load(folder / "embeddings.npy", mmap_mode="r")
            self._positions = np.load(folder / "positions.npy")
        except Exception as error:  # onnxruntime's errors share no root
            raise ModelDamagedError(f"{folder} does not load: {one_line(error)}; remove it") from error
        self._value = onnxruntime.OrtValue.ortvalue_from_numpy
        self._name = folder.name
        self._heard = [output.name for output in self._encoder.get_outputs()]
        self._told = [output.name for output in self._decoder.get_outputs()]
        self._past = {
            given.name: [1, given.shape[1], 0, given.shape[3]]
            for given in self._decoder.get_inputs()
            if given.name.startswith("past_")
        }
        self.mels = int(self._encoder.get_inputs()[0].shape[1])
        self.multilingual = len(self._embeddings) > _ENGLISH_ONLY_VOCABULARY

    def __repr__(self) -> str:
        return f"<OnnxWhisper {self._name}>"

    def hear(self, features: Features) -> Heard:
        """What the decoder attends to, by the names of its inputs."""
        with _told():
            binding = self._encoder.io_binding()
            binding.bind_cpu_input("mel", features)
            for name in self._heard:
                binding.bind_output(name)
            self._encoder.run_with_iobinding(binding)
            return dict(zip(self._heard, binding.get_outputs(), strict=True))

    def decode(self, heard: Heard, plan: DecodePlan) -> Decoded:
        if plan.beam != 1:
            raise UsageError("this engine searches greedily; for a wider beam: --engine ctranslate2")
        with _told():
            return _greedy(_Steps(self, heard), plan)

    def languages(self, heard: Heard, start: int, tokens: Mapping[int, str]) -> dict[str, float]:
        with _told():
            (row,) = _Steps(self, heard).run([start], [0])
        numbers = list(tokens)
        shifted = np.exp(row[numbers] - row[numbers].max())
        return dict(zip(tokens.values(), map(float, shifted / shifted.sum()), strict=True))

    def nothing_said(self) -> dict[str, Any]:
        """Keys and values of no token."""
        return {name: self._value(np.zeros(shape, np.float32)) for name, shape in self._past.items()}

    def cut(self, past: dict[str, Any], length: int) -> dict[str, Any]:
        """Keys and values of the first ``length`` tokens."""
        return {
            name: self._value(np.ascontiguousarray(value.numpy()[:, :, :length]))
            for name, value in past.items()
        }

    def step(
        self, tokens: NDArray[np.int64], kept: NDArray[np.int64], heard: dict[str, Any], past: dict[str, Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, Any]]:
        """Logits (kept, vocabulary), attention (heads, tokens, frames), keys and values with theirs."""
        said = next(iter(past.values())).shape()[2]
        embedded = self._embeddings[tokens].astype(np.float32) + self._positions[said : said + len(tokens)]
        binding = self._decoder.io_binding()
        binding.bind_cpu_input("tokens", embedded[None])
        binding.bind_cpu_input("kept", kept)
        for name, value in (*heard.items(), *past.items()):
            binding.bind_ortvalue_input(name, value)
        for name in self._told:
            binding.bind_output(name)
        self._decoder.run_with_iobinding(binding)
        told = dict(zip(self._told, binding.get_outputs(), strict=True))
        logits, attention = told.pop("logits").numpy()[0], told.pop("attention").numpy()[0]
        return logits, attention, {f"past_{name}": value for name, value in told.items()}


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong in the engine is an error of ours."""
    try:
        yield
    except Exception as error:  # onnxruntime's errors share no root
        raise EngineError(f"the recognizer failed: {one_line(error)}") from error


class _Steps:
    """The decoder over one piece of sound."""

    def __init__(self, model: OnnxWhisper, heard: Heard) -> None:
        self._model = model
        self._heard = heard
        self._past = model.nothing_said()
        self._attention: list[NDArray[np.float32]] = []  # of each token that went through

    def run(self, tokens: Sequence[int], kept: Sequence[int]) -> NDArray[np.float32]:
        """The rows numbered ``kept`` of the logits after each of ``tokens``, which follow those before."""
        numbers = np.array(tokens, np.int64), np.array(kept, np.int64)
        logits, attention, self._past = self._model.step(*numbers, self._heard, self._past)
        self._attention += [attention[:, number] for number in range(len(tokens))]
        return logits

    def forget(self, length: int) -> None:
        """All tokens but the first ``length``."""
        if len(self._attention) > length:
            self._past = self._model.cut(self._past, length)
            del self._attention[length:]

    def starts(self, before: int, frames: int) -> tuple[float, ...]:
        """When each token after the first ``before`` began, and when the last one ended, seconds."""
        return token_starts(np.stack(self._attention[before - 1 :], axis=1), frames)


class _Text:
    """A text as greedy search writes it."""

    def __init__(self, plan: DecodePlan, vocabulary: int) -> None:
        self.tokens: list[int] = []
        self.ended = False
        self._plan = plan
        self._allowed = np.zeros(vocabulary, np.float32)
        self._allowed[list(plan.suppressed)] = -np.inf
        self._log_probability = 0.0
        self._stopped = False

    @property
    def over(self) -> bool:
        """Whether no token comes after these."""
        return self.ended or self._stopped or len(self.tokens) >= self._plan.limit

    @property
    def mean_log_probability(self) -> float:
        """Of the tokens and the end."""
        return self._log_probability / (len(self.tokens) + 1)

    def add(self, row: _Row) -> int:
        """The token that follows by ``row``; the end is one too, but stands in no text."""
        scores = row + self._allowed
        if not self.tokens:
            scores[list(self._plan.suppressed_first)] = -np.inf
        scores[self._repeating()] = -np.inf
        token = int(scores.argmax())
        self._log_probability -= float(np.log(np.exp(scores - scores[token]).sum()))
        self.ended = token == self._plan.end
        if not self.ended:
            self.tokens.append(token)
            self._stopped = len(self.tokens) % _STOP_EVERY == 0 and self._plan.stop(self.tokens)
        return token

    def _repeating(self) -> list[int]:
        """Tokens that would say a run of ``no_repeat`` tokens again."""
        size = self._plan.no_repeat
        if not size or len(self.tokens) < size:
            return []
        last = self.tokens[len(self.tokens) - size + 1 :]
        starts = range(len(self.tokens) - size + 1)
        return [self.tokens[at + size - 1] for at in starts if self.tokens[at : at + size - 1] == last]


def _greedy(steps: _Steps, plan: DecodePlan) -> Decoded:
    """The draft in one step as far as it holds, then a token a step."""
    draft = plan.draft[: plan.limit]
    before = len(plan.prompt) - 1
    kept = [plan.prompt.index(plan.start), *range(before, before + len(draft) + 1)]
    first, *rows = steps.run([*plan.prompt, *draft], kept)
    text = _Text(plan, len(first))
    for row, drafted in zip(rows, [*draft, None], strict=True):
        if text.add(row) != drafted or text.over:
            break
    steps.forget(before + len(text.tokens) + text.ended)
    while not text.over:
        text.add(steps.run(text.tokens[-1:], [0])[0])
    timed = plan.timed and text.ended and text.tokens
    return Decoded(
        tuple(text.tokens),
        mean_log_probability=text.mean_log_probability,
        no_speech_probability=_probability(first, plan.no_speech),
        ended=text.ended,
        starts=steps.starts(len(plan.prompt), plan.frames) if timed else (),
    )


def _probability(row: _Row, token: int) -> float:
    """Of ``token`` by softmax."""
    shifted = np.exp(row - row.max())
    return float(shifted[token] / shifted.sum())
