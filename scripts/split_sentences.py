"""A sentence that a pause splits over two utterances, translated by halves and as one.

    DECALAGE_SPEECH=DIR python -m scripts.split_sentences [--limit N]

The sentences of ``mt.tsv`` with Brazilian references, ten words or more, without the third held out,
are split near the middle: at a comma or a conjunction, or after half of the words. Whisper puts a full
stop after the first half, mostly, and when the second half is heard the caption of the first has been
settled. So the second half can at most be what a translation of the whole says after the same words.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping

import sacrebleu

from decalage.app.evaluate.manifest import held_out
from decalage.flow.stability import agreement, continued
from decalage.stages.firefox import FirefoxTranslator
from decalage.stages.loops import words as plain
from decalage.store.models import find_translator
from scripts.evaluation import speech_folder, table

_WORDS = 10
_OPENERS = frozenset({"and", "but", "or", "because", "which", "that", "when", "while", "who"})
_MARKS = ".,;: "

Halves = tuple[list[str], list[str]]


def at_a_clause(words: list[str]) -> Halves:
    """At the comma or the conjunction next to the middle; in the middle where there is none."""
    middle = len(words) / 2
    places = [
        n
        for n in range(3, len(words) - 2)
        if words[n - 1].endswith((",", ";", ":")) or words[n].lower() in _OPENERS
    ]
    place = min(places, key=lambda n: abs(n - middle)) if places else int(middle)
    return words[:place], words[place:]


def in_the_middle(words: list[str]) -> Halves:
    """After half of the words."""
    return words[: len(words) // 2], words[len(words) // 2 :]


class Ways:
    """Ways to translate two halves; each gives all that is shown in the end."""

    def __init__(self) -> None:
        self._translator = FirefoxTranslator({("en", "pt"): find_translator("en", "pt")})
        self._known: dict[str, str] = {}

    def _say(self, text: str) -> str:
        if text not in self._known:
            self._known[text] = self._translator.translate(text, source="en", target="pt").text
        return self._known[text]

    def as_one(self, first: str, second: str) -> str:
        return self._say(f"{first} {second}")

    def by_halves(self, first: str, second: str) -> str:
        return f"{self._say(first)} {self._say(second)}"

    def with_full_stop(self, first: str, second: str) -> str:
        return f"{self._say(_stopped(first))} {self._say(second)}"

    def gone_on(self, first: str, second: str) -> str:
        """The second half from the translation of the whole, where that begins like the first's."""
        shown, whole = self._say(_stopped(first)).split(), self.as_one(first, second).split()
        agreed = agreement(plain(" ".join(shown)), plain(" ".join(whole)))
        if agreed < len(shown) - 1:
            return self.with_full_stop(first, second)
        return " ".join(continued(shown, whole))

    def all(self) -> Mapping[str, Callable[[str, str], str]]:
        return {
            "as one (what was shown taken back)": self.as_one,
            "by halves, no full stop between": self.by_halves,
            "by halves, a full stop after the first (today)": self.with_full_stop,
            "the second from the whole, where it goes on from the first": self.gone_on,
        }


def _stopped(text: str) -> str:
    return text.rstrip(_MARKS) + "."


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    with (speech_folder() / "mt.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if not held_out(row["id"])]
    rows = [row for row in rows if row["pt_br"] and len(row["en"].split()) >= _WORDS][: given.limit]
    references = [[row["pt_br"] for row in rows]]
    ways, lines = Ways(), []
    for name, way in ways.all().items():
        line: list[object] = [name]
        for split in (at_a_clause, in_the_middle):
            halves = (split(row["en"].split()) for row in rows)
            said = [way(" ".join(first), " ".join(second)) for first, second in halves]
            line += [sacrebleu.corpus_chrf(said, references).score]
            line += [sacrebleu.corpus_bleu(said, references).score]
        lines.append(line)
    print(f"{len(rows)} sentences\n")
    print(table(("", "chrF, at a clause", "BLEU", "chrF, in the middle", "BLEU"), lines))


if __name__ == "__main__":
    main()
