"""OPUS-MT and NLLB-200 models: what they are given and what is made of what they write."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from decalage.errors import EngineError, ModelDamagedError, UnsupportedPairError
from decalage.stages.marian import MarianTranslator
from decalage.stages.translators import Translators
from decalage.store.sentencepiece import tokenizer_json
from tests.stand_in import nllb, opus

READ = ("▁good", "▁morning", ".", "▁")


@pytest.fixture
def german(tmp_path: Path) -> Path:
    folder = opus(tmp_path / "opus-en-de", READ, ["▁Guten", "▁Mor", "gen", "."])
    made = tokenizer_json((folder / "source.spm").read_bytes())
    (folder / "tokenizer.json").write_text(json.dumps(made), "utf-8")
    return folder


@pytest.fixture
def many(tmp_path: Path) -> Path:
    return nllb(tmp_path / "nllb-600m", READ, ["▁bom", "▁dia"], ["por_Latn", "eng_Latn", "deu_Latn"])


class Spy:
    """Stands before the engine and keeps what it was given."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.given: list[tuple[list[str], list[str] | None]] = []

    def translate_batch(self, source: Any, target_prefix: Any = None, **options: Any) -> Any:
        self.given.append((source[0], target_prefix and target_prefix[0]))
        return self._engine.translate_batch(source, target_prefix=target_prefix, **options)


def spied(translator: MarianTranslator) -> Spy:
    (model,) = set(translator._directions.values())
    spy = Spy(model._engine)
    model._engine = spy
    return spy


def test_a_direction_is_given_pieces_and_an_end_and_its_pieces_are_joined(german: Path) -> None:
    translator = MarianTranslator({("en", "de"): german})
    spy = spied(translator)
    assert translator.translate("good morning.", source="en", target="de").text == "Guten Morgen."
    assert spy.given == [(["▁good", "▁morning", ".", "</s>"], None)]
    assert translator.pairs() == [("en", "de")]


def test_a_model_of_many_languages_is_told_both(many: Path) -> None:
    translator = MarianTranslator({("en", "pt"): many, ("de", "pt"): many})
    spy = spied(translator)
    assert translator.translate("good morning", source="de", target="pt").text == "bom dia"
    assert spy.given == [(["deu_Latn", "▁good", "▁morning", "</s>"], ["por_Latn"])]


def test_each_sentence_goes_by_itself_and_what_has_no_words_passes(german: Path) -> None:
    translator = MarianTranslator({("en", "de"): german})
    spy = spied(translator)
    text = translator.translate("Good morning. Good morning.", source="en", target="de").text
    assert text == "Guten Morgen. Guten Morgen."
    assert len(spy.given) == 2
    assert translator.translate("…", source="en", target="de").text == "…"


def test_a_pair_that_is_not_loaded_is_refused(german: Path, many: Path) -> None:
    translator = MarianTranslator({("en", "de"): german})
    with pytest.raises(UnsupportedPairError, match="loaded: en→de"):
        translator.translate("good", source="en", target="pt")
    breton = MarianTranslator({("br", "pt"): many})
    with pytest.raises(EngineError, match="does not know 'br'"):
        breton.translate("good", source="br", target="pt")


def test_a_model_of_several_targets_is_told_which(german: Path) -> None:
    vocabulary = german / "shared_vocabulary.json"
    known = json.loads(vocabulary.read_text("utf-8"))
    vocabulary.write_text(json.dumps([*known[:-1], ">>deu<<"]), "utf-8")
    translator = MarianTranslator({("en", "de"): german})
    spy = spied(translator)
    translator.translate("good", source="en", target="de")
    assert spy.given == [([">>deu<<", "▁good", "</s>"], None)]
    with pytest.raises(UnsupportedPairError, match="does not know 'pt'"):
        MarianTranslator({("en", "pt"): german})


def test_a_folder_that_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelDamagedError, match="does not load as a translation model") as told:
        MarianTranslator({("en", "de"): tmp_path})
    assert "\n" not in str(told.value)


def test_threads_get_the_same(german: Path) -> None:
    translator = MarianTranslator({("en", "de"): german})
    with ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(lambda _: translator.translate("good.", source="en", target="de").text, range(40))
        )
    assert set(made) == {"Guten Morgen."}


def test_of_two_translators_the_first_that_covers_a_pair_translates(german: Path, many: Path) -> None:
    both = Translators(
        [MarianTranslator({("en", "de"): german}), MarianTranslator({("en", "de"): many, ("en", "pt"): many})]
    )
    assert both.translate("good.", source="en", target="de").text == "Guten Morgen."
    assert both.translate("good", source="en", target="pt").text == "bom dia"
    assert set(both.pairs()) == {("en", "de"), ("en", "pt")}
    with pytest.raises(UnsupportedPairError, match="en→fr is not loaded"):
        both.translate("good", source="en", target="fr")
