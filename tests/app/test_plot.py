"""The benchmark's picture: a valid file with the words and numbers a reader needs, holes and all."""

from __future__ import annotations

import struct
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from decalage.app.bench import paper
from decalage.app.bench.plot import DPI, WIDTH, check_picture, draw
from decalage.app.bench.timeline import panels_of
from decalage.errors import MissingPartError, OutputError, UsageError
from decalage.events import StageName
from decalage.flow.trace import Depth, Span

ORIGIN = 5000.0
"""Of the runtime's clock: nothing in a picture may depend on it."""

SPEECH = [(1.2 + 2.6 * i, 3.1 + 2.6 * i) for i in range(14)]

RUNTIMES: dict[str, tuple[dict[str, tuple[str, ...]], float, int]] = {
    "sequential": ({"vad": ("worker-0",), "asr": ("worker-0",), "mt": ("worker-0",)}, 1.4, 1),
    "pipeline": ({"vad": ("vad-0",), "asr": ("asr-0", "asr-1"), "mt": ("mt-0",)}, 0.55, 1),
    "pool": ({"vad": ("vad-0",), "asr": ("asr-0", "asr-1"), "mt": ("mt-0",)}, 0.6, 1),
    "processes": ({"vad": ("vad-0",), "asr": ("asr-0", "asr-1"), "mt": ("mt-0",)}, 0.7, 4),
    "asyncio": ({"vad": ("stages_0",), "asr": ("stages_0", "stages_1"), "mt": ("stages_1",)}, 0.6, 1),
}


def recorded(runtime: str) -> dict[str, Any]:
    """What a cell's trace holds after speech of 2 s, once every 2.6 s."""
    threads, asr_s, processes = RUNTIMES[runtime]
    spans: list[Span] = []

    def add(stage: StageName, index: int, start: float, length: float) -> float:
        names = threads[stage]
        lane = index % len(names)
        process = 1 if processes == 1 else {"vad": 2, "asr": 3 + lane, "mt": 5}.get(stage, 1)
        spans.append(Span(stage, "main", index, start, start + length, process, names[lane], lane))
        return start + length

    for tick in range(370):
        add("vad", 0, ORIGIN + 0.1 * tick, 0.0012)
    free = 0.0
    for index, (_, end) in enumerate(SPEECH):
        start = max(ORIGIN + end + 0.4, free)
        free = add("mt", index, add("asr", index, start, asr_s) + 0.01, 0.015)
    depths = [Depth(ORIGIN, "inbox, s", 0.1)]
    spans.append(Span("capture", "main", 0, ORIGIN, ORIGIN + 37.5, 1, "capture", 0))
    return {"spans": [asdict(span) for span in spans], "depths": [asdict(d) for d in depths], "marks": []}


def row(name: str, runtime: str, group: str, lag: float | None, **more: Any) -> dict[str, Any]:
    captions = [{"index": i, "start": start, "end": end} for i, (start, end) in enumerate(SPEECH)]
    values = {
        "lag_p50": lag,
        "lag_p95": None if lag is None else lag * 1.4,
        "latency_mean": None if lag is None else lag - 0.4,
        "latency_max": None,
        "rtf": None if lag is None else lag / 20,
        "memory_mb": 420.0,
    }
    whole: dict[str, Any] = {
        "name": name,
        "runtime": runtime,
        "workers": 1 if runtime == "sequential" else 2,
        "threads": 1,
        "settings": {},
        "group": group,
        "cells": [{"pace": "realtime", "trace": recorded(runtime), "summary": {}, "captions": captions}],
        "median": values,
        "spread": {},
        "ratio": {},
    }
    return {**whole, **more}


def synthetic() -> dict[str, Any]:
    return {
        "version": 1,
        "machine": {},
        "command": "decalage bench",
        "audio": "talk.flac",
        "rows": [
            row("a sequential 1×2", "sequential", "a", 2.1),
            *(row(f"b {name} 2×1", name, "b", 1.9 if name == "sequential" else 0.95) for name in RUNTIMES),
            *(row(f"c {name} 2×1", name, "c", 0.7) for name in ("sequential", "pipeline")),
            row("c pool 4×1, not measured", "pool", "c", None, cells=[]),
        ],
        "paper": paper.as_data(),
    }


