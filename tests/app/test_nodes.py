"""A blueprint on the machine where it was made, and on others."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from decalage.app.bench.plan import Choice, make_rows
from decalage.app.compose import ModelBlueprint, _found_again, make_blueprint
from decalage.app.nodes import NodeBlueprint, this_machine
from decalage.app.settings import Settings
from decalage.errors import MissingPartError, UsageError
from decalage.testing.engines import FakeBlueprint


@dataclass
class Asked:
    """Gives a blueprint, and remembers that it was asked for it."""

    given: FakeBlueprint = field(default_factory=FakeBlueprint)
    times: int = 0

    def __call__(self) -> FakeBlueprint:
        self.times += 1
        return self.given


def test_where_it_was_made_a_blueprint_is_itself() -> None:
    here, again = FakeBlueprint(), Asked()
    asked: list[tuple[object, int]] = []
    blueprint = NodeBlueprint(here, again, lambda there, workers: asked.append((there, workers)))
    assert blueprint.recognizer(2) is here.fake_recognizer
    assert asked == [(here, 2)]
    assert here.loads == [2]
    assert again.times == 0


def test_on_another_machine_the_models_are_looked_for_again() -> None:
    here, again = FakeBlueprint(), Asked()
    there = NodeBlueprint(here, again, lambda *_: None, machine=f"not {this_machine()}")
    assert there.recognizer(3) is again.given.fake_recognizer
    assert there.translator() is again.given.fake_translator
    assert (here.loads, again.given.loads) == ([], [3])


def found(settings: Settings) -> tuple[ModelBlueprint, ModelBlueprint]:
    """The blueprint of ``settings``, and what another machine makes of what is sent to it."""
    made = make_blueprint(settings)
    again = partial(_found_again, settings, made.engine, tuple(made.directions))
    return made, pickle.loads(pickle.dumps(again))()  # noqa: S301 - our own bytes


@pytest.mark.real
def test_what_another_machine_finds_are_the_same_models_on_the_same_engine() -> None:
    made, there = found(Settings(runtime="ray", workers=1, threads=1, offline=True))
    assert there == replace(made, device="cpu"), "also where there is a GPU"
    made, there = found(Settings(runtime="ray", workers=1, threads=1, engine="ctranslate2", offline=True))
    assert there.engine == made.engine == "ctranslate2"


@pytest.mark.real
def test_a_model_that_is_not_on_another_machine_is_named() -> None:
    settings = Settings(runtime="ray", offline=True)
    made = make_blueprint(settings)
    lacking = replace(settings, model="large-v3")
    with pytest.raises(MissingPartError, match="large-v3"):
        _found_again(lacking, made.engine, tuple(made.directions))


def test_an_address_is_for_ray_alone_and_there_each_recognition_has_a_thread() -> None:
    with pytest.raises(UsageError, match="--address goes with --runtime ray, not with pool"):
        Settings(runtime="pool", address="auto").runtime_options()
    options = Settings(runtime="ray", address="10.0.0.1:6379").runtime_options()
    assert options.cluster.address == "10.0.0.1:6379"
    assert (options.cluster.threads, options.cluster.fill) == (1, True)
    options = Settings(runtime="ray", address="auto", workers=3, threads=2, device="cuda").runtime_options()
    assert (options.workers, options.cluster.threads) == (3, 2)
    assert not options.cluster.fill
    assert options.cluster.gpu


def test_of_the_rows_of_a_benchmark_that_of_ray_alone_has_the_address() -> None:
    rows = make_rows(Choice(runtimes=("pipeline", "ray"), groups=("c",), address="auto"))
    assert {row.settings.runtime: row.settings.address for row in rows} == {"pipeline": None, "ray": "auto"}
