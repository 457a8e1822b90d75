"""How a batch is ended early: what is in work is finished, or dropped, and nothing is half-written."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.outcome import Outcome
from decalage.app.batch.run import signals
from decalage.app.batch.runner import Batch
from decalage.testing.engines import Gate
from tests.app.batch_kit import (
    FakeHearing,
    Noted,
    background,
    gated,
    hearing,
    recording,
    run,
    standing_files,
    tasks_for,
    work_left,
)


class Running:
    """A batch over four files in another thread, two of them held in recognition."""

    def __init__(self, folder: Path) -> None:
        self.gate = Gate()
        self.path = folder
        self.heard = FakeHearing(gated(self.gate))
        self.watch = Noted()
        self.outcomes: list[Outcome] = []
        for name in "abcd":
            recording(folder / "in" / f"{name}.wav", ord(name))

    @contextmanager
    def held(self) -> Iterator[Batch]:
        """While two files are in work; the batch has ended at the end."""
        with ResultFolder(self.path / "out") as folder:
            batch = Batch(
                tasks_for(folder, [self.path / "in"]),
                folder,
                self.heard,
                self.watch,
                streams=lambda: 2,
                let_go=lambda: self.heard.runtime.close(0.1),
            )
            with background(lambda: self.outcomes.extend(batch.run())):
                self.gate.wait_inside(2)
                yield batch
        self.gate.open()
        self.heard.runtime.close(30)

    def states(self) -> list[str]:
        return [each.state for each in self.outcomes]


def test_a_stop_ends_what_is_in_work_and_begins_nothing(tmp_path: Path) -> None:
    running = Running(tmp_path)
    with running.held() as batch:
        batch.stop()
        running.gate.open()
    assert running.states() == ["done", "done", "left", "left"]
    assert sorted(running.watch.began_names) == ["a", "b"]
    with hearing() as heard:
        again = run(tmp_path / "out", [tmp_path / "in"], heard)
    assert heard.heard == {"c.wav": 1, "d.wav": 1}
    assert {each.state for each in again.values()} == {"done"}


@pytest.mark.parametrize(
    ("names", "ends"),
    [
        (["SIGINT"], "in work"),
        (["SIGTERM"], "in work"),
        (["SIGHUP", "SIGHUP"], "in work"),
        (["SIGINT", "SIGTERM"], "at once"),
        (["SIGHUP", "SIGTERM"], "at once"),
        (["SIGTERM", "SIGTERM"], "at once"),
    ],
    ids=str,
)
def test_signals_end_what_is_in_work_and_the_second_drops_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], names: list[str], ends: str
) -> None:
    running = Running(tmp_path)
    with running.held() as batch, signals(batch) as came:
        for name in names:
            signal.raise_signal(getattr(signal, name))
        if ends == "in work":
            running.gate.open()
    assert running.states() == (["done", "done", "left", "left"] if ends == "in work" else ["left"] * 4)
    assert len(came) == (1 if ends == "in work" else 2)
    assert capfd.readouterr().err.count("finishing the files in work") == 1


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_that_the_program_was_started_to_ignore_ends_nothing(tmp_path: Path, name: str) -> None:
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with hearing() as heard:
            batch = Batch([], ResultFolder(tmp_path), heard, Noted(), streams=lambda: 1)
            with signals(batch) as came:
                signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
    assert came == []


def test_a_second_stop_leaves_nothing_half_written(tmp_path: Path) -> None:
    running = Running(tmp_path)
    with running.held() as batch:
        batch.stop()
        batch.stop()
    assert running.states() == ["left"] * 4
    assert standing_files(tmp_path / "out") == {}
    assert work_left(tmp_path / "out") == []
    with hearing() as heard:
        again = run(tmp_path / "out", [tmp_path / "in"], heard)
    assert {each.state for each in again.values()} == {"done"}
