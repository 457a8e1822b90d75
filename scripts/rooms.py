"""How many speakers and listeners one machine carries.

    python -m scripts.rooms [--sessions 1,4,8,16] [--only] [--until S] [--listeners N] [--runtime NAME]
        [--json F] [--markdown F]

Sessions speak samples/talk.flac at its own pace, begun over ten seconds, to a `decalage serve` of its own
process; the clients run on the same machine and their share of it is told. Lag is from the end of
speech to the caption at the client. Unless ``--only`` the given numbers are wanted, more are tried until
the 95th percentile of the lag passes ``--until`` seconds, and then some between. Then one speaker with
listeners: what each adds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from decalage.app.bench.machine import describe_machine
from decalage.app.bench.quality import References, word_errors
from decalage.app.bench.sound import audio_of
from decalage.app.client.outgoing import pcm16
from decalage.app.settings import available_cores
from scripts.evaluation import decode, table
from scripts.room_sizes import begins_s, next_size, within
from scripts.served import Heard, Server, listen, serving, speak

SOUND = Path("samples/talk.flac")
_LANGUAGES = {"from": "en", "to": "pt"}


_ABOUT = """\
Sessions speak the minute of `samples/talk.flac` at once, begun over ten seconds; lag is from the end of
speech to the caption at the client. What is given up first is captions that grow (`partials a minute`,
of each session), because recognition of phrases that have ended comes first. A session is whole that
got each index once, in order."""


@dataclass(frozen=True, slots=True)
class Room:
    """Sessions at once, and what became of them. Times in seconds."""

    sessions: int
    partials: bool
    lag_p50: float
    lag_p95: float
    worst_session_p95: float
    unfairness: float
    """Largest median lag of a session over the smallest."""
    captions: int
    incomplete: int
    """Sessions that did not get each index once, in order."""
    dropped_s: float
    partials_per_minute: float
    overload_s: float
    """Seconds in which sessions were told that the server is behind, added up."""
    wer: float | None
    server_cpu: float
    """Percent of all cores."""
    clients_cpu: float
    memory_mb: float


async def _room(server: Server, sound: bytes, count: int, *, partials: bool) -> list[Heard]:
    async def one(number: int) -> Heard:
        await asyncio.sleep(begins_s(number, count))
        return await speak(server.url, sound, Heard(), {**_LANGUAGES, "partials": partials})

    return await asyncio.gather(*(one(number) for number in range(count)))


def measure(
    sound: bytes, count: int, reference: str | None, *, partials: bool, runtime: str = "pipeline"
) -> Room:
    """One number of sessions, in a fresh server."""
    own = psutil.Process()
    with serving("--sessions", str(count + 1), "--runtime", runtime) as server:
        before, own_before, began = server.cpu_s, sum(own.cpu_times()[:2]), time.monotonic()
        rooms = asyncio.run(_room(server, sound, count, partials=partials))
        wall_s = time.monotonic() - began
        cores = wall_s * available_cores()
        server_cpu = 100 * (server.cpu_s - before) / cores
        clients_cpu = 100 * (sum(own.cpu_times()[:2]) - own_before) / cores
        memory_mb = server.memory_mb
    lags = [lag for heard in rooms for lag in heard.lags]
    medians = [float(np.median(heard.lags)) for heard in rooms]
    summaries = [body for heard in rooms for _, body in heard.of("summary")]
    complete = [heard.settled == list(range(len(heard.settled))) and heard.of("summary") for heard in rooms]
    behind = [body for heard in rooms for _, body in heard.of("overload") if body["shedding"]]
    spoken_min = count * len(sound) / 2 / 16_000 / 60
    return Room(
        sessions=count,
        partials=partials,
        lag_p50=float(np.percentile(lags, 50)),
        lag_p95=float(np.percentile(lags, 95)),
        worst_session_p95=max(float(np.percentile(heard.lags, 95)) for heard in rooms),
        unfairness=max(medians) / min(medians),
        captions=sum(body["captions"] for body in summaries),
        incomplete=count - sum(map(bool, complete)),
        dropped_s=sum(body["dropped_s"] for body in summaries),
        partials_per_minute=sum(len(heard.of("partial")) for heard in rooms) / spoken_min,
        overload_s=float(len(behind)),
        wer=_wer(rooms, reference),
        server_cpu=server_cpu,
        clients_cpu=clients_cpu,
        memory_mb=memory_mb,
    )


def _wer(rooms: Sequence[Heard], reference: str | None) -> float | None:
    if reference is None:
        return None
    counted = []
    for heard in rooms:
        text = " ".join(body["text"].get("en", "") for _, body in heard.of("caption"))
        counted.append(word_errors(reference, text, "en"))
    return 100 * sum(wrong for wrong, _ in counted) / sum(words for _, words in counted)


@dataclass(frozen=True, slots=True)
class Audience:
    """One speaker and who listens. Times in seconds."""

    listeners: int
    delay_p50: float
    """From the first client that has a caption to each other."""
    delay_p95: float
    delay_max: float
    lag_p95: float
    complete: int
    """Listeners that got every caption once, in order."""
    server_cpu: float
    clients_cpu: float
    memory_mb: float


async def _audience(server: Server, sound: bytes, count: int) -> tuple[Heard, list[Heard]]:
    heard, ready = Heard(), asyncio.Event()
    speaking = asyncio.create_task(speak(server.url, sound, heard, _LANGUAGES, ready=ready))
    await ready.wait()
    ears = [Heard() for _ in range(count)]
    targets = ["pt" if number % 4 else "en" for number in range(count)]
    async with asyncio.TaskGroup() as group:
        for ear, target in zip(ears, targets, strict=True):
            group.create_task(listen(server.url, heard.listen_id, ear, target))
            await asyncio.sleep(0.01)
    await speaking
    return heard, ears


def attend(sound: bytes, count: int, runtime: str = "pipeline") -> Audience:
    """One speaker with ``count`` listeners, a quarter of them in the speaker's language."""
    own = psutil.Process()
    with serving("--runtime", runtime) as server:
        before, own_before, began = server.cpu_s, sum(own.cpu_times()[:2]), time.monotonic()
        heard, ears = asyncio.run(_audience(server, sound, count))
        cores = (time.monotonic() - began) * available_cores()
        server_cpu = 100 * (server.cpu_s - before) / cores
        clients_cpu = 100 * (sum(own.cpu_times()[:2]) - own_before) / cores
        memory_mb = server.memory_mb
    said = heard.settled
    arrivals: dict[int, list[float]] = {}
    for each in (heard, *ears):
        for at, body in each.of("caption"):
            arrivals.setdefault(body["index"], []).append(at)
    delays = [at - min(times) for times in arrivals.values() for at in times] or [0.0]
    return Audience(
        listeners=count,
        delay_p50=float(np.percentile(delays, 50)),
        delay_p95=float(np.percentile(delays, 95)),
        delay_max=max(delays),
        lag_p95=float(np.percentile(heard.lags, 95)),
        complete=sum(ear.settled == said for ear in ears),
        server_cpu=server_cpu,
        clients_cpu=clients_cpu,
        memory_mb=memory_mb,
    )


