"""What tests of a batch share: recordings that spell words, tasks for them, hearing without models."""

from __future__ import annotations

import errno
import os
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from decalage.app.batch.entries import gather
from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.naming import Output, outputs_of
from decalage.app.batch.outcome import Outcome
from decalage.app.batch.plan import Forms, Task, make_tasks
from decalage.app.batch.record import Record, Stamp
from decalage.app.batch.runner import Batch
from decalage.app.batch.work import Heard, Moved, hear
from decalage.app.settings import Settings
from decalage.config import RuntimeOptions, StreamOptions
from decalage.events import Start
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, Gate, speech

PLAIN = Settings(model="none-of-these")
"""Settings whose models are not looked for further than their name."""


def recording(path: Path, *words: int, lost_bytes: int = 0) -> Path:
    """A WAV file of float32 that the fakes hear as ``words``; its end may be missing."""
    samples = speech(words).samples.astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 1, 16_000, 64_000, 4, 32)
    head = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples))
    whole = b"RIFF" + struct.pack("<I", len(head) + len(samples)) + head + samples
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(whole[: len(whole) - lost_bytes])
    return path


def tasks_for(
    folder: ResultFolder,
    given: Sequence[Path],
    settings: Settings = PLAIN,
    forms: Sequence[str] = ("srt", "txt", "jsonl"),
) -> list[Task]:
    """What a batch over ``given`` has to do."""
    entries = gather([str(path) for path in given], [], results=folder.path)
    return make_tasks(entries, settings, Forms(tuple(forms)), folder)


def refuse(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nothing in ``folder`` may be looked at, by root neither."""

    def closed(look: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def stat(path: Any, *others: Any, **known: Any) -> os.stat_result:
            if isinstance(path, str | Path) and Path(path).parent == folder:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return look(path, *others, **known)

        return stat

    for name in ("stat", "lstat"):
        monkeypatch.setattr(os, name, closed(getattr(os, name)))


class FakeHearing:
    """Captions without models; counts what it was asked for, by file name."""

    def __init__(self, blueprint: FakeBlueprint | None = None) -> None:
        self.fakes = blueprint or FakeBlueprint()
        self.runtime = PipelineRuntime(self.fakes, RuntimeOptions(workers=2))
        self.heard: Counter[str] = Counter()
        self.before: Callable[[Task, int], None] | None = None
        """Called with what is to be captioned, and which time it is."""

    def __call__(self, task: Task, made: Path, moved: Moved) -> Heard:
        self.heard[task.path.name] += 1
        if self.before is not None:
            self.before(task, self.heard[task.path.name])
        options = StreamOptions(targets=task.settings.targets)
        start = start_of(task.settings, str(task.path))
        return hear(self.runtime, task, made, moved, options=options, start=start)


def start_of(settings: Settings, given: str = "") -> Start:
    """The first event of a run of the fakes."""
    pair = (settings.source, settings.targets)
    return Start(*pair, "pipeline", 2, 1, "none", 1, "fake", "auto", 0.5, False, "fast", "max", given)


@contextmanager
def hearing(blueprint: FakeBlueprint | None = None) -> Iterator[FakeHearing]:
    """One whose runtime is closed at the end."""
    made = FakeHearing(blueprint)
    try:
        yield made
    finally:
        made.runtime.close(30)


class Noted:
    """A watch that remembers."""

    def __init__(self) -> None:
        self.began_names: list[str] = []
        self.positions: list[tuple[str, float]] = []
        self.ended_names: list[str] = []

    def began(self, task: Task) -> None:
        self.began_names.append(task.name)

    def moved(self, task: Task, heard_s: float) -> None:
        self.positions.append((task.name, heard_s))

    def ended(self, outcome: Outcome) -> None:
        self.ended_names.append(outcome.task.name)


def run(
    folder: Path,
    given: Sequence[Path],
    heard: FakeHearing,
    *,
    settings: Settings = PLAIN,
    streams: int = 2,
    retries: int = 1,
) -> dict[str, Outcome]:
    """A whole batch; file name → what became of it."""
    with ResultFolder(folder) as results:
        batch = Batch(
            tasks_for(results, given, settings),
            results,
            heard,
            Noted(),
            streams=lambda: streams,
            retries=retries,
        )
        return {outcome.task.path.name: outcome for outcome in batch.run()}


def standing_files(folder: Path) -> dict[str, bytes]:
    """Every result in ``folder``, by its path in it; what the program keeps for itself left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".decalage" not in path.parts
    }


def record_of(name: str, outputs: Sequence[Output] | None = None, **changed: object) -> Record:
    """A record of a file that was captioned."""
    suffixes = [each.suffix for each in outputs or outputs_of(("srt", "txt", "jsonl"), ("pt",), None)]
    given: dict[str, object] = {
        "name": name,
        "source": f"/archive/{name}.wav",
        "sha256": "a" * 64,
        "stamp": Stamp(1000, 5),
        "fingerprint": "f" * 32,
        "words": False,
        "show": None,
        "quality": "done",
        "files": {suffix: f"{name}.{suffix}" for suffix in suffixes},
        "audio_s": 60.0,
        "captions": 3,
        "failures": 0,
        "rejected": 0,
        "lost": 0,
        "error": None,
        "began": 100.0,
        "ended": 102.0,
        "settings": {},
        "program": "1",
    }
    return Record(**{**given, **changed})  # type: ignore[arg-type]


def gated(gate: Gate) -> FakeBlueprint:
    """Whose recognition waits at ``gate``."""
    return FakeBlueprint(FakeRecognizer(gate=gate))


def states(outcomes: dict[str, Outcome]) -> dict[str, tuple[str, str | None]]:
    """File name → state and how."""
    return {name: (each.state, each.how) for name, each in outcomes.items()}


def work_left(folder: Path) -> list[Path]:
    """What is being made there, or was left."""
    return list((folder / ".decalage" / "work").iterdir())


@contextmanager
def background(call: Callable[[], object]) -> Iterator[None]:
    """``call`` in another thread, which has ended at the end."""
    thread = threading.Thread(target=call)
    thread.start()
    yield
    thread.join(30)
    assert not thread.is_alive()
