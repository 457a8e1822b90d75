"""OPUS-MT and NLLB-200 on CTranslate2, sentence by sentence, greedy: a caption waits for it.

OPUS-MT (Tiedemann & Thottingal, 2020) has a model a direction and SentencePiece vocabularies; NLLB-200
(*No Language Left Behind*, 2022) one model, told which language it reads by the first token and which it
writes by the prefix of what it writes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from decalage.errors import ModelDamagedError, UnsupportedPairError, one_line
from decalage.languages import LANGUAGES
from decalage.speech import Translation
from decalage.stages.piecemeal import by_sentence
from decalage.stages.translators import covering

_END = "</s>"
_SPACE = "▁"
_AT_ONCE = 2
"""Sentences that one model translates at a time."""
_LENGTH_RATIO, _LENGTH_MORE = 3, 20
"""A translation has at most so many times the tokens of the text, and so many more."""


class MarianTranslator:
    """Translates from any number of threads; ``directions`` maps (source, target) to a model folder.

    A folder that several directions share is loaded once. Raises ``ModelDamagedError`` for one that
    does not load, ``UnsupportedPairError`` for an OPUS-MT model of several targets without this one.
    """

    def __init__(self, directions: Mapping[tuple[str, str], Path]) -> None:
        models = {folder: _Model(folder) for folder in dict.fromkeys(directions.values())}
        self._directions = {pair: models[folder] for pair, folder in directions.items()}
        for (_, target), model in self._directions.items():
            model.check(target)

    def __repr__(self) -> str:
        return f"<MarianTranslator {', '.join('→'.join(pair) for pair in self._directions)}>"

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        """As ``FirefoxTranslator``: raises ``UnsupportedPairError`` and ``EngineError``."""
        model = covering(self._directions, source, target)
        engine = partial(model.translate, source=source, target=target)
        return Translation(by_sentence(text, engine), source, target)

    def pairs(self) -> Sequence[tuple[str, str]]:
        return list(self._directions)


class _Model:
    """One folder: ``model.bin``, ``tokenizer.json`` of what it reads, ``config.json``."""

    def __init__(self, folder: Path) -> None:
        import ctranslate2  # noqa: PLC0415 - loads a large native library
        from tokenizers import Tokenizer  # noqa: PLC0415 - the same

        try:
            told = json.loads((folder / "config.json").read_text("utf-8"))
            self._adds_end = bool(told.get("add_source_eos", False))
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._targets = _target_tokens(folder)
            self._engine = ctranslate2.Translator(
                str(folder), device="cpu", compute_type="int8", inter_threads=_AT_ONCE, intra_threads=1
            )
        except Exception as error:  # the libraries' errors share no root
            raise ModelDamagedError(
                f"{folder} does not load as a translation model: {one_line(error)}"
            ) from error
        self._knows_many = self._tokenizer.token_to_id("eng_Latn") is not None
        self._name = folder.name

    def check(self, target: str) -> None:
        """Raises ``UnsupportedPairError`` where it has to be told the target and has no token for it."""
        if self._targets and self._token(target) is None:
            raise UnsupportedPairError(
                f"{self._name} is told its target and does not know {target!r}; add another with --from"
            )

    def _token(self, target: str) -> str | None:
        """The token of ``target`` of a model of several, such as ``>>por<<`` or ``>>cmn_Hans<<``."""
        language = LANGUAGES.get(target)
        if language is None:
            return None
        macro = "cmn" if target == "zh" else language.iso
        names = [
            language.nllb,
            f"{macro}_{(language.nllb or '')[4:]}",
            macro,
            (language.nllb or "")[:3],
            target,
        ]
        return next((f">>{name}<<" for name in names if f">>{name}<<" in self._targets), None)

    def translate(self, sentence: str, *, source: str, target: str) -> str:
        pieces = self._tokenizer.encode(sentence, add_special_tokens=False).tokens
        prefix: list[str] = []
        if self._knows_many:
            pieces = [_nllb(source), *pieces]
            prefix = [_nllb(target)]
        elif self._targets:
            pieces = [str(self._token(target)), *pieces]
        if not self._adds_end:
            pieces = [*pieces, _END]
        (result,) = self._engine.translate_batch(
            [pieces],
            target_prefix=[prefix] if prefix else None,
            beam_size=1,
            disable_unk=True,
            max_decoding_length=_LENGTH_RATIO * len(pieces) + _LENGTH_MORE,
        )
        written: list[Any] = result.hypotheses[0][len(prefix) :]
        return "".join(written).replace(_SPACE, " ").strip()


def _target_tokens(folder: Path) -> frozenset[str]:
    """What an OPUS-MT model of several targets is told them by; empty for one of a single target."""
    for name in ("shared_vocabulary.json", "source_vocabulary.json"):
        if (folder / name).is_file():
            known = json.loads((folder / name).read_text("utf-8"))
            return frozenset(token for token in known if token.startswith(">>") and token.endswith("<<"))
    return frozenset()


def _nllb(code: str) -> str:
    language = LANGUAGES.get(code)
    if language is None or language.nllb is None:
        raise UnsupportedPairError(f"NLLB-200 does not know {code!r}")
    return language.nllb
