"""The picture of a benchmark: who worked when in each runtime, above what it came to in numbers.

::

    runtime a   speech  ███ 3 ███   ██ 4 ██        one panel a runtime, the same seconds in all,
                vad     ''''''''''''''''''''       one lane for each stage of each thread
                asr            █3█      █4█
    runtime b   …
    row names   lag ▇▇▇─   latency ▇▇◇   RTF ▇   memory ▇▇▇
"""

from __future__ import annotations

import importlib.util
import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decalage.app.bench.timeline import STAGES, WINDOW_S, Bar, Json, Panel, busiest, panels_of
from decalage.errors import MissingPartError, UsageError
from decalage.sinks.output import check_writable, write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "speech": "#bbbbbb",
    "vad": "#009e73",
    "asr": "#0072b2",
    "mt": "#d55e00",
    "bar": "#0072b2",
    "pale": "#a9cde4",
    "paper": "#000000",
}
"""Okabe and Ito's palette: told apart by colour-blind eyes too."""
PAPER = "paper's estimate"
NOTHING = "–"

GROUPS = {
    "a": "a: sequential as in the paper",
    "b": "b: each runtime with the paper's recognizer settings",
    "c": "c: each runtime with today's defaults",
}

WIDTH = 12.0
LEFT = 2.05
RIGHT = 0.25
LANE = 0.22
ROW = 0.27
HEADING = 0.34
GAP = 0.45
"""Inches, as those above."""
DPI = 150


@dataclass(frozen=True, slots=True)
class _Chart:
    """Bars of one measure across the rows; ``tail`` is a second measure drawn paler behind the first."""

    title: str
    key: str
    digits: int
    tail: str | None = None


CHARTS = (
    _Chart("lag p50, p95 paler (s)", "lag_p50", 2, "lag_p95"),
    _Chart("latency, mean (s)", "latency_mean", 2),
    _Chart("RTF at full speed", "rtf", 3),
    _Chart("memory (MB)", "memory_mb", 0),
)


def check_picture(path: Path) -> None:
    """Refuse what ``draw`` could not do, before anything is measured.

    Raises ``UsageError``, ``OutputError``, ``MissingPartError``.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"no picture format for {path}; .png and .svg can be drawn")
    check_writable(str(path), whole=True)
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingPartError("pictures need matplotlib; run: pip install '.[plot]' in the clone")


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw ``report`` (what ``decalage bench`` writes as JSON) as PNG or SVG by extension.

    A value that was not measured leaves a dash. Raises what ``check_picture`` raises.
    """
    check_picture(path)
    from matplotlib import rc_context  # noqa: PLC0415 - an extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    rows = report.get("rows") or []
    panels = panels_of(rows)
    start = busiest(panels)
    panels = [panel.within(start) for panel in panels]
    timeline = sum(HEADING + _high(panel) for panel in panels) + 0.6
    charts = HEADING + ROW * max(1, len(rows)) + 0.65
    height = timeline + charts
    with rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "decalage", "font.size": 9, "axes.linewidth": 0.6}
    ):
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
        _draw_timelines(figure, panels, start)
        _draw_charts(figure, rows, _estimates(report), charts)
        drawn = io.BytesIO()
        form = path.suffix.lower().lstrip(".")
        figure.savefig(drawn, format=form, metadata={"Date": None} if form == "svg" else None)
    write_whole(str(path), drawn.getvalue())


def _high(panel: Panel) -> float:
    """Inches."""
    return LANE * max(1, len(panel.lanes))


def _axes(figure: Figure, box: Sequence[float], height: float) -> Axes:
    """Axes at ``box``: left, bottom, width, height in inches; without frame and ticks."""
    left, bottom, wide, high = box
    axes = figure.add_axes((left / WIDTH, bottom / height, wide / WIDTH, high / height))
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return axes


def _draw_timelines(figure: Figure, panels: Sequence[Panel], start: float) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415
    from matplotlib.ticker import MultipleLocator  # noqa: PLC0415

    height = figure.get_size_inches()[1]
    top = height - 0.35
    shown = {stage for panel in panels for _, stage, _ in panel.lanes}
    handles = [Patch(color=COLOURS[name], label=name) for name in ("speech", *STAGES) if name in shown]
    if handles:
        place = ((WIDTH - RIGHT) / WIDTH, (height - 0.06) / height)
        figure.legend(handles=handles, loc="upper right", bbox_to_anchor=place, ncols=4, frameon=False)
    for count, panel in enumerate(panels, 1):
        is_last = count == len(panels)
        top -= _high(panel)
        axes = _axes(figure, (LEFT, top, WIDTH - LEFT - RIGHT, _high(panel)), height)
        top -= HEADING
        axes.set_title(panel.title, loc="left", fontweight="bold", fontsize=10, pad=4)
        axes.set_xlim(start, start + WINDOW_S)
        axes.set_ylim(max(1, len(panel.lanes)) - 0.5, -0.5)
        axes.set_yticks(range(len(panel.lanes)), [_short(label) for label, _, _ in panel.lanes])
        axes.xaxis.set_major_locator(MultipleLocator(2))
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(axis="x", length=3 if is_last else 0, labelbottom=is_last)
        if is_last:
            axes.set_xlabel("seconds since the stream began")
        for number, (_, stage, bars) in enumerate(panel.lanes):
            _draw_bars(axes, number, stage, bars)


