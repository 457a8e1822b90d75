"""Hours at a stretch: whether anything grows, whether anything is lost, whether everything ends.

    python -m scripts.soak --fakes [HOURS] [--json F] [--plot F]
    DECALAGE_SPEECH=DIR python -m scripts.soak --real [SECONDS] [--speed X] [--json F] [--plot F]

``--fakes``: speech that spells its words, cut by the real segmenter and read by light engines, through each
runtime in a process of its own (``processes`` a third of the time), four streams at a time that are opened
and ended over and over; some calls raise, panic, reject or come too late, some sound is never captured, some
readers stall or leave. Every word has to be in one event and every caption has to say what was said. Then a
thousand guests of a server.

``--real``: gold recordings in seeded order with pauses and levels by seed, through the real engines and
``pipeline`` with the settings of a listener, ``--speed`` times as fast as they are spoken, by a clock that is
so much faster. So captions grow and pauses are worked on as when live; at full speed, ``--speed 0``, they are
not.

Prints Markdown. Memory is the proportional set size of the process tree, slopes are least squares after the
first tenth. Ends with code 1 where something is wrong, is left over, or grows.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from decalage.app.allocator import share_arenas
from decalage.app.bench.machine import describe_machine
from scripts.evaluation import table
from scripts.trial_guests import Visits, visit
from scripts.trial_hour import listen, tenths
from scripts.trial_lanes import soak
from scripts.trial_picture import draw_held
from scripts.trial_tables import (
    COUNTED,
    FAKES,
    GUESTS,
    HOUR,
    TENTH,
    fakes_line,
    guests_line,
    hour_line,
    tenth_line,
)
from scripts.trial_watch import Look, Watch, settled, slope

_RUNTIMES = ("sequential", "pipeline", "pool", "asyncio", "processes")
"""Those of one machine."""
_SHORTER = {"processes": 0.3}
_GUESTS = 1_000
_KEPT_LOOKS = 150
_LIMIT_S = 3600.0
_MAY_GROW = {"memory_mb": 20.0, "threads": 1.5, "handles": 3.0, "shared": 3.0}
"""Median of the last third less that of the one before: an allocator grows to its size in the first."""


def thinned(looks: Sequence[Look], per: float) -> list[dict[str, float]]:
    """At most ``_KEPT_LOOKS`` of them, with ``x``: the sound so far in units of ``per`` seconds."""
    step = max(1, len(looks) // _KEPT_LOOKS)
    kept = [{**asdict(look), "x": look.audio_s / per} for look in looks[::step]]
    return [{name: round(value, 4) for name, value in look.items()} for look in kept]


def held(looks: Sequence[Look]) -> dict[str, Any]:
    """The figures of what a run held."""
    kept = settled(looks)
    third = len(looks) // 3
    return {
        "memory_mb": kept[0].memory_mb,
        "memory_end_mb": kept[-1].memory_mb,
        "memory_per_audio_h": slope(looks, "memory_mb"),
        "memory_per_wall_h": slope(looks, "memory_mb", "wall_s"),
        **{f"{name}_least": min(getattr(look, name) for look in kept) for name in COUNTED},
        **{f"{name}_most": max(getattr(look, name) for look in kept) for name in COUNTED},
        **{f"{name}_per_audio_h": slope(looks, name) for name in COUNTED},
        "grew": {
            name: float(np.median([getattr(look, name) for look in looks[-third:]]))
            - float(np.median([getattr(look, name) for look in looks[third:-third]]))
            for name in ("memory_mb", *COUNTED)
        },
    }


def one_runtime(name: str, hours: float, seed: int) -> dict[str, Any]:
    """A soak in this process."""
    account, watch, left = soak(name, hours * _SHORTER.get(name, 1.0), seed)
    return {
        "runtime": name,
        "audio_h": account.audio_s / 3600,
        "wall_s": watch.looks[-1].wall_s,
        "counts": dict(account.counts),
        "seconds": {kind: count / 16_000 for kind, count in account.samples.items()},
        "held": held(watch.looks),
        "left": left,
        "wrong": account.wrong,
        "looks": thinned(watch.looks, 3600),
    }


def guests(count: int, seed: int) -> dict[str, Any]:
    """The server's part, in this process; ``audio_s`` of its looks counts guests."""
    visits = Visits()
    with Watch(lambda: visits.done, 0.25) as watch:
        before = watch.look()
        visit(count, seed, visits)
        after = watch.look()
    coming = [look for look in watch.looks if look.audio_s < count]
    per_thousand = {f"{name}_per_1000": slope(coming, name) / 3.6 for name in ("memory_mb", *COUNTED)}
    return {
        "guests": dict(visits.counts),
        "wall_s": after.wall_s,
        "held": {**held(coming), **per_thousand},
        "before": asdict(before),
        "after": asdict(after),
        "left": {"sessions": visits.sessions_left, "tasks": visits.tasks_left},
        "wrong": visits.wrong,
        "looks": thinned(watch.looks, 1),
    }


