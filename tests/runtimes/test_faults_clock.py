"""The wall clock is set, forward and back: it says when something began, and decides nothing."""

from __future__ import annotations

import ast
import itertools
import time
from pathlib import Path

import pytest

import decalage
from decalage.clock import OutsideClock, SystemClock
from decalage.config import StreamOptions
from decalage.events import Caption
from decalage.testing.engines import speech
from tests.runtimes.kit import RUNTIMES, fed, running, texts

ROOT = Path(str(decalage.__file__)).parent
DECIDE = ("clock.py", "flow/", "runtimes/", "stages/", "sources/", "sinks/", "app/session.py", "app/server/")
"""Where it is decided what becomes of speech, and when."""
TELL = ("app/server/openai_api.py",)
"""Says since when a model is offered."""
ASKS = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}


def asks(path: Path) -> bool:
    """Whether a module asks the wall clock."""
    calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    names = [f for f in calls if isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name)]
    return any((name.value.id, name.attr) in ASKS for name in names if isinstance(name.value, ast.Name))


def test_nobody_who_decides_anything_asks_the_wall_clock() -> None:
    modules = {path.relative_to(ROOT).as_posix(): path for path in ROOT.rglob("*.py")}
    asking = [name for name, path in modules.items() if asks(path)]
    assert [name for name in asking if name.startswith(DECIDE) and name not in TELL] == []
    assert set(TELL) <= set(asking), "what asks is found"


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("step_s", [86_400.0, -86_400.0], ids=["forward", "back"])
def test_a_wall_clock_that_is_set_each_time_somebody_looks_changes_no_event(
    name: str, step_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, looks = time.time(), itertools.count()
    with running(name) as runtime:
        monkeypatch.setattr(time, "time", lambda: began + step_s * next(looks))
        stream = runtime.open(StreamOptions(pace="realtime"))
        events = fed(stream, speech([1, 2, 3]))
        monkeypatch.undo()
    assert texts(events) == ["word 1", "word 2", "word 3"]
    lags = [event.lag for event in events if isinstance(event, Caption) and event.lag is not None]
    assert len(lags) == 3
    assert all(0 <= lag < 60 for lag in lags)


@pytest.mark.parametrize("clock", [SystemClock(), OutsideClock()])
def test_clocks_never_go_back(clock: SystemClock) -> None:
    times = [clock.now() for _ in range(1000)]
    assert times == sorted(times)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux has this clock")
def test_outside_time_is_since_the_machine_started_with_the_time_it_slept() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    now = OutsideClock().now()
    assert before <= now <= time.clock_gettime(time.CLOCK_BOOTTIME)
