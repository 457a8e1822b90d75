"""The report of an evaluation, version 1: what ``decalage evaluate --json`` writes.

::

    version, command, machine {…}, measured_at, manifest, settings {…}, tail_s, split, left_out {reason: rows}
    signatures {bleu, chrf}, omnisteval (why its columns are missing, or null)
    sets        [{name, column: value or null}]       overall {the same} or null
    recordings  [{id, set, path, held_out, error, transcript, heard, translation, translated, …}]

Columns: ``wer`` per cent with ``wer_interval`` (95 %, bootstrap over recordings), ``bleu`` and
``chrf`` 0 to 100; ``lag``, ``latency``, ``first_caption`` (of each recording) and ``first_words`` (of
each utterance) as mean, p50, p95 and max in seconds; ``long_yaal``, ``long_laal`` and the same with
``_ca`` in seconds; ``erasure`` words taken back per word of the result; ``coverage`` share of speech
captioned; ``utterance_s``, ``load``, ``cpu_percent``, ``memory_mb`` as in a run's summary.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from decalage.app.evaluate import longform
from decalage.app.evaluate.figures import Figures, heard_of
from decalage.app.evaluate.totals import OVERALL, totals
from decalage.app.evaluate.translations import METRICS
from decalage.app.settings import Settings
from decalage.app.texts import read_utf8
from decalage.errors import InputError

VERSION = 1

Report: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """All that a report says beside the figures."""

    command: str
    machine: Mapping[str, Any]
    manifest: str
    settings: Settings
    tail_s: float
    split: str
    left_out: Mapping[str, int]

    def as_data(self) -> dict[str, Any]:
        """Ready for JSON."""
        settings = asdict(replace(self.settings, offline=False))
        return {
            "command": self.command,
            "machine": dict(self.machine),
            "manifest": self.manifest,
            "settings": {name: value for name, value in settings.items() if value is not None},
            "tail_s": self.tail_s,
            "split": self.split,
            "left_out": dict(self.left_out),
        }


def groups_of(figures: Sequence[Figures]) -> dict[str, list[str]]:
    """Row → the sets in it: each set by itself, then all with speech in them, if there are several."""
    names = list(dict.fromkeys(figure["set"] for figure in figures))
    spoken = list(dict.fromkeys(figure["set"] for figure in figures if heard_of(figure)))
    return {name: [name] for name in names} | ({OVERALL: spoken} if len(spoken) > 1 else {})


def make_report(
    figures: Sequence[Figures],
    circumstances: Circumstances,
    delays: Mapping[str, Mapping[str, float]],
    lack: str | None = None,
) -> Report:
    """The whole report; see the module. ``delays`` are OmniSTEval's by row, ``lack`` why there are none."""
    rows = [
        {
            "name": name,
            **totals([figure for figure in figures if figure["set"] in members]),
            **dict.fromkeys(longform.SCORES),
            **delays.get(name, {}),
        }
        for name, members in groups_of(figures).items()
    ]
    times = [figure["measured_at"] for figure in figures if figure["measured_at"]]
    return {
        "version": VERSION,
        **circumstances.as_data(),
        "measured_at": max(times, default=None),
        "signatures": {name: _signature(rows, name) for name in METRICS},
        "omnisteval": lack,
        "sets": [_unsigned(row) for row in rows if row["name"] != OVERALL],
        "overall": next((_unsigned(row) for row in rows if row["name"] == OVERALL), None),
        "recordings": [{k: v for k, v in figure.items() if k != "emissions"} for figure in figures],
    }


def _signature(rows: Sequence[Mapping[str, Any]], metric: str) -> str | None:
    return next((row[f"{metric}_signature"] for row in rows if row[f"{metric}_signature"]), None)


def _unsigned(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.endswith("_signature")}


def rows_of(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sets, and all together last."""
    return [*report["sets"], *([report["overall"]] if report["overall"] else [])]


def read_report(path: Path) -> Report:
    """A report from a file. Raises ``InputError`` for what is none."""
    try:
        report = json.loads(read_utf8(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if not isinstance(report, dict) or not {"recordings", "sets", "settings"} <= set(report):
        raise InputError(f"{path} is no report of decalage evaluate --json")
    if report.get("version") != VERSION:
        raise InputError(
            f"{path} is a report of version {report.get('version')}; this program reads {VERSION}"
        )
    return report
