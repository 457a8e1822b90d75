"""Everything that can go wrong, on the real engines, again and again at seeded moments.

    DECALAGE_SPEECH=DIR python -m scripts.chaos [--rounds N] [--family WORD] [--fault WORD] [--json F]

Four families of ``--rounds`` rounds each, their faults in turn: children of ``processes`` are killed, stopped
and held up, also while models load and while it closes; engines of the other runtimes raise, panic, run out
of memory or answer too late; sources break; the program gets signals, loses its reader or its disk. A round
is a few seconds of real speech, some at speaking pace with captions that grow, most at full speed.

After each: every index settled once and in order, samples in = answered + non-speech, what failed is told,
every other utterance says what it says in an undisturbed run, nothing is left ten seconds later, the exit
code is the one of the contract. Linux and macOS. Prints a Markdown table, ends with code 1 if a round failed.
"""

from __future__ import annotations

import argparse
import faulthandler
import itertools
import json
import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypeAlias

from decalage.app.allocator import share_arenas
from scripts.evaluation import table
from scripts.trial_bench import Bench
from scripts.trial_kills import STRIKES, killed_loading, killed_stopping, struck
from scripts.trial_program import OUTPUTS, SIGNALS, signalled, unwritten
from scripts.trial_rounds import ENGINES, SOURCES, broken, faulty, title
from scripts.trial_verdict import Verdict

_ROUND_LIMIT_S = 300.0
"""A round that takes longer hangs: all stacks are shown and the trial ends."""

Round: TypeAlias = Callable[[int], Verdict]


def families(bench: Bench) -> Mapping[str, Mapping[str, Round]]:
    """Family → fault → what carries one round of it out, by seed."""
    return {
        "processes": {
            **{strike.fault: partial(struck, bench, strike) for strike in STRIKES},
            "a child killed while models load": partial(killed_loading, bench),
            "a child killed or stopped while it closes": partial(killed_stopping, bench),
        },
        "engines": {title(where, how): partial(faulty, bench, where, how) for where, how in ENGINES},
        "sources": {how: partial(broken, bench, how) for how in SOURCES},
        "program": {
            **{how.fault: partial(signalled, bench, how) for how in SIGNALS},
            **{how: partial(unwritten, bench, how) for how in OUTPUTS},
        },
    }


def carried_out(rounds: Mapping[str, Round], count: int, seed: int) -> list[Verdict]:
    """``count`` rounds, one fault after the other; each is told on standard error."""
    found = []
    for number, fault in zip(range(count), itertools.cycle(rounds), strict=False):
        faulthandler.dump_traceback_later(_ROUND_LIMIT_S, exit=True)
        verdict = rounds[fault](seed + number)
        faulthandler.cancel_dump_traceback_later()
        state = "ok" if verdict.survived else f"NOT OK: {'; '.join(verdict.wrong)}"
        print(f"{number + 1}/{count} {fault}, {verdict.runtime}, {verdict.told}: {state}", file=sys.stderr)
        found.append(verdict)
    return found


_HEAD = ("", "fault", "rounds", "in mid-work", "survived", "retried", "failures told", "cut otherwise",
         "harmed beyond the fault")  # fmt: skip


def lines(family: str, verdicts: Sequence[Verdict]) -> list[list[object]]:
    """A row for each fault."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.fault, []).append(verdict)
    return [
        [
            family,
            fault,
            len(rounds),
            sum(each.hit for each in rounds),
            sum(each.survived for each in rounds),
            *(sum(getattr(each, name) for each in rounds) for name in _SUMMED),
        ]
        for fault, rounds in found.items()
    ]


_SUMMED = ("retried", "failures", "recut", "harmed")


def main() -> None:
    """All rounds, the table, what was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--family", default="", help="those whose name holds the word")
    parser.add_argument("--fault", default="", help="the same for faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGHUP):  # ignored in the background, and inherited so
        signal.signal(number, signal.SIG_DFL)
    logging.disable(logging.CRITICAL)  # what fails on purpose is in the events
    share_arenas()
    bench = Bench(given.seed)
    rows: list[list[object]] = []
    verdicts: list[Verdict] = []
    for family, faults in families(bench).items():
        chosen = {name: each for name, each in faults.items() if given.fault.lower() in name.lower()}
        if given.family in family and chosen:
            found = carried_out(chosen, given.rounds, given.seed * 1_000)
            rows += lines(family, found)
            verdicts += found
    print(table(_HEAD, rows))
    wrong = [each for each in verdicts if not each.survived]
    print(f"\n{len(verdicts)} rounds, {len(verdicts) - len(wrong)} survived")
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(each) for each in verdicts], indent=1), "utf-8")
    for each in wrong:
        print(f"{each.fault}, {each.runtime}, {each.told}: {'; '.join(each.wrong)}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
