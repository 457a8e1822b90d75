"""Cells and results made up for the tests of the benchmark."""

from __future__ import annotations

from typing import Any

from decalage.app.bench.plan import Audio, Cell, Choice, Row, make_cells, make_rows
from decalage.app.settings import Settings
from decalage.config import Pace

AUDIO = Audio("/speech/talk.wav", "0" * 64, 60.0, None)
ROWS = make_rows(Choice(runtimes=("sequential", "pipeline"), workers=(2,), threads=(1,)))
PACES: tuple[Pace, ...] = ("realtime", "max")


def cells(repeats: int = 2, rows: list[Row] | None = None) -> list[Cell]:
    """A plan of both paces; live cells once."""
    return make_cells(rows or ROWS, [AUDIO], PACES, {"realtime": 1, "max": repeats})


def row(group: Any, runtime: Any, workers: int = 2) -> Row:
    return Row(group, Settings(runtime=runtime, workers=workers, threads=1))


def result(pace: str = "max", speed: float = 0.5, **changed: Any) -> dict[str, Any]:
    """What a cell answers; ``speed`` is its RTF, its lag and its latency."""
    live = pace == "realtime"
    spread = {"mean": speed, "p50": speed, "p95": 2 * speed, "max": 3 * speed} if live else None
    summary = {
        "utterances": 30,
        "failures": 0,
        "audio_s": 60.0,
        "wall_s": 60.0 * (1 if live else speed),
        "rtf": None if live else speed,
        "load": speed,
        "latency": spread,
        "lag": spread,
        "cpu_percent": 50.0,
        "memory_mb": 400.0,
        "cold_start_s": 2.0,
    }
    return {
        "error": None,
        "summary": summary,
        "captions": [{"index": 0, "start": 0.0, "end": 1.0, "text": {"en": "Hello.", "pt": "Olá."}}],
        "issued": 1,
        "order_violations": 0,
        "lost": 0,
        "realtime": True if live else None,
        "ipc_ms": 0.0,
        "moving_parts": {"threads": 3, "processes": 1, "queues": 2},
        "lines": 50,
        "others_percent": 0.0,
        **changed,
    }


def answer(cell: Cell) -> dict[str, Any]:
    """A launcher that takes no time: RTF 0.8 in group a, 0.4 elsewhere."""
    return result(cell.pace, 0.8 if cell.row.group == "a" else 0.4)
