"""Known vulnerabilities of what constraints.txt pins, by pip-audit. Needs the network.

    python -m scripts.audit PIP_AUDIT [--service pypi|osv]

PIP_AUDIT is the program; ``make audit`` installs it in a place of its own. Ends with 0 where all was looked
up and nothing is known, 1 where something is, 3 where not everything could be looked up: then it says how
much was not. pip-audit itself ends with 0 where a service knows none of the packages.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PINS = Path(__file__).parents[1] / "constraints.txt"
NOTHING = "nothing was looked up, so nothing is known"
_LIMIT_S = 900.0
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of the pins."""

    known: tuple[str, ...]
    """A line for each vulnerability."""
    looked_up: int
    missed: tuple[str, ...]
    """Names that no service knew."""

    @property
    def code(self) -> int:
        """For the end of the program."""
        return 1 if self.known else 3 if self.missed or not self.looked_up else 0

    def lines(self) -> list[str]:
        """To be read."""
        told = [*self.known]
        if self.missed:
            names = ", ".join(self.missed[:_SHOWN]) + (", …" if len(self.missed) > _SHOWN else "")
            told.append(f"{len(self.missed)} could not be looked up: the service does not know {names}")
        if not self.looked_up:
            return [*told, NOTHING]
        return [*told, f"{self.looked_up} looked up, {len(self.known) or 'no'} known vulnerabilities"]


def verdict(report: dict[str, Any]) -> Verdict:
    """What pip-audit's JSON says."""
    known: list[str] = []
    missed: list[str] = []
    for each in report["dependencies"]:
        if "skip_reason" in each:
            missed.append(each["name"])
        for found in each.get("vulns", ()):
            mended = ", ".join(found.get("fix_versions", ())) or "no version yet"
            known.append(f"{each['name']} {each['version']}: {found['id']}, mended in {mended}")
    return Verdict(tuple(known), len(report["dependencies"]) - len(missed), tuple(missed))


def main() -> None:
    """Ask, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--service", choices=["pypi", "osv"], default="pypi")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        answer = Path(folder) / "audit.json"
        options = ["--requirement", str(PINS), "--no-deps", "--disable-pip", "--progress-spinner", "off"]
        options += ["--vulnerability-service", given.service, "--format", "json", "--output", str(answer)]
        done = subprocess.run(  # noqa: S603 - a program that the caller names
            [given.program, *options], capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
        if not answer.is_file():
            why = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            print(f"{NOTHING}: {given.service} cannot be reached: {why[:300]}", file=sys.stderr)
            sys.exit(3)
        found = verdict(json.loads(answer.read_text("utf-8")))
    print("\n".join(found.lines()), file=sys.stderr if found.code else sys.stdout)
    sys.exit(found.code)


if __name__ == "__main__":
    main()
