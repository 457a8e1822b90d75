"""The rows of what ``scripts.soak`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COUNTED = ("threads", "handles", "children", "shared")
"""What a run holds beside memory."""
FAKES = ["runtime", "hours", "times real", "streams", "captions", "failed", "rejected", "gaps", "partials",
          "dropped s", "MB", "MB an hour of sound", "MB an hour of wall", "threads", "handles", "children",
          "shared blocks", "left", "wrong"]  # fmt: skip


def fakes_line(run: Mapping[str, Any]) -> list[object]:
    """A row of the first table."""
    counts, figures = run["counts"], run["held"]
    kinds = ("streams", "caption", "failure", "rejected", "gap", "partial")
    return [
        run["runtime"],
        f"{run['audio_h']:.1f}",
        f"{3600 * run['audio_h'] / run['wall_s']:.0f}",
        *(counts.get(kind, 0) for kind in kinds),
        f"{run['seconds'].get('gap', 0.0):.0f}",
        *_memory(figures),
        *(_span(figures, name) for name in COUNTED),
        len(run["left"]),
        counts.get("wrong", 0),
    ]


def _memory(figures: Mapping[str, float]) -> list[str]:
    return [
        f"{figures['memory_mb']:.0f} → {figures['memory_end_mb']:.0f}",
        f"{figures['memory_per_audio_h']:+.2f}",
        f"{figures['memory_per_wall_h']:+.0f}",
    ]


def _span(figures: Mapping[str, float], name: str) -> str:
    least, most = figures[f"{name}_least"], figures[f"{name}_most"]
    return f"{least:.0f}" if least == most else f"{least:.0f}–{most:.0f}"


GUESTS = ["guests", "minutes", "MB", "MB for 1 000 guests", "threads", "threads before → after",
          "handles for 1 000 guests", "handles before → after", "sessions left", "tasks left",
          "wrong"]  # fmt: skip


def guests_line(run: Mapping[str, Any]) -> list[object]:
    """The row of the second table."""
    figures = run["held"]
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(run["guests"].items()))
    return [
        told,
        f"{run['wall_s'] / 60:.1f}",
        f"{figures['memory_mb']:.0f} → {figures['memory_end_mb']:.0f}",
        f"{figures['memory_mb_per_1000']:+.1f}",
        _span(figures, "threads"),
        f"{run['before']['threads']} → {run['after']['threads']}",
        f"{figures['handles_per_1000']:+.1f}",
        f"{run['before']['handles']} → {run['after']['handles']}",
        run["left"]["sessions"],
        run["left"]["tasks"],
        len(run["wrong"]),
    ]


HOUR = ["minutes of speech", "times real", "recordings", "captions", "failed", "rejected", "partials",
              "MB", "MB an hour of sound", "MB an hour of wall", "threads", "handles", "left",
              "wrong"]  # fmt: skip
TENTH = ["up to minute", "words", "WER %", "WER % of the same recordings, all hour", "captions",
               "partials", "lag p50 s", "p95"]  # fmt: skip


def hour_line(run: Mapping[str, Any]) -> list[object]:
    """The row of the real hour."""
    counts, figures = run["counts"], run["held"]
    return [
        f"{run['audio_s'] / 60:.1f}",
        f"{run['audio_s'] / run['wall_s']:.1f}",
        run["recordings"],
        *(counts.get(kind, 0) for kind in ("caption", "failure", "rejected", "partial")),
        *_memory(figures),
        _span(figures, "threads"),
        _span(figures, "handles"),
        len(run["left"]),
        len(run["wrong"]),
    ]


def tenth_line(each: Mapping[str, Any]) -> list[object]:
    """A row of the hour's tenths."""
    lags = [each["lag_p50"], each["lag_p95"]]
    figures = (f"{each['until_s'] / 60:.0f}", each["words"], each["wer"], each["usual_wer"], each["captions"])
    return [*figures, each["partials"], *("–" if lag is None else lag for lag in lags)]
