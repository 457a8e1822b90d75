"""How many live speakers a machine carries, from what one of them costs; then ten, a thousand, 100 000.

    python -m scripts.capacity [--rooms docs/rooms.json] [--price P] [--json F] [--markdown F]

One speaker is measured alone on this machine: the cuts of its sound, the seconds of work on each, what all
else takes. The program's own streams and schedule then carry N such speakers in simulated time. The result
is compared with what a server was measured to carry (``--rooms``, made by ``scripts.rooms``). Of those
figures the processor time of two small rooms of whole phrases, with one session and with a few, is used: what
sessions take beside recognition and translation. Rooms that are larger or have growing captions are foretold.
Prints Markdown; ends with code 1 where processor time, median lag or the most are more than 15 % apart.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from decalage.app.bench.machine import describe_machine
from scripts.capacity.erlang import blocking, seats_for
from scripts.capacity.script import Script, measure
from scripts.capacity.simulation import Machine, Outcome, simulate
from scripts.evaluation import table
from scripts.room_sizes import begins_s

SOUND = "samples/talk.flac"
ALLOWED = 0.15
_FEW = 8
_FINEST_S = 0.1
"""Lags are compared in steps of that: what is below is the beat of the sound that comes."""
_STEEP = 0.85
"""Of what a server carries: beyond it lag rises so steeply that two runs are further apart than that."""
_STREAMS = (10, 1_000, 100_000)
_REFUSED = 0.001
_UPLINK = 256_000
"""Bits a second of one speaker: 16 000 samples of 16 bits."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A room of the server and the model of it."""

    room: dict[str, Any]
    model: Outcome


@dataclass(frozen=True, slots=True)
class Held:
    """The most speakers with the lag's 95th percentile within the bound."""

    measured: float
    """Between the last room within it and the first beyond it."""
    model: int

    @property
    def apart(self) -> float:
        """Difference, as a share of what was measured."""
        return abs(self.model / self.measured - 1)


