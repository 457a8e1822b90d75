"""A thousand guests of one server: who speaks, who leaves without a word, who comes back, who only listens.

The server, its sessions and its sockets are real, the engines are the light ones of ``trial_fakes``. Other
than in ``scripts.hostile`` nobody means harm: what is looked for is what each of them leaves behind.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from websockets.exceptions import ConnectionClosed

from decalage.audio import SAMPLE_RATE, Samples
from decalage.config import RuntimeOptions
from decalage.runtimes.pipeline import PipelineRuntime
from scripts.trial_fakes import FLAWLESS, LightBlueprint, Speech, Spoken, text_of
from tests.app.server_kit import Client, FakeBooth, Served, config, pcm, served

AT_ONCE = 16
_GRACE_S = 1.0
_LONGEST = 3 * SAMPLE_RATE
"""Samples that a guest says at most."""
_END = '{"type":"end"}'
_SETTLE_S = 20.0
"""What the last guests left is forgotten by then."""


@dataclass
class Visits:
    """What the guests came to."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    tasks_left: int = 0
    """Of the event loop, beyond those of before."""
    sessions_left: int = 0

    @property
    def done(self) -> float:
        """Guests who have left."""
        return float(sum(self.counts.values()))


def speech(seed: int) -> tuple[Samples, Sequence[Spoken]]:
    """A second or two, and what is said in it."""
    talk = Speech(seed=seed, length_s=1.0, holes=False)
    sound = np.concatenate([chunk.samples for chunk in talk])
    said = [each for each in talk.said if each.end <= _LONGEST]
    return np.concatenate([sound[: said[-1].end], np.zeros(SAMPLE_RATE, np.float32)]), said


async def _speaks(server: Served, seed: int) -> list[str]:
    """Says it all and reads to the end."""
    sound, said = speech(seed)
    async with server.speaker() as client:
        await client.send(*_frames(sound), _END)
        code, _ = await client.rest()
    return _heard([client], said, code)


async def _resumes(server: Served, seed: int) -> list[str]:
    """Is cut off in the middle and comes back."""
    sound, said = speech(seed)
    async with server.speaker() as first:
        await first.send(*_frames(sound[: len(sound) // 2]))
        first.abort()
        ready = first.all("ready")[0]
    async with server.client() as second:
        place = {"session": ready["session"], "last_seq": 0, "audio_sent_s": len(sound) / 2 / SAMPLE_RATE}
        await second.send(config(resume=place))
        again = await second.until("ready")
        await second.send(*_frames(sound[round(again["audio_received_s"] * SAMPLE_RATE) :]), _END)
        code, _ = await second.rest()
    return _heard([second], said, code)


async def _vanishes(server: Served, seed: int) -> list[str]:
    """Is cut off in the middle for good."""
    sound, _ = speech(seed)
    async with server.speaker() as client:
        await client.send(*_frames(sound))
        client.abort()
    return []


async def _looks_in(server: Served, seed: int) -> list[str]:  # noqa: ARG001 - says nothing
    """Begins a session, says nothing and leaves politely."""
    async with server.speaker():
        return []


async def _listens(server: Served, seed: int) -> list[str]:
    """Two read along, one leaves in the middle."""
    sound, said = speech(seed)
    async with server.speaker() as speaker:
        listen_id = speaker.all("ready")[0]["listen_id"]
        async with server.listener(listen_id) as ear:
            async with server.listener(listen_id) as other:
                await other.until("ready")
                await speaker.send(*_frames(sound), _END)
            code, _ = await speaker.rest()
            with suppress(ConnectionClosed):
                await ear.rest()
    return _heard([speaker], said, code) + _heard([ear], said, code)


GUESTS: dict[str, Callable[[Served, int], Awaitable[list[str]]]] = {
    "speaks": _speaks,
    "resumes": _resumes,
    "vanishes": _vanishes,
    "looks in": _looks_in,
    "listens": _listens,
}


def _frames(sound: Samples) -> list[bytes]:
    return [pcm(sound[at : at + 1600]) for at in range(0, len(sound), 1600)]


def _heard(clients: Sequence[Client], said: Sequence[Spoken], code: int) -> list[str]:
    """What is wrong with what came back: each word once, in order."""
    wanted = text_of([each.word for each in said])
    got = " ".join(each["text"]["en"] for client in clients for each in client.all("caption"))
    wrong = [] if code == 1000 else [f"closed with {code}"]
    return wrong if got == wanted else [*wrong, f"heard {got!r}, {wanted!r} was said"]


async def receive(count: int, seed: int, visits: Visits) -> None:
    """``count`` guests, ``AT_ONCE`` at a time; what they came to is in ``visits``."""
    blueprint = LightBlueprint(seed, FLAWLESS)
    booth = FakeBooth(PipelineRuntime(blueprint, RuntimeOptions(workers=2)))
    chance = random.Random(seed)  # noqa: S311 - a seed, not a secret
    coming = iter([(number, chance.choice(list(GUESTS))) for number in range(count)])
    before = len(asyncio.all_tasks())
    async with served(booth, sessions=4 * AT_ONCE, grace_s=_GRACE_S) as server:
        about = len(asyncio.all_tasks())

        async def door() -> None:
            for number, kind in coming:
                try:
                    wrong = await GUESTS[kind](server, seed + number)
                except Exception as error:  # what a guest meets is what is looked for
                    wrong = [f"{type(error).__name__}: {error}"]
                visits.counts[kind] += 1
                visits.wrong += [f"{number} {kind}: {each}" for each in wrong]

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(door())
        visits.sessions_left, visits.tasks_left = await _forgotten(server, about)
    visits.tasks_left = max(visits.tasks_left, len(asyncio.all_tasks()) - before)


async def _forgotten(server: Served, tasks: int) -> tuple[int, int]:
    """Sessions known and tasks too many once there was time to forget."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _SETTLE_S
    while True:
        left = server.service.hall.known, max(0, len(asyncio.all_tasks()) - tasks)
        if left == (0, 0) or loop.time() > until:
            return left
        await asyncio.sleep(0.1)


def visit(count: int, seed: int, visits: Visits) -> None:
    """The same in an event loop of its own."""
    asyncio.run(receive(count, seed, visits))