def _draw_bars(axes: Axes, lane: int, stage: str, bars: Sequence[Bar]) -> None:
    """Each with its number where there is room; a line around keeps a short one visible."""
    colour = COLOURS[stage]
    spans = [(bar.start, bar.end - bar.start) for bar in bars]
    half = 0.2 if stage == "vad" else 0.38  # ten short calls a second must not outshine the rest
    edge, line = ("white", 1.5) if stage == "speech" else (colour, 0.5)  # utterances may touch
    axes.broken_barh(spans, (lane - half, 2 * half), facecolors=colour, edgecolors=edge, linewidth=line)
    inch_per_s = (WIDTH - LEFT - RIGHT) / WINDOW_S
    for bar in bars:
        if stage != "vad" and (bar.end - bar.start) * inch_per_s > 0.09 * len(str(bar.index)) + 0.05:
            ink = "black" if stage == "speech" else "white"
            middle = (bar.start + bar.end) / 2
            axes.text(
                middle,
                lane + 0.03,
                str(bar.index),
                color=ink,
                fontsize=8,
                ha="center",
                va="center",
                clip_on=True,
            )


def _estimates(report: Json) -> dict[str, float]:
    """The paper's mean latency by runtime, seconds."""
    told = (report.get("paper") or {}).get("rows") or []
    return {row["runtime"]: row["latency_mean"] for row in told if row.get("latency_mean") is not None}


def _labels(rows: Sequence[Json]) -> list[str]:
    """The rows' names, and of which sound where there are several."""
    several = len({row.get("audio") for row in rows}) > 1
    return [
        _short(f"{row['name']} {Path(row.get('audio') or '').stem}" if several else row["name"])
        for row in rows
    ]


def _draw_charts(figure: Figure, rows: Sequence[Json], estimates: Mapping[str, float], height: float) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    total = figure.get_size_inches()[1]
    wide = (WIDTH - LEFT - RIGHT - GAP * (len(CHARTS) - 1)) / len(CHARTS)
    high = ROW * max(1, len(rows))
    bottom = height - HEADING - high
    for number, chart in enumerate(CHARTS):
        axes = _axes(figure, (LEFT + number * (wide + GAP), bottom, wide, high), total)
        axes.set_title(chart.title, loc="left", fontweight="bold", fontsize=10, pad=4)
        axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), _labels(rows) if number == 0 else [""] * len(rows))
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        for border, (before, after) in enumerate(itertools.pairwise(rows), 1):
            if before.get("group") != after.get("group"):
                axes.axhline(border - 0.5, color="#999999", linewidth=0.6, linestyle=(0, (2, 2)))
        marked = estimates if chart.key == "latency_mean" else {}
        _draw_chart(axes, chart, rows, marked)
    groups = [told for group, told in GROUPS.items() if any(row.get("group") == group for row in rows)]
    figure.text(0.1 / WIDTH, 0.1 / total, "     ".join(groups), color="#444444")
    if estimates:
        hollow = Line2D([], [], label=PAPER, **_hollow())
        place = ((WIDTH - RIGHT) / WIDTH, 0.02 / total)
        figure.legend(handles=[hollow], loc="lower right", bbox_to_anchor=place, frameon=False)


def _draw_chart(axes: Axes, chart: _Chart, rows: Sequence[Json], estimates: Mapping[str, float]) -> None:
    """Bars from the top down with their numbers right of them, or in them if the paper's mark is there."""
    read = [_read(chart, row, estimates) for row in rows]
    limit = max((max(end, estimate) for _, end, estimate in read), default=0.0) * 1.35
    for place, (told, end, estimate) in enumerate(read):
        measured = rows[place].get("median") or {}
        if chart.tail is not None:
            axes.barh(place, measured.get(chart.tail) or 0.0, height=0.62, color=COLOURS["pale"])
        axes.barh(place, measured.get(chart.key) or 0.0, height=0.62, color=COLOURS["bar"])
        if estimate:
            axes.plot([estimate], [place], **_hollow())
        struck = end - 0.03 * limit < estimate < end + 0.3 * limit
        inside = struck and end > 0.22 * limit
        axes.annotate(
            told,
            (max(estimate, end) if struck and not inside else end, place),
            xytext=(-8 if inside else 8 if struck else 4, 0),
            textcoords="offset points",
            ha="right" if inside else "left",
            va="center",
            color="white" if inside else "black",
            fontsize=8.5,
        )
    axes.set_xlim(0, limit or 1.0)
    if not limit:
        axes.set_xticks([])


def _read(chart: _Chart, row: Json, estimates: Mapping[str, float]) -> tuple[str, float, float]:
    """The numbers as text, where the bar ends, and the paper's estimate or 0.

    That is for the paper's recognizer settings, so it stands by no row of group c.
    """
    measured = row.get("median") or {}
    values = [measured.get(key) for key in (chart.key, chart.tail) if key is not None]
    told = [NOTHING if value is None else f"{value:.{chart.digits}f}" for value in values]
    nothing = all(value is None for value in values)
    estimate = estimates.get(row["runtime"], 0.0) if row.get("group") != "c" else 0.0
    return NOTHING if nothing else ", ".join(told), max(value or 0.0 for value in values), estimate


def _hollow() -> dict[str, Any]:
    """How the paper's numbers are drawn: theirs, not measured here."""
    return {
        "color": COLOURS["paper"],
        "marker": "D",
        "markersize": 5,
        "markerfacecolor": "white",
        "linestyle": "none",
    }


def _short(label: str) -> str:
    """What fits left of the axes."""
    return label if len(label) <= 28 else label[:27] + "…"