def rooms(
    sound: bytes, counts: Sequence[int], until_s: float, *, partials: bool, runtime: str = "pipeline"
) -> list[Room]:
    """The given numbers of sessions, and unless ``until_s`` is 0 what it takes to find the most."""
    reference = References.beside(audio_of(str(SOUND), 3600.0), "pt").transcript
    found: dict[int, Room] = {}
    while (count := next_size(_lags(found.values()), counts, until_s)) is not None:
        found[count] = measure(sound, count, reference, partials=partials, runtime=runtime)
        print(found[count], flush=True)
    return [found[count] for count in sorted(found)]


def _lags(found: Iterable[Room]) -> dict[int, float]:
    return {room.sessions: room.lag_p95 for room in found}


_ROOM = [
    "sessions", "growing captions", "lag p50 s", "p95", "worst session's p95", "largest / smallest median",
    "captions", "sessions not whole", "dropped s", "partials a minute", "overload told, s", "WER %",
    "server CPU %", "clients CPU %", "memory MB",
]  # fmt: skip
_AUDIENCE = [
    "listeners", "delivery p50 ms", "p95", "max", "speaker's lag p95 s", "listeners with all", "server CPU %",
    "clients CPU %", "memory MB",
]  # fmt: skip


def written(body: dict[str, Any]) -> str:
    """The report as Markdown."""
    until_s, machine = body["until_s"], body["machine"]
    lines = [
        [
            each["sessions"], "yes" if each["partials"] else "no", f"{each['lag_p50']:.2f}",
            f"{each['lag_p95']:.2f}", f"{each['worst_session_p95']:.2f}", f"{each['unfairness']:.2f}",
            each["captions"], each["incomplete"], f"{each['dropped_s']:.1f}",
            f"{each['partials_per_minute']:.0f}", f"{each['overload_s']:.0f}",
            "–" if each["wer"] is None else f"{each['wer']:.1f}", f"{each['server_cpu']:.0f}",
            f"{each['clients_cpu']:.0f}", f"{each['memory_mb']:.0f}",
        ]
        for each in body["rooms"]
    ]  # fmt: skip
    ears = [
        [
            each["listeners"],
            *(f"{1000 * each[name]:.0f}" for name in ("delay_p50", "delay_p95", "delay_max")),
            f"{each['lag_p95']:.2f}",
            each["complete"],
            *(f"{each[name]:.0f}" for name in ("server_cpu", "clients_cpu", "memory_mb")),
        ]
        for each in body["audiences"]
    ]
    held = [
        within({r["sessions"]: r["lag_p95"] for r in body["rooms"] if r["partials"] is partials}, until_s)[0]
        for partials in (True, False)
    ]
    return "\n\n".join(
        [
            "# A room full of speakers, a room full of listeners",
            _ABOUT,
            "Made by `python -m scripts.rooms` on "
            f"{machine['cpu']}, {machine['cores']} cores ({', '.join(machine['features'])}).",
            table(_ROOM, lines),
            f"The largest number tried with the lag's 95th percentile within {until_s:g} s: "
            f"**{held[0]} sessions** with captions that grow, **{held[1]}** without.",
            table(_AUDIENCE, ears),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", default="1,4,8,16")
    parser.add_argument("--only", action="store_true", help="these numbers and no more")
    parser.add_argument("--until", type=float, default=2.0)
    parser.add_argument("--listeners", default="0,200")
    parser.add_argument("--runtime", default="pipeline")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    sound = pcm16(decode(SOUND))
    counts = [int(each) for each in given.sessions.split(",")]
    until_s = 0.0 if given.only else given.until
    found = [
        room
        for partials in (True, False)
        for room in rooms(sound, counts, until_s, partials=partials, runtime=given.runtime)
    ]
    audiences = [attend(sound, int(each), given.runtime) for each in given.listeners.split(",") if each]
    body = {
        "machine": describe_machine(),
        "until_s": given.until,
        "rooms": [asdict(room) for room in found],
        "audiences": [asdict(audience) for audience in audiences],
    }
    if given.json is not None:
        given.json.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    text = written(body)
    if given.markdown is not None:
        given.markdown.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
