"""Every input that fuzzing found worth keeping, and every one it begins with, through what it is for."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.fuzz.campaign import Outcome, Reached
from scripts.fuzz.choices import Choices, written
from scripts.fuzz.registry import TARGETS
from scripts.fuzz.target import CORPUS, Target


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody's settings have a say, and what hostile bytes make libraries log is not of interest."""
    for name in [name for name in os.environ if name.startswith("DECALAGE_")]:
        monkeypatch.delenv(name)
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("target", TARGETS.values(), ids=str)
def test_nothing_that_was_found_breaks_anything_any_more(target: Target) -> None:
    for seed in target.seeds:
        target.check(seed)
    for path in target.kept():
        try:
            target.check(path.read_bytes())
        except Exception as error:
            error.add_note(f"python -m scripts.fuzz {target.name} --replay {path}")
            raise


def test_each_target_has_inputs_that_are_kept_and_nothing_else_is() -> None:
    assert {path.name for path in CORPUS.iterdir() if path.is_dir()} == set(TARGETS)
    assert [target.name for target in TARGETS.values() if not target.kept()] == []


def test_the_corpus_is_small() -> None:
    sizes = [path.stat().st_size for target in TARGETS.values() for path in target.kept()]
    assert sum(sizes) < 400_000
    assert len(sizes) < 1500


@pytest.mark.parametrize(
    ("path", "plateau"),
    [
        ([(10, 5, 5), (60, 9, 9), (100, 9, 12)], True),
        ([(10, 5, 5), (71, 9, 9), (100, 9, 9)], False),
        ([(10, 5, 5), (100, 6, 6)], False),
        ([], False),
    ],
)
def test_a_plateau_is_new_code_in_none_of_the_last_three_tenths(
    path: list[tuple[int, int, int]], plateau: bool
) -> None:
    outcome = Outcome(next(iter(TARGETS.values())), [Reached(*each) for each in path])
    assert outcome.plateau is plateau
    assert outcome.at(1.0).inputs == outcome.inputs
    assert outcome.at(0.5).code <= outcome.at(1.0).code


@given(st.binary(max_size=60))
def test_whatever_decisions_are_read_off_an_input_they_end_with_it(data: bytes) -> None:
    choices = Choices(data)
    bodies = ({"a": [1, {"b": None}]},)
    body = written(choices.changed(bodies, ("word",)))
    assert written(Choices(data).changed(bodies, ("word",))) == body
    assert bodies == ({"a": [1, {"b": None}]},)
    rest = choices.rest()
    assert data.endswith(rest)
    assert (choices.below(7), choices.text(), choices.real(), choices.rest()) == (0, "", 0.0, b"")
