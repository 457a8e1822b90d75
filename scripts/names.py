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

from decalage import Caption, Interpreter, Settings
from decalage.app.evaluate.bootstrap import difference_interval
from decalage.app.evaluate.translations import score
from decalage.app.terms import read_terms
from decalage.config import Term
from scripts.evaluation import WordErrors, rows, speech_folder, table

_TERMS = Path(__file__).with_name("names.txt")
_TARGET = "pt"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the program made of one recording."""

    heard: str
    translated: str


def answers(recordings: Sequence[dict[str, Any]], terms: tuple[Term, ...]) -> list[Answer]:
    """All of ``recordings`` through one program."""
    found = []
    with Interpreter(settings=Settings(targets=(_TARGET,), terms=terms, offline=True)) as interpreter:
        for row in recordings:
            captions: list[Caption] = list(interpreter.translate(speech_folder() / row["path"]))
            joined = {
                code: " ".join(each.text.get(code, "") for each in captions) for code in ("en", _TARGET)
            }
            found.append(Answer(joined["en"], joined[_TARGET]))
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
    head = ("name", "wanted", "said", "heard without", "with", "in the translation without", "with")
    print(table(head, lines))
    named = [any(said(term, row) for term in terms) for row in recordings]
    print(f"\n{sum(named)} of {len(recordings)} recordings have a name in them\n")
    print(table(("recordings", "words", "WER % without", "with", "95 % of the difference"), [
        _words("all", recordings, without, with_terms, [True] * len(named)),
        _words("with a name", recordings, without, with_terms, named),
        _words("without", recordings, without, with_terms, [not each for each in named]),
    ]))  # fmt: skip
    print()
    print(table(("recordings with a translation", "chrF without", "with"), [
        _chrf("all", recordings, without, with_terms, [True] * len(named)),
        _chrf("with a name", recordings, without, with_terms, named),
    ]))  # fmt: skip


def _heard(term: Term, at: Sequence[int], found: Sequence[Answer]) -> int:
    return sum(times(term.text.replace("à", "a"), found[number].heard.replace("à", "a")) for number in at)


def _written(term: Term, at: Sequence[int], found: Sequence[Answer]) -> int:
    return sum(times(term.into(_TARGET), found[number].translated) for number in at)


def _words(
    title: str,
    recordings: Sequence[dict[str, Any]],
    without: Sequence[Answer],
    with_terms: Sequence[Answer],
    chosen: Sequence[bool],
) -> tuple[object, ...]:
    before, after = WordErrors("en"), WordErrors("en")
    for row, one, other, wanted in zip(recordings, without, with_terms, chosen, strict=True):
        if wanted:
            before.add(row["transcript"], one.heard)
            after.add(row["transcript"], other.heard)
    interval = difference_interval(before.counted, after.counted)
    told = "–" if interval is None else f"{interval[0]:+.2f} … {interval[1]:+.2f}"
    return title, sum(before.words), before.rate, after.rate, told


def _chrf(
    title: str,
    recordings: Sequence[dict[str, Any]],
    without: Sequence[Answer],
    with_terms: Sequence[Answer],
    chosen: Sequence[bool],
) -> tuple[object, ...]:
    at = [number for number, row in enumerate(recordings) if chosen[number] and row["translation"]]
    references = [recordings[number]["translation"] for number in at]
    values = []
    for found in (without, with_terms):
        scored = score("chrf", [found[number].translated for number in at], references)
        values.append("–" if scored is None else f"{scored.value:.1f}")
    return f"{title} ({len(at)})", *values


if __name__ == "__main__":
    main()