def calibrating(rooms: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The room with one session, and the largest of up to eight."""
    return rooms[0], [room for room in rooms if 1 < room["sessions"] <= _FEW][-1]


def machine_for(script: Script, rooms: Sequence[dict[str, Any]], cores: int) -> Machine:
    """The measured machine; ``rooms``: of whole phrases, where all else is as with captions that grow."""
    first, few = calibrating(rooms)
    counts = [room["sessions"] for room in (first, few)]
    walls_s = [script.audio_s + begins_s(count - 1, count) for count in counts]
    spoken_s = [count * script.audio_s for count in counts]
    other_s = [
        room["server_cpu"] / 100 * cores * wall_s - count * script.work_s
        for room, wall_s, count in zip((first, few), walls_s, counts, strict=True)
    ]
    each, fixed = np.linalg.solve(np.array([spoken_s, walls_s]).T, other_s)
    return Machine(
        cores=cores,
        workers=cores,
        pair_cost=script.pair_cost,
        session_cores=max(0.0, float(each)),
        fixed_cores=max(0.0, float(fixed)),
    )


def crossing(points: Sequence[tuple[int, float]], bound_s: float) -> float:
    """Speakers at which the lag crosses ``bound_s``, on a line between the two numbers around it."""
    for (fewer, before), (more, after) in pairwise(points):
        if before <= bound_s < after:
            share = math.log(bound_s / before) / math.log(after / before)
            return fewer + share * (more - fewer)
    return float(points[-1][0]) if points[-1][1] <= bound_s else 0.0


def most(script: Script, machine: Machine, bound_s: float, beyond: int) -> int:
    """The most speakers within ``bound_s`` on ``machine``, less than ``beyond``."""
    low, high = 0, beyond
    while high - low > 1:
        middle = (low + high) // 2
        if simulate(script, middle, machine).lag_p95 <= bound_s:
            low = middle
        else:
            high = middle
    return low


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rooms", type=Path, default=Path("docs/rooms.json"))
    parser.add_argument("--price", type=float, default=0.04, help="of a core for an hour")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    measured = json.loads(given.rooms.read_text("utf-8"))
    parts, body, wrong = [], {"machine": describe_machine(), "rooms": measured["machine"]}, []
    whole = measure(SOUND, plain=None)
    scripts = {False: whole, True: measure(SOUND, plain=whole)}
    plain = [room for room in measured["rooms"] if not room["partials"]]
    machine = machine_for(whole, plain, measured["machine"]["cores"])
    for partials, script in scripts.items():
        rooms = [room for room in measured["rooms"] if room["partials"] is partials]
        compared = [Compared(room, simulate(script, room["sessions"], machine)) for room in rooms]
        reached = crossing([(each["sessions"], each["lag_p95"]) for each in rooms], measured["until_s"])
        carries = most(script, machine, measured["until_s"], 2 * math.ceil(reached) + 8)
        held = Held(reached, carries)
        name = "with captions that grow" if partials else "captions of whole phrases"
        wrong += [f"{name}: {what}" for what in apart(compared, held, measured["until_s"])]
        body[name] = {
            "script": _costs(script, machine),
            "compared": [{"room": each.room, "model": asdict(each.model)} for each in compared],
            "held": asdict(held),
        }
        parts.append(written(name, script, machine, compared, held, given.price))
    if given.json is not None:
        given.json.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    told = "\n".join(f"- {what}" for what in wrong) or (
        f"Nothing of what is judged: processor time of the rooms within the bound, their median lag up to "
        f"{100 * _STEEP:g} % of the most (or {_FINEST_S:g} s), and the most, by {100 * ALLOWED:g} %."
    )
    text = "\n\n".join([_head(body["machine"], measured["machine"]), *parts, "## Further apart", told])
    if given.markdown is not None:
        given.markdown.write_text(text + "\n", encoding="utf-8")
    print(text)
    sys.exit(1 if wrong else 0)


def apart(compared: Sequence[Compared], held: Held, until_s: float) -> list[str]:
    """What of the model is too far from the server, in rooms that the server keeps up with."""
    wrong = []
    if held.apart > ALLOWED:
        wrong.append(f"carries {held.measured:.1f}, by the model {held.model}")
    for each in compared:
        room, model = each.room, each.model
        if room["lag_p95"] > until_s:
            continue
        if abs(model.cpu / room["server_cpu"] - 1) > ALLOWED:
            wrong.append(f"{room['sessions']} sessions: CPU {room['server_cpu']:.0f} %, {model.cpu:.0f} %")
        if room["sessions"] > _STEEP * held.measured:
            continue
        if abs(model.lag_p50 - room["lag_p50"]) > max(_FINEST_S, ALLOWED * room["lag_p50"]):
            wrong.append(
                f"{room['sessions']} sessions: lag p50 {room['lag_p50']:.2f} s, {model.lag_p50:.2f} s"
            )
    return wrong


def _costs(script: Script, machine: Machine) -> dict[str, float]:
    return {
        "audio_s": script.audio_s,
        "work_s_per_s": script.work_s / script.audio_s,
        "session_cores": machine.session_cores,
        "fixed_cores": machine.fixed_cores,
        "pair_cost": machine.pair_cost,
    }


def written(
    name: str,
    script: Script,
    machine: Machine,
    compared: Sequence[Compared],
    held: Held,
    price: float,
) -> str:
    """The section of one way to caption."""
    costs = _costs(script, machine)
    rows = [
        [
            each.room["sessions"],
            *(
                value
                for key in ("lag_p50", "lag_p95")
                for value in (each.room[key], getattr(each.model, key))
            ),
            each.room["server_cpu"],
            each.model.cpu,
            each.room["partials_per_minute"],
            each.model.partials_per_minute,
        ]
        for each in compared
    ]
    return "\n\n".join(
        [
            f"## {name[0].upper()}{name[1:]}",
            f"One speaker takes {costs['work_s_per_s']:.3f} s of a core for a second of speech to recognize "
            f"and translate, {costs['session_cores']:.3f} for its sound, voice activity and socket, and the "
            f"server {costs['fixed_cores']:.3f} for itself. A recognition beside another takes "
            f"{costs['pair_cost']:.2f} × as long.",
            table(_COMPARED, rows),
            f"Within the bound: **{held.measured:.1f}** speakers by measurement (between the last number "
            f"that was tried with the lag within it and the first beyond it), **{held.model}** by the model: "
            f"{100 * held.apart:.0f} % apart.",
            table(_GROWN, [_grown(count, held.model, machine.cores, price) for count in _STREAMS], digits=4),
        ]
    )


def _grown(count: int, carries: int, cores: int, price: float) -> list[object]:
    """What ``count`` streams take, in machines that carry ``carries`` each."""
    most_seats = seats_for(count, _REFUSED)
    steady, peak = math.ceil(count / carries), math.ceil(most_seats / carries)
    return [
        count,
        steady,
        most_seats,
        peak,
        f"{100 * blocking(count, steady * carries):.2g} %",
        peak * cores,
        round(count * _UPLINK / 1e6, 1),
        price * peak * cores / count,
    ]


_COMPARED = (
    "speakers",
    "lag p50 s, server",
    "model",
    "lag p95 s, server",
    "model",
    "CPU %, server",
    "model",
    "growing captions a minute, server",
    "model",
)
_GROWN = (
    "streams on average",
    "machines for that",
    "seats for the busiest",
    "machines",
    "refused without them",
    "cores",
    "sound in, Mbit/s",
    "cost of an hour of speech",
)


def _head(here: dict[str, Any], there: dict[str, Any]) -> str:
    features = ", ".join(here["features"])
    other = "" if here["cpu"] == there["cpu"] else f" The server was measured on {there['cpu']}."
    return (
        "# How many speakers a machine carries\n\n"
        f"Made by `python -m scripts.capacity` on {here['cpu']}, {here['cores']} cores ({features})."
        f"{other}\n\n"
        f"*Within the bound*: the 95th percentile of the lag within 2 s. *Seats for the busiest*: so that no "
        f"more than {100 * _REFUSED:g} % of sessions are refused when they come independently of each other "
        "(Erlang B). *Refused without them*: by the machines for the average. *Cost*: of the machines' cores "
        "alone, in the unit of `--price` for a core and hour, all machines running all the time."
    )


if __name__ == "__main__":
    main()
