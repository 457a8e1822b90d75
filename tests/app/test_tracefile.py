"""The trace file: what a viewer of the Trace Event Format needs, and a file that is whole or absent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from decalage.app.cli import main
from decalage.app.tracefile import chrome_trace, write_trace
from decalage.errors import OutputError
from decalage.events import StageName
from decalage.flow.trace import Depth, Mark, Span, Trace

SAMPLES = Path(__file__).parents[2] / "samples"
HOST = 100


def span(stage: StageName, index: int, start: float, end: float, **more: Any) -> Span:
    where = {"stream": "main", "process": HOST, "thread": stage, "replica": 0, **more}
    return Span(stage=stage, index=index, start=start, end=end, **where)


def traced(*entries: Span | Depth | Mark) -> Trace:
    trace = Trace()
    for entry in entries:
        trace.add(entry)
    return trace


PIPELINE = (
    Depth(49.5, "inbox, s", 0.5),
    span("vad", 0, 50.0, 50.1),
    span("asr", 0, 50.1, 51.1, thread="asr-0"),
    span("asr", 1, 50.6, 51.3, thread="asr-1", replica=1),
    span("mt", 0, 51.2, 51.25),
    span("mt", 0, 51.25, 51.3),
    span("mt", 1, 51.3, 51.3),
    Mark(51.0, "gap", "2 s dropped"),
)


def drawn(trace: Trace, host: int = HOST) -> list[dict[str, Any]]:
    """The events, after what must hold for any trace."""
    whole = json.loads(json.dumps(chrome_trace(trace, host=host), allow_nan=False))
    assert whole["displayTimeUnit"] == "ms"
    events: list[dict[str, Any]] = whole["traceEvents"]
    check(events)
    return events


def check(events: Sequence[dict[str, Any]]) -> None:
    timed = [event for event in events if event["ph"] != "M"]
    times = [event["ts"] for event in timed]
    assert times == sorted(times)
    assert not times or times[0] == 0
    named = {(e["pid"], e["tid"]) for e in events if e["name"] == "thread_name"}
    processes = {e["pid"] for e in events if e["name"] == "process_name"}
    ends: dict[tuple[int, int], int] = defaultdict(int)
    for event in timed:
        assert event["pid"] in processes
        if event["ph"] == "C":
            assert all(isinstance(value, int | float) for value in event["args"].values())
            continue
        assert (event["pid"], event["tid"]) in named
        if event["ph"] == "X":
            track = (event["pid"], event["tid"])
            assert event["dur"] >= 0
            assert event["ts"] >= ends[track], "bars of one track overlap"
            ends[track] = event["ts"] + event["dur"]
    for event in timed:
        if event["ph"] in "stf":
            held = [
                bar
                for bar in timed
                if bar["ph"] == "X"
                and (bar["pid"], bar["tid"]) == (event["pid"], event["tid"])
                and bar["ts"] <= event["ts"] <= bar["ts"] + bar["dur"]
            ]
            assert held, "an arrow touches no bar"


def test_each_span_is_a_bar_on_the_track_of_its_thread() -> None:
    events = drawn(traced(*PIPELINE))
    bars = {e["name"]: e for e in events if e["ph"] == "X" and e["cat"] == "asr"}
    assert bars["asr 0"]["ts"] == 600_000
    assert bars["asr 0"]["dur"] == 1_000_000
    assert bars["asr 1"]["args"] == {
        "stream": "main",
        "index": 1,
        "revision": "final",
        "replica": 1,
        "ipc_ms": 0.0,
    }
    assert bars["asr 0"]["tid"] != bars["asr 1"]["tid"]
    names = {(e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert names[bars["asr 1"]["tid"]] == "asr-1"


def test_arrows_lead_from_the_last_recognition_to_every_translation() -> None:
    retried = span("asr", 0, 49.0, 49.9, thread="asr-0")
    events = drawn(traced(retried, *PIPELINE))
    arrows = defaultdict(list)
    for event in events:
        if event["ph"] in "stf":
            arrows[event["id"]].append((event["ph"], event["ts"]))
    assert list(arrows.values()) == [
        [("s", 2_099_999), ("t", 2_200_000), ("f", 2_250_000)],
        [("s", 2_299_999), ("f", 2_300_000)],
    ]


def test_depths_are_counters_and_marks_are_lines_across() -> None:
    events = drawn(traced(*PIPELINE))
    (counter,) = [e for e in events if e["ph"] == "C"]
    assert (counter["name"], counter["ts"], counter["args"]) == ("inbox, s", 0, {"waiting": 0.5})
    (mark,) = [e for e in events if e["ph"] == "i"]
    assert (mark["s"], mark["ts"], mark["args"]) == ("g", 1_500_000, {"detail": "2 s dropped"})


def test_a_process_is_named_after_its_stages() -> None:
    entries = [
        span("capture", 0, 0, 1, process=1),
        span("vad", 0, 0, 1, process=2),
        span("asr", 0, 1, 2, process=3, thread="asr-0", ipc_s=0.002),
        span("mt", 0, 2, 3, process=4),
    ]
    events = drawn(traced(*entries))
    names = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert names == {HOST: "host", 1: "audio", 2: "vad", 3: "asr", 4: "mt"}
    assert [e["args"]["ipc_ms"] for e in events if e["ph"] == "X"] == [0, 0, 2, 0]
    together = drawn(traced(*PIPELINE))
    assert [e["args"]["name"] for e in together if e["name"] == "process_name"] == ["host (vad/asr/mt)"]


def test_a_hung_worker_and_its_namesake_do_not_share_a_track() -> None:
    hung = span("asr", 0, 0.0, 30.0, thread="asr-0")
    events = drawn(traced(hung, span("asr", 1, 5.0, 6.0, thread="asr-0")))
    assert [e["args"]["name"] for e in events if e["name"] == "thread_name"] == ["asr-0", "asr-0 (2)"]


def test_two_streams_have_arrows_of_their_own() -> None:
    entries = [
        entry
        for stream in ("a", "b")
        for entry in (
            span("asr", 0, 0, 1, stream=stream, thread=f"asr-{stream}"),
            span("mt", 0, 2, 3, stream=stream, thread=f"mt-{stream}"),
        )
    ]
    assert {e["id"] for e in drawn(traced(*entries)) if e["ph"] == "f"} == {1, 2}


def test_nothing_recorded_is_still_a_trace() -> None:
    assert [e["ph"] for e in drawn(traced())] == ["M", "M"]


def test_a_written_trace_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text("old")
    path.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    write_trace(traced(*PIPELINE), str(link))
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert json.loads(path.read_text("utf-8"))["traceEvents"]
    assert sorted(tmp_path.iterdir()) == [link, path]


def test_a_private_file_is_private_while_it_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trace.json"
    path.write_text("old")
    path.chmod(0o600)
    modes, write = [], Path.write_bytes

    def watched(file: Path, content: bytes) -> int:
        modes.append(file.stat().st_mode & 0o777)
        return write(file, content)

    monkeypatch.setattr(Path, "write_bytes", watched)
    write_trace(traced(*PIPELINE), str(path))
    assert modes == [path.stat().st_mode & 0o777] == [0o600]


def test_a_trace_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the folder does not exist"):
        write_trace(traced(*PIPELINE), str(tmp_path / "gone" / "trace.json"))
    with pytest.raises(OutputError, match="the disk is full"):
        write_trace(traced(*PIPELINE), "/dev/full")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/nowhere/x.json", "the folder does not exist"),
        (str(SAMPLES), "it is a folder"),
        ("-", "standard output is for captions"),
        (str(SAMPLES / "talk.flac"), "already in use"),
        ("out.jsonl", "already in use"),
    ],
)
def test_an_impossible_trace_is_refused_before_anything_is_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["translate", str(SAMPLES / "talk.flac"), "-o", "out.jsonl", "--trace", path])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real
def test_ctrl_c_leaves_a_whole_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    live = ("--pace", "realtime", "--offline", "--format", "jsonl", "--trace", str(path))
    process = subprocess.Popen(
        [sys.executable, "-m", "decalage", "translate", str(SAMPLES / "talk.flac"), *live],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    assert process.stdout is not None
    while '"type": "partial", "index": 1,' not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    events = json.loads(path.read_text("utf-8"))["traceEvents"]
    check(events)
    bars = {event["name"] for event in events if event["ph"] == "X"}
    assert {"vad 0", "asr 0 r0", "vad 1", "asr 1", "mt 1"} <= bars
    assert any(bar.startswith("mt 0 r") for bar in bars)  # an early one may be replaced before its turn
    arrows = [event["ph"] for event in events if event["ph"] in "sf"]
    assert arrows.count("s") == arrows.count("f") > 2
