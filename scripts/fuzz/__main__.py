"""Fuzz what reads bytes from outside, and tell how far it came.

    python -m scripts.fuzz [TARGET…] [--inputs N] [--most N] [--seconds S] [--fresh] [--jobs N] [--list]

Each target gets ``--inputs`` inputs, then more, up to ``--most``, while new code is still reached. What
breaks is written to build/fuzz/TARGET/ and ends its target; ``--replay FILE`` tries one input of one target.
The fewest inputs that reach all that was reached stay in tests/corpus/TARGET/, where the tests try them.
Prints a Markdown table; exit code 1 where something broke.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from scripts.evaluation import table
from scripts.fuzz.campaign import Outcome, fuzz
from scripts.fuzz.registry import TARGETS
from scripts.fuzz.target import Target

_INSTALL = "python -m pip install -e '.[fuzz]' (Linux on x86-64)"
_HEAD = ["target", "inputs", "code at 10 %", "50 %", "100 %", "features at 10 %", "50 %", "100 %"]
_HEAD += ["last new code at", "plateau", "kept", "new", "findings"]


def _row(outcome: Outcome) -> list[object]:
    reached = [outcome.at(share) for share in (0.1, 0.5, 1.0)]
    return [
        outcome.target.name,
        outcome.inputs,
        *(each.code for each in reached),
        *(each.features for each in reached),
        outcome.last_growth,
        "yes" if outcome.plateau else "no",
        outcome.kept,
        outcome.new,
        "; ".join(outcome.findings) or "none",
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all of them where none is named")
    parser.add_argument("--inputs", type=int, default=100_000, help="of each target, at least")
    parser.add_argument("--most", type=int, help="of each target, while new code is reached [5 × inputs]")
    parser.add_argument("--seconds", type=float, help="for each target, at most")
    parser.add_argument("--fresh", action="store_true", help="begin with the seeds, not with what is kept")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try this input alone")
    given = parser.parse_args()
    if unknown := sorted(set(given.targets) - set(TARGETS)):
        parser.error(f"no target {unknown[0]}; there are {', '.join(TARGETS)}")
    if given.replay and len(given.targets) != 1:
        parser.error("--replay wants one target")
    return given


def main() -> None:
    """Fuzz, print the table."""
    given = _arguments()
    chosen: Sequence[Target] = [TARGETS[name] for name in given.targets or TARGETS]
    if given.list:
        print("\n".join(f"{target.name:18} {target.check.__doc__}" for target in chosen))
        return
    if given.replay:
        chosen[0].check(given.replay.read_bytes())
        return
    if find_spec("atheris") is None:
        sys.exit(f"atheris is not installed: {_INSTALL}")
    most = given.most or 5 * given.inputs
    run = partial(fuzz, inputs=given.inputs, most=most, seconds=given.seconds, fresh=given.fresh)
    rows = []
    with ThreadPoolExecutor(given.jobs) as pool:
        for outcome in pool.map(run, chosen):
            rows.append(_row(outcome))
            print(table(_HEAD, rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(table(_HEAD, rows))
    if any(row[-1] != "none" for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
