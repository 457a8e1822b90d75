"""The pictures of the trials: what a run held over time."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decalage.app.bench.plot import check_picture
from decalage.sinks.output import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, PANEL, DPI = 8.0, 1.35, 150
"""Inches, inches, dots an inch."""
LINES: Sequence[tuple[str, Any]] = (
    ("#0072b2", "solid"),
    ("#d55e00", (0, (5, 1.5))),
    ("#009e73", (0, (1.5, 1))),
    ("#cc79a7", (0, (6, 1, 1, 1))),
    ("#000000", (0, (2, 2))),
)
"""Okabe and Ito's palette, and a dash of its own for each line: told apart without colours too."""
HELD: Mapping[str, str] = {
    "memory_mb": "memory, MB",
    "threads": "threads",
    "handles": "open handles",
}


@contextmanager
def drawn(path: Path, panels: int, high: float = PANEL) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure of ``panels`` below each other, the same seconds in all; written as PNG or SVG at the end.

    Raises what ``check_picture`` raises.
    """
    check_picture(path)
    from matplotlib import rc_context  # noqa: PLC0415 - an extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "decalage", "font.size": 9, "axes.linewidth": 0.6}
    ):
        size = (WIDTH, panels * high + 0.8)
        figure = Figure(figsize=size, dpi=DPI, facecolor="white", layout="constrained")
        axes = list(figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0])
        for each in axes:
            each.spines[["top", "right"]].set_visible(False)
            each.grid(axis="y", color="#e5e5e5", linewidth=0.6)
            each.set_axisbelow(True)
        yield figure, axes
        written, form = io.BytesIO(), path.suffix.lower().lstrip(".")
        figure.savefig(written, format=form, metadata={"Date": None} if form == "svg" else None)
    write_whole(str(path), written.getvalue())


def draw_held(runs: Mapping[str, Sequence[Mapping[str, float]]], path: Path, *, along: str) -> None:
    """What each run held: ``runs`` is name → looks, each with ``x`` and the fields of ``HELD``."""
    with drawn(path, len(HELD)) as (figure, axes):
        for panel, (name, title) in zip(axes, HELD.items(), strict=True):
            panel.set_title(title, loc="left", fontsize=9, fontweight="bold")
            for (colour, dash), (label, looks) in zip(_lines(len(runs)), runs.items(), strict=True):
                x, y = [look["x"] for look in looks], [look[name] for look in looks]
                panel.plot(x, y, color=colour, linestyle=dash, linewidth=1.3, label=label)
            panel.set_ylim(bottom=0)
            panel.margins(x=0.01)
        axes[-1].set_xlabel(along)
        if len(runs) > 1:
            lines, labels = axes[0].get_legend_handles_labels()
            figure.legend(lines, labels, loc="outside upper right", ncols=len(labels), frameon=False)


def _lines(count: int) -> list[tuple[str, Any]]:
    return [LINES[number % len(LINES)] for number in range(count)]
