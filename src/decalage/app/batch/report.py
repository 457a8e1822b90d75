"""A batch as data: what ``--report`` writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from decalage.app.batch.fingerprint import program
from decalage.app.batch.outcome import Outcome
from decalage.app.settings import Settings

VERSION = 1


def make_report(
    outcomes: Sequence[Outcome],
    settings: Settings,
    results: Path,
    *,
    silent: Sequence[Path],
    wall_s: float,
    interrupted: bool,
) -> Mapping[str, Any]:
    """Everything that is known, ready for ``json.dumps``. Names that are no Unicode have ``?`` in them.

    ``silent``: files of folders that were left out, for they have no sound.
    """
    heard_s = sum(each.audio_s for each in outcomes if each.how == "captioned")
    states = Counter(each.state for each in outcomes)
    hows = Counter(each.how for each in outcomes)
    return {
        "version": VERSION,
        "program": program(),
        "results": _name(results),
        "settings": {name: value for name, value in asdict(settings).items() if value is not None},
        "interrupted": interrupted,
        "totals": {
            "files": len(outcomes),
            **{state: states[state] for state in ("done", "damaged", "incomplete", "failed", "left")},
            "captioned": hows["captioned"],
            "before": hows["before"],
            "written": hows["written"],
            "reused": hows["reused"],
            "audio_s": round(sum(each.audio_s for each in outcomes), 3),
            "captioned_s": round(heard_s, 3),
            "captions": sum(each.record.captions for each in outcomes if each.record),
            "failures": sum(each.record.failures for each in outcomes if each.record),
            "wall_s": round(wall_s, 3),
            "speed": round(heard_s / wall_s, 3) if heard_s and wall_s > 0 else None,
        },
        "files": [_file(each) for each in outcomes],
        "without_sound": [_name(path) for path in silent],
    }


def _file(outcome: Outcome) -> dict[str, Any]:
    record, task = outcome.record, outcome.task
    captioned = outcome.how == "captioned" and record is not None and outcome.wall_s > 0
    return {
        "path": _name(task.path),
        "name": _name(task.name),
        "state": outcome.state,
        "how": outcome.how,
        "sha256": outcome.sha256,
        "seconds": task.duration_s if record is None else record.audio_s,
        "captions": 0 if record is None else record.captions,
        "failures": 0 if record is None else record.failures,
        "rejected": 0 if record is None else record.rejected,
        "gaps": 0 if record is None else record.gaps,
        "tries": outcome.tries,
        "wall_s": round(outcome.wall_s, 3),
        "speed": round(record.audio_s / outcome.wall_s, 3) if captioned and record is not None else None,
        "error": None if outcome.error is None else _name(outcome.error),
        "lost": [_name(each) for each in outcome.lost],
        "outputs": {} if record is None else {suffix: _name(path) for suffix, path in record.files.items()},
    }


def _name(path: object) -> str:
    return str(path).encode("utf-8", "replace").decode()
