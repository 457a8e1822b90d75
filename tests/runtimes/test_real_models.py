"""The contract on real models and real speech: the same captions, and who really overlaps whom."""

from __future__ import annotations

import os
from functools import cache
from itertools import combinations
from pathlib import Path

import psutil
import pytest

from decalage.app.compose import RUNTIMES, make_blueprint, make_runtime, open_source
from decalage.app.settings import Settings
from decalage.config import RuntimeName
from decalage.events import Caption, Failure, Partial, StreamEvent
from decalage.flow.trace import Span, Trace
from decalage.runtimes.processes import ProcessesRuntime
from decalage.sources.file import FileSource
from tests.runtimes.kit import ray_kept

pytestmark = pytest.mark.real

SPEECH = Path(__file__).parents[2] / "samples" / "ask-not.flac"
NAMES: list[RuntimeName] = ["sequential", "pipeline", "pool", "processes", "asyncio", "ray"]


@cache
def run(name: RuntimeName) -> tuple[list[StreamEvent], list[Span], int]:
    """Events, spans and the processes at work of one run with two recognizers."""
    if name == "ray":
        ray_kept.get()
    settings = Settings(runtime=name, workers=2, threads=1, end_silence_s=0.5, offline=True)
    trace = Trace()
    runtime = make_runtime(settings, make_blueprint(settings), trace=trace)
    try:
        stream = runtime.run(FileSource(str(SPEECH)), settings.stream_options())
        if isinstance(runtime, ProcessesRuntime):
            children = {*runtime.processes.values(), *runtime.captures.values()}
            assert children <= {child.pid for child in psutil.Process().children()}
        else:
            children = set()
        events = list(stream)
        assert stream.damage is None
    finally:
        runtime.close()
    return events, trace.spans(), len(children)


def overlaps(spans: list[Span]) -> set[tuple[str, str]]:
    """Pairs of stages seen at work at one moment."""
    return {
        (min(a.stage, b.stage), max(a.stage, b.stage)) for a, b in combinations(spans, 2) if a.overlaps(b)
    }


def test_every_runtime_is_tried() -> None:
    assert set(NAMES) == set(RUNTIMES)


@pytest.mark.parametrize("name", NAMES)
def test_all_runtimes_give_the_same_captions_in_order(name: RuntimeName) -> None:
    events, _, _ = run(name)
    expected, _, _ = run("sequential")
    assert [event.index for event in events if isinstance(event, Caption)] == list(range(len(events)))
    assert [e.text for e in events if isinstance(e, Caption)] == [
        e.text for e in expected if isinstance(e, Caption)
    ]
    assert len(events) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_each_runtime_works_where_its_option_says(name: RuntimeName) -> None:
    _, spans, children = run(name)
    processes = {span.process for span in spans}
    replicas = {span.replica for span in spans if span.stage == "asr"}
    seen = overlaps([span for span in spans if span.stage != "capture"])
    if name == "sequential":
        assert seen == set()
    else:
        assert ("asr", "asr") in seen
        assert ("asr", "mt") in seen
    assert replicas == ({0, 1} if name in ("pool", "processes") else {0})
    if name == "processes":
        assert len(processes) >= 5
        assert children >= 5
        assert os.getpid() not in processes
    elif name == "ray":
        assert len(processes) == 3
        assert os.getpid() in processes
    else:
        assert processes == {os.getpid()}


def test_killed_recognizers_and_a_killed_translator_lose_nothing() -> None:
    settings = Settings(runtime="processes", workers=2, threads=1, end_silence_s=0.5, offline=True)
    runtime = make_runtime(settings, make_blueprint(settings))
    assert isinstance(runtime, ProcessesRuntime)
    try:
        stream = runtime.run(FileSource(str(SPEECH)), settings.stream_options())
        events: list[StreamEvent] = []
        for event in stream:
            events.append(event)
            if len(events) == 1:
                for name in ("asr-0", "asr-1", "mt"):
                    psutil.Process(runtime.processes[name]).kill()
    finally:
        runtime.close()
    expected, _, _ = run("sequential")
    assert [e.text for e in events if isinstance(e, Caption)] == [
        e.text for e in expected if isinstance(e, Caption)
    ]


def test_at_speaking_pace_captions_grow_and_every_word_has_its_time() -> None:
    settings = Settings(workers=2, threads=1, pace="realtime", words=True, offline=True)
    runtime = make_runtime(settings, make_blueprint(settings))
    try:
        events = list(runtime.run(open_source(str(SPEECH), settings), settings.stream_options()))
    finally:
        runtime.close()
    captions = [event for event in events if isinstance(event, Caption)]
    assert not [event for event in events if isinstance(event, Failure)]
    assert {event.index for event in events if isinstance(event, Partial)} & {each.index for each in captions}
    assert len(captions) >= 3
    for caption in captions:
        assert " ".join(word.text for word in caption.words) == caption.text["en"]
        times = [at for word in caption.words for at in (word.start, word.end)]
        assert times == sorted(times)
        assert caption.start <= times[0]
        assert times[-1] <= caption.end + 0.01
