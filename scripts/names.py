"""What ``--terms`` does for names, and to everything else.

    DECALAGE_SPEECH=DIR python -m scripts.names [--terms FILE]

Every gold English recording with and without the terms (default: scripts/names.txt). How often each
name of the list is said, how often it is heard and how often it stands in the translation as wanted;
then the words of all recordings, and of those that no name is said in, with the interval of the
difference; and chrF of those that have a translation.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from decalage import Interpreter, Settings
from decalage.app.evaluate.bootstrap import difference_interval
from decalage.app.evaluate.translations import score
from decalage.app.terms import read_terms
from decalage.config import Term
from scripts.evaluation import WordErrors, joined, rows, speech_folder, table

_TERMS = Path(__file__).with_name("names.txt")
_TARGET = "pt"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the program made of one recording."""

    heard: str
    translated: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A recording with what was made of it either way."""

    row: dict[str, Any]
    without: Answer
    with_terms: Answer


def answers(recordings: Sequence[dict[str, Any]], terms: tuple[Term, ...]) -> list[Answer]:
    """All of ``recordings`` through one program."""
    found = []
    with Interpreter(settings=Settings(targets=(_TARGET,), terms=terms, offline=True)) as interpreter:
        for row in recordings:
            captions = list(interpreter.translate(speech_folder() / row["path"]))
            found.append(Answer(joined(captions, "en"), joined(captions, _TARGET)))
    return found


def times(words: str, text: str) -> int:
    """How often ``words`` stand in ``text``, whatever their case and the marks around them."""
    spaced = (" ".join(re.findall(r"\w+", each.casefold())) for each in (words, text))
    wanted, within = spaced
    return len(re.findall(rf"(?<!\w){re.escape(wanted)}(?!\w)", within))


def said(term: Term, row: dict[str, Any]) -> int:
    """How often ``term`` is said in a recording; transcripts may spell a title out."""
    transcript = re.sub(r"\bmister\b", "mr", row["transcript"].casefold())
    return times(term.text.replace("à", "a"), transcript)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--terms", type=Path, default=_TERMS)
    terms = read_terms(parser.parse_args().terms)
    recordings = [row for row in rows() if row["language"] == "en" and row["transcript_quality"] == "gold"]
    without, with_terms = answers(recordings, ()), answers(recordings, terms)
    lines: list[tuple[object, ...]] = []
    for term in terms:
        at = [number for number, row in enumerate(recordings) if said(term, row)]
        count = sum(said(term, recordings[number]) for number in at)
        heard = (_heard(term, at, without), _heard(term, at, with_terms))
        written = (_written(term, at, without), _written(term, at, with_terms))
        lines.append((term.text, term.into(_TARGET), count, *heard, *written))
    lines.append(("all", "", *(sum(int(str(line[column])) for line in lines) for column in range(2, 7))))
    head: Sequence[str] = (
        "name",
        "wanted",
        "said",
        "heard without",
        "with",
        "in the translation without",
        "with",
    )
    print(table(head, lines))
    named = [any(said(term, row) for term in terms) for row in recordings]
    print(f"\n{sum(named)} of {len(recordings)} recordings have a name in them\n")
    compared = [Compared(*each) for each in zip(recordings, without, with_terms, strict=True)]
    having = [each for each, has in zip(compared, named, strict=True) if has]
    others = [each for each, has in zip(compared, named, strict=True) if not has]
    head = ("recordings", "words", "WER % without", "with", "95 % of the difference")
    print(table(head, [_words("all", compared), _words("with a name", having), _words("without", others)]))
    print()
    head = ("recordings with a translation", "chrF without", "with")
    print(table(head, [_chrf("all", compared), _chrf("with a name", having)]))


def _heard(term: Term, at: Sequence[int], found: Sequence[Answer]) -> int:
    return sum(times(term.text.replace("à", "a"), found[number].heard.replace("à", "a")) for number in at)


def _written(term: Term, at: Sequence[int], found: Sequence[Answer]) -> int:
    return sum(times(term.into(_TARGET), found[number].translated) for number in at)


def _words(title: str, chosen: Sequence[Compared]) -> tuple[object, ...]:
    before, after = WordErrors("en"), WordErrors("en")
    for each in chosen:
        before.add(each.row["transcript"], each.without.heard)
        after.add(each.row["transcript"], each.with_terms.heard)
    interval = difference_interval(before.counted, after.counted)
    told = "–" if interval is None else f"{interval[0]:+.2f} … {interval[1]:+.2f}"
    return title, sum(before.words), before.rate, after.rate, told


def _chrf(title: str, chosen: Sequence[Compared]) -> tuple[object, ...]:
    judged = [each for each in chosen if each.row["translation"]]
    references = [each.row["translation"] for each in judged]
    made = ([each.without.translated for each in judged], [each.with_terms.translated for each in judged])
    scores = [score("chrf", texts, references) for texts in made]
    return f"{title} ({len(judged)})", *("–" if each is None else f"{each.value:.1f}" for each in scores)


if __name__ == "__main__":
    main()
