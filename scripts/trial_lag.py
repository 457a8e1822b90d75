"""The picture of ``scripts.slow``: how late each caption came, and what was given up for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.trial_picture import drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HIGH = 2.9
_STEPS = ("partials", "speculation", "beam", "model")
_BANDS: Mapping[str, tuple[str, str]] = {
    "partials": ("#cfe3f1", ""),
    "speculation": ("#f7d9b5", "///"),
    "beam": ("#d4ecd9", "..."),
    "model": ("#ecd5e4", "xx"),
}
"""Step → colour and hatching, so that they are told apart without colours too."""
_LINES: Mapping[str, tuple[str, str, Any]] = {
    "waiting": ("sound that waits to be cut", "#d55e00", (0, (5, 1.5))),
    "spilled": ("of it on the disk", "#e69f00", (0, (1, 1))),
    "behind": ("behind", "#000000", "solid"),
}
_BAND = 0.07
"""Of a panel's height."""
_GAP_HIGH = 0.04


def draw_lags(runs: Sequence[Mapping[str, Any]], path: Path, *, rtf: float, max_lag_s: float) -> None:
    """``runs``: the undisturbed one, then one for each panel, as ``trial_slow.as_body`` gives them."""
    undisturbed, disturbed = runs[0], runs[1:]
    with drawn(path, len(disturbed), _HIGH) as (figure, axes):
        for panel, run in zip(axes, disturbed, strict=True):
            _panel(panel, run, undisturbed)
            panel.set_title(_title(run, max_lag_s), loc="left", fontsize=9, fontweight="bold")
            panel.axvline(run["slow_s"], color="#555555", linewidth=0.8, linestyle=(0, (4, 2)))
        axes[0].annotate(
            f"up to here the recognizer\ntakes {rtf:g} s for a second",
            (disturbed[0]["slow_s"], 0.55),
            xytext=(14, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            fontsize=8,
            color="#333333",
        )
        axes[-1].set_xlabel("seconds since the speaker began")
        lines, labels = axes[0].get_legend_handles_labels()
        figure.legend(lines, labels, loc="outside upper right", ncols=3, frameon=False, fontsize=8)


def _title(run: Mapping[str, Any], max_lag_s: float) -> str:
    bound = f" --max-lag {max_lag_s:g}" if run["mode"] == "drop-oldest" else ""
    return f"--overload {run['mode']}{bound}"


def _panel(panel: Axes, run: Mapping[str, Any], undisturbed: Mapping[str, Any]) -> None:
    """Points for captions, lines for what waits, bands for what is given up, bars for what is dropped."""
    states = run["states"]
    times = [each["time"] for each in states]
    captions = run["captions"]
    highest = max([each["behind"] for each in states] + [each["lag"] for each in captions])
    highest = max([highest, *(each["waiting"] for each in states)])
    panel.set_ylim(-0.08 * highest, 1.28 * highest)
    panel.set_xlim(0, max(times))
    panel.set_ylabel("seconds")
    for name, (label, colour, dash) in _LINES.items():
        values = [each[name] for each in states]
        panel.plot(times, values, color=colour, linewidth=1.2, linestyle=dash, label=label)
    usual = undisturbed["captions"]
    panel.plot(*_lags(usual), ".", color="#999999", markersize=4, label="lag of a caption, undisturbed")
    style: dict[str, Any] = {"color": "#0072b2", "markersize": 4, "markerfacecolor": "white"}
    panel.plot(*_lags(captions), "o", **style, markeredgewidth=1.1, label="lag of a caption")
    _bands(panel, run, max(times))
    _gaps(panel, run["gaps"])


def _lags(captions: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    """When each caption came, and how late."""
    return [each["emitted"] for each in captions], [each["lag"] for each in captions]


def _bands(panel: Axes, run: Mapping[str, Any], end: float) -> None:
    """A row under the title for each step that was ever given up."""
    shed = [step for step in _STEPS if any(step in each["shedding"] for each in run["changes"])]
    transform = panel.get_xaxis_transform()
    for row, step in enumerate(shed):
        colour, hatch = _BANDS[step]
        bottom = 1 - (row + 1) * _BAND
        shown = list(spans(run["changes"], step, end))
        panel.broken_barh(
            [(begin, until - begin) for begin, until in shown],
            (bottom + 0.005, _BAND - 0.01),
            transform=transform,
            facecolors=colour,
            edgecolors="#8a8a8a",
            linewidth=0.3,
            hatch=hatch,
        )
        panel.text(
            shown[0][0], bottom + _BAND / 2, f" no {step}", transform=transform, fontsize=7, va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
        )  # fmt: skip


def spans(changes: Sequence[Mapping[str, Any]], step: str, end: float) -> Iterator[tuple[float, float]]:
    """From when to when ``step`` was given up."""
    since: float | None = None
    for each in changes:
        given_up = step in each["shedding"]
        if given_up and since is None:
            since = each["time"]
        elif not given_up and since is not None:
            yield since, each["time"]
            since = None
    if since is not None:
        yield since, end


def _gaps(panel: Axes, gaps: Sequence[Mapping[str, Any]]) -> None:
    """Bars along the bottom: the sound itself, where it was spoken."""
    bars = [(each["start"], each["end"] - each["start"]) for each in gaps]
    panel.broken_barh(
        bars,
        (0.0, _GAP_HIGH),
        transform=panel.get_xaxis_transform(),
        facecolors="#000000",
        label="dropped, told as gaps",
    )