def hour(duration_s: float, speed: float, seed: int) -> dict[str, Any]:
    """The real engines, in this process."""
    heard, watch, programme = listen(duration_s, speed, seed, "pipeline")
    return {
        "speed": speed,
        "audio_s": heard.audio_s,
        "wall_s": heard.wall_s,
        "recordings": len(programme.placed),
        "counts": dict(heard.books.counts),
        "seconds": {kind: count / 16_000 for kind, count in heard.books.samples.items()},
        "held": held(watch.looks),
        "left": heard.left,
        "wrong": heard.wrong,
        "tenths": [asdict(each) for each in tenths(heard, programme)],
        "overload": heard.behind,
        "looks": thinned(watch.looks, 60),
    }


def _apart(part: str, given: argparse.Namespace) -> dict[str, Any]:
    """One part in a process of its own, so that none inherits what another holds."""
    print(f"{part} …", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "part.json")
        command = [sys.executable, "-m", "scripts.soak", "--part", part, "--json", str(path)]
        command += ["--seed", str(given.seed), "--speed", str(given.speed)]
        for name in ("fakes", "real", "guests"):
            if (value := getattr(given, name)) is not None:
                command += [f"--{name}", str(value)]
        done = subprocess.run(command, check=False, timeout=_LIMIT_S + 60)  # noqa: S603 - ourselves
        if done.returncode:
            raise SystemExit(f"{part} ended with {done.returncode}")
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found


def _part(given: argparse.Namespace) -> dict[str, Any]:
    faulthandler.dump_traceback_later(_LIMIT_S, exit=True)  # a stream that does not end shows where
    logging.disable(logging.CRITICAL)  # what fails on purpose is counted
    share_arenas()
    if given.part == "guests":
        return guests(given.guests, given.seed)
    if given.part == "hour":
        return hour(given.real, given.speed, given.seed)
    return one_runtime(given.part, given.fakes, given.seed)


def _print_fakes(body: Mapping[str, Any]) -> list[str]:
    print(table(FAKES, [fakes_line(run) for run in body["runtimes"]]))
    print()
    print(table(GUESTS, [guests_line(body["guests"])]))
    runs = [*body["runtimes"], body["guests"]]
    return [each for run in runs for each in unsound(run)]


def _print_hour(body: Mapping[str, Any]) -> list[str]:
    run = body["hour"]
    print(table(HOUR, [hour_line(run)]))
    print()
    print(table(TENTH, [tenth_line(each) for each in run["tenths"]]))
    return unsound(run)


def unsound(run: Mapping[str, Any]) -> list[str]:
    """What is wrong with a part: what it told itself, what is left of it, what grew in it."""
    grew = run["held"]["grew"]
    grown = [f"{name} grew by {grew[name]:.1f}" for name, most in _MAY_GROW.items() if grew[name] > most]
    return [*run["wrong"], *_left(run), *grown]


def _left(run: Mapping[str, Any]) -> list[str]:
    left = run["left"]
    if isinstance(left, dict):
        return [f"{count} {name} left" for name, count in left.items() if count]
    return [f"left: {each}" for each in left]


def main() -> None:
    """Soak, print, and fail where something is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fakes", type=float, nargs="?", const=10.0, metavar="HOURS")
    parser.add_argument("--real", type=float, nargs="?", const=3600.0, metavar="SECONDS")
    parser.add_argument("--speed", type=float, default=4.0)
    parser.add_argument("--guests", type=int, default=_GUESTS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part is not None:
        given.json.write_text(json.dumps(_part(given)), "utf-8")
        return
    if (given.fakes is None) == (given.real is None):
        parser.error("one of --fakes and --real is needed")
    body: dict[str, Any] = {"machine": describe_machine()}
    if given.fakes is not None:
        body["runtimes"] = [_apart(name, given) for name in _RUNTIMES]
        body["guests"] = _apart("guests", given)
        looks = {run["runtime"]: run["looks"] for run in body["runtimes"]}
        wrong, along = _print_fakes(body), "hours of speech"
    else:
        body["hour"] = _apart("hour", given)
        looks = {"pipeline": body["hour"]["looks"]}
        wrong, along = _print_hour(body), "minutes of speech"
    if given.json is not None:
        given.json.write_text(json.dumps(body, ensure_ascii=False, indent=1), "utf-8")
    if given.plot is not None:
        draw_held(looks, given.plot, along=along)
    for each in wrong:
        print(each, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