def texts(path: Path) -> str:
    tree = ElementTree.parse(path)  # noqa: S314 - our own file
    found = [element for element in tree.iter() if element.tag.endswith("}text")]
    return "\n".join("".join(element.itertext()) for element in found)


def test_a_png_is_one(tmp_path: Path) -> None:
    path = tmp_path / "bench.png"
    draw(synthetic(), path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert width == WIDTH * DPI
    assert height > width / 3
    assert len(content) > 20_000


def test_an_svg_holds_its_words_as_text(tmp_path: Path) -> None:
    path = tmp_path / "bench.svg"
    draw(synthetic(), path)
    shown = texts(path)
    for word in (*RUNTIMES, "paper's estimate", "speech", "vad", "asr", "mt", "RTF", "memory", "lag", "–"):
        assert word in shown
    assert shown.index("sequential") < shown.index("pipeline")


def test_the_same_report_gives_the_same_svg(tmp_path: Path) -> None:
    first, second = tmp_path / "1.svg", tmp_path / "2.svg"
    draw(synthetic(), first)
    draw(synthetic(), second)
    assert first.read_bytes() == second.read_bytes()


def test_rows_of_several_sounds_name_theirs(tmp_path: Path) -> None:
    rows = [row("b pool 2×1", "pool", "b", 1.0, audio=f"samples/{name}.flac") for name in ("talk", "speech")]
    draw({"rows": rows}, tmp_path / "bench.svg")
    assert "b pool 2×1 talk" in texts(tmp_path / "bench.svg")


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"rows": []},
        {"rows": [row("one", "pipeline", "c", None, median={}, cells=[])]},
        {"rows": [row("one", "pipeline", "b", None, median=None, cells=None)], "paper": None},
        {"rows": [row("one", "pool", "b", 1.0, cells=[{"pace": "max", "trace": None}])], "paper": {}},
        {"rows": [row("one", "pool", "b", 1.0, cells=[{"pace": "max", "trace": recorded("pool")}])]},
    ],
)
def test_what_was_not_measured_is_a_hole(tmp_path: Path, report: dict[str, Any]) -> None:
    draw(report, tmp_path / "bench.svg")
    texts(tmp_path / "bench.svg")


def test_speech_and_work_share_a_clock() -> None:
    whole = row("x", "pipeline", "b", 1.0)
    lanes = {label: bars for label, _, bars in panels_of([whole])[0].lanes}
    assert lanes["asr-0"][0].start == pytest.approx(SPEECH[0][1] + 0.4)
    (cell,) = whole["cells"]
    sketches = [span for span in cell["trace"]["spans"] if span["stage"] == "asr"]
    cell["trace"]["spans"] += [{**s, "start": s["start"] - 0.1 * n - 0.5} for n, s in enumerate(sketches)]
    for caption in cell["captions"]:
        caption["asr_start"] = caption["end"] + 0.7
    lanes = {label: bars for label, _, bars in panels_of([whole])[0].lanes}
    assert SPEECH[0][1] + 0.7 in [pytest.approx(bar.start) for bar in lanes["asr-0"]]


def test_a_lane_idle_in_the_window_is_not_drawn() -> None:
    (panel,) = panels_of([row("x", "pipeline", "b", 1.0)])
    assert [label for label, _, _ in panel.lanes] == ["speech", "vad-0", "asr-0", "asr-1", "mt-0"]
    seen = panel.within(SPEECH[-1][1])
    assert [label for label, _, _ in seen.lanes] == ["vad-0", "asr-1", "mt-0"]
    assert panel.within(1000.0).lanes == []


def test_other_formats_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.png and \.svg"):
        draw(synthetic(), tmp_path / "bench.pdf")
    with pytest.raises(OutputError, match="the folder does not exist"):
        check_picture(tmp_path / "gone" / "bench.png")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_command_that_installs_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPartError, match=r"'\.\[plot\]' in the clone"):
        check_picture(tmp_path / "bench.png")
