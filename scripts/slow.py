"""A recognizer that is too slow for minutes, then as fast as ever: what each overload mode makes of it.

    DECALAGE_SPEECH=DIR python -m scripts.slow [--rtf 2] [--slow 300] [--after 120] [--json F] [--plot F]

Real speech at speaking pace through the real engines and ``pipeline`` with one recognizer, each of whose
calls, those for growing captions too, takes ``--rtf`` times the length of its sound. Once undisturbed, once
with ``--overload degrade``, once with ``--overload drop-oldest --max-lag 10``. Prints a Markdown table.
Ends with code 1 where a sample is not accounted for or a caption comes later than ``--max-lag`` allows.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from decalage.app.allocator import share_arenas
from decalage.audio import SAMPLE_RATE
from scripts.evaluation import table
from scripts.trial_lag import draw_lags
from scripts.trial_slow import ON_TIME_S, Course, as_body, live_through, settings_of

MODES = ("undisturbed", "degrade", "drop-oldest")
_SLACK_S = 0.5
"""A caption is on its way for so long when its time is up."""
_HEAD = ("mode", "captions", "partials", "dropped s", "lag p50 s", "lag max s", "on time again after s",
         "most waiting s", "of it on disk s", "samples in", "accounted", "WER % of whole recordings",
         "the same undisturbed", "words of them")  # fmt: skip


def line(course: Course, undisturbed: Course) -> list[object]:
    """A row of the table."""
    whole = course.whole()
    errors, words = course.word_errors(whole)
    usual, _ = undisturbed.word_errors(whole)
    accounted = course.books.answered + course.samples["non-speech"]
    return [
        course.mode,
        len(course.captions),
        len(course.partials),
        f"{course.books.samples['gap'] / SAMPLE_RATE:.1f}",
        float(np.median(course.lags)),
        max(course.lags),
        f"{course.recovered_s:.1f}" if course.slow_s else "–",
        f"{max(each.waiting for each in course.states):.1f}",
        f"{max(each.spilled for each in course.states):.1f}",
        course.samples["in"],
        accounted,
        100 * errors / max(1, words),
        100 * usual / max(1, words),
        words,
    ]


def wrong_of(course: Course, max_lag_s: float) -> list[str]:
    """What may not be."""
    wrong = list(course.wrong)
    accounted = course.books.answered + course.samples["non-speech"]
    if accounted != course.samples["in"]:
        wrong.append(f"{course.samples['in']} samples in, {accounted} accounted for")
    if course.mode == "drop-oldest" and max(course.lags) > max_lag_s + _SLACK_S:
        wrong.append(f"a lag of {max(course.lags):.1f} s")
    if course.mode != "drop-oldest" and course.books.samples["gap"]:
        wrong.append("speech was dropped")
    if course.mode == "undisturbed" and max(course.lags) > 2 * ON_TIME_S:
        wrong.append("the machine is busy with something else: late undisturbed")
    return [f"{course.mode}: {each}" for each in wrong]


def main() -> None:
    """Three runs, a table, a picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rtf", type=float, default=2.0)
    parser.add_argument("--slow", type=float, default=300.0, metavar="SECONDS")
    parser.add_argument("--after", type=float, default=120.0, metavar="SECONDS")
    parser.add_argument("--max-lag", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    logging.disable(logging.WARNING)  # gaps are in the events
    share_arenas()
    courses = []
    for mode in MODES:
        print(f"{mode} …", file=sys.stderr)
        rtf = 0.0 if mode == "undisturbed" else given.rtf
        settings = settings_of(mode, given.max_lag)
        courses.append(live_through(settings, mode, rtf, given.slow, given.after, given.seed))
    print(table(_HEAD, [line(course, courses[0]) for course in courses]))
    bodies = [as_body(course) for course in courses]
    if given.json is not None:
        _write(given.json, vars(given), bodies)
    if given.plot is not None:
        draw_lags(bodies, given.plot, rtf=given.rtf, max_lag_s=given.max_lag)
    wrong = [each for course in courses for each in wrong_of(course, given.max_lag)]
    for each in wrong:
        print(each, file=sys.stderr)
    sys.exit(1 if wrong else 0)


def _write(path: Path, given: Mapping[str, Any], bodies: Sequence[Mapping[str, Any]]) -> None:
    options = {name: given[name] for name in ("rtf", "slow", "after", "max_lag", "seed")}
    path.write_text(json.dumps({"options": options, "runs": bodies}, ensure_ascii=False, indent=1), "utf-8")


if __name__ == "__main__":
    main()
