"""Rows, events and results made up for the tests of the evaluation."""

from __future__ import annotations

from typing import Any

from decalage.app.evaluate.figures import Figures, figures
from decalage.app.evaluate.manifest import Recording
from decalage.app.evaluate.report import Circumstances
from decalage.app.settings import Settings

LIVE = Settings(pace="realtime")


def partial(index: int, at: float, text: str, **changed: Any) -> dict[str, Any]:
    """Words in Portuguese, shown 0.3 s after the sound they are of."""
    return {
        "type": "partial",
        "index": index,
        "revision": 0,
        "start": 2.0 * index,
        "end": at - 0.3,
        "source": "en",
        "text": {"en": "…", "pt": text},
        "stable": {},
        "at": at,
        **changed,
    }


def caption(index: int, emitted: float, text: str, heard: str = "", **changed: Any) -> dict[str, Any]:
    """Settled at ``emitted``, decided 0.1 s before and spoken 0.6 s before."""
    return {
        "type": "caption",
        "index": index,
        "start": 2.0 * index,
        "end": 2.0 * index + 1.5,
        "source": "en",
        "text": {"en": heard or text, "pt": text},
        "timing": {"endpoint": emitted - 0.1, "emitted": emitted},
        "latency": 0.1,
        "lag": 0.6,
        "at": emitted + 0.01,
        **changed,
    }


def rejected(index: int, at: float) -> dict[str, Any]:
    """Speech-like sound that was none."""
    return {"type": "rejected", "index": index, "start": 2.0 * index, "end": 2.0 * index + 1, "at": at}


def result(*events: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """What a cell answers: 10 s of sound and 2 s of silence after it."""
    captions = sum(event["type"] == "caption" for event in events)
    summary = {
        "captions": captions,
        "failures": 0,
        "rejected": 0,
        "gaps": 0,
        "dropped_s": 0.0,
        "audio_s": 12.0,
        "wall_s": 12.5,
        "rtf": None,
        "load": 0.5,
        "cpu_percent": 20.0,
        "memory_mb": 300.0,
        "cold_start_s": 2.0,
        **changed.pop("summary", {}),
    }
    return {
        "error": None,
        "summary": summary,
        "events": list(events),
        "tail_s": 2.0,
        "order_violations": 0,
        "lost": 0,
        "onset": 0.2,
        "voiced": [[0.5, 1.4], [2.1, 3.0]],
        "others_percent": 0.0,
        **changed,
    }


def recording(name: str = "a", **changed: Any) -> Recording:
    given: dict[str, Any] = {
        "path": f"{name}.wav",
        "language": "en",
        "kind": "read speech, audiobook",
        "transcript": "Cats, dogs, birds and fish.",
        "translation": "Gatos, cães, aves e peixes.",
        "translation_language": "pt-BR",
    }
    return Recording(id=name, place=f"manifest.jsonl, line {ord(name[0]) - 96}", **{**given, **changed})


def figure(name: str = "a", *events: dict[str, Any], lag: float = 0.6, **changed: Any) -> Figures:
    """The figures of a recording that said five words in two captions, unless told otherwise."""
    said = events or (
        caption(0, 2.0, "Gatos, cães,", "Cats, dogs,", lag=lag),
        caption(1, 4.0, "aves e peixes.", "birds and fish.", lag=lag),
    )
    return figures(recording(name, **changed), result(*said), LIVE)


CIRCUMSTANCES = Circumstances(
    command="decalage evaluate manifest.jsonl",
    machine={"cpu": "abacus", "cores": 2, "system": "wood"},
    manifest="manifest.jsonl",
    settings=LIVE,
    tail_s=2.0,
    split="all",
    left_out={"not in en": 3},
)
