"""What clients that mean no good do to a server, and to somebody who speaks there meanwhile.

    python -m scripts.hostile [--seconds S] [--rounds N] [--only WORD]

A bystander speaks samples/talk.flac to a ``decalage serve`` of its own process, at its own pace, over and
over; a second connection reads along and pings ten times a second. One attack follows another, each from
another process of the same machine, so that some of what the bystander feels is the attacker's share of
the cores. Prints two Markdown tables: what was done and answered, and what the server holds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Coroutine, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import connect

from decalage.app.client.outgoing import pcm16
from scripts.attacks import ATTACKS, Target, carry_out
from scripts.evaluation import decode, table
from scripts.served import Heard, Server, serving, speak

SOUND = Path("samples/talk.flac")
_GRACE_S = 10
_QUIET_S = 60.0
"""Without an attack, before and after."""


@dataclass
class Bystander:
    """Somebody who behaves."""

    heard: Heard = field(default_factory=Heard)
    pongs: list[tuple[float, float]] = field(default_factory=list)
    """(when, seconds to the answer)"""

    async def watch(self, url: str) -> None:
        """Read along, and ping."""
        loop = asyncio.get_running_loop()
        address = f"{url}/v1/sessions/{self.heard.listen_id}/captions"
        async with connect(address, compression=None, max_queue=None) as connection:
            while True:
                asked = loop.time()
                await connection.send('{"type":"ping"}')
                while json.loads(await connection.recv())["type"] != "pong":
                    continue
                self.pongs.append((asked, loop.time() - asked))
                await asyncio.sleep(0.1)

    def felt(self, since: float, until: float) -> list[object]:
        """Lag of captions and time to answer a ping between two moments: the middle and the worst."""
        came = [at for at, _ in self.heard.of("caption")]
        lags = [lag for at, lag in zip(came, self.heard.lags, strict=True) if since <= at < until]
        waits = [1000 * wait for at, wait in self.pongs if since <= at < until]
        return [len(lags), *_middle_and_worst(lags), *_middle_and_worst(waits)]


def _middle_and_worst(values: Sequence[float]) -> list[object]:
    return [float(np.median(values)), max(values)] if values else ["–", "–"]


class Trial:
    """Attacks on ``server``, one after the other, and the rows of both tables."""

    def __init__(self, server: Server, seconds: float) -> None:
        self.rows: list[list[object]] = []
        self.held: list[list[object]] = []
        self._server = server
        self._seconds = seconds
        self._bystander = Bystander()

    async def run(self, chosen: Sequence[int], rounds: int) -> None:
        """All of it."""
        heard, ready = self._bystander.heard, asyncio.Event()
        sound = pcm16(decode(SOUND)) * 20
        speaking = asyncio.create_task(
            speak(self._server.url, sound, heard, {"from": "en", "to": "pt"}, ready=ready)
        )
        await ready.wait()
        watching = asyncio.create_task(self._bystander.watch(self._server.url))
        await self._noted("(nothing, before)", asyncio.sleep(_QUIET_S, ""))
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            for turn in range(rounds):
                for number in chosen:
                    title = (ATTACKS[number].__doc__ or "").rstrip(".")
                    again = f", round {turn + 1}" if turn else ""
                    await self._noted(f"{title}{again}", self._attack(pool, number))
                await asyncio.sleep(2 * _GRACE_S + 5)  # sessions that were left are settled, then forgotten
        await self._noted("(nothing, after)", asyncio.sleep(_QUIET_S, ""))
        for task in (speaking, watching):
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(speaking, watching, return_exceptions=True)

    async def _attack(self, pool: ProcessPoolExecutor, number: int) -> str:
        target = Target(self._server.url, self._bystander.heard.listen_id, self._seconds)
        answers = await asyncio.get_running_loop().run_in_executor(pool, carry_out, number, target)
        return ", ".join(f"{count} × {answer}" for answer, count in answers.most_common(8))

    async def _noted(self, title: str, doing: Coroutine[Any, Any, str]) -> None:
        """A row in each table for what is being done."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        answered = await doing
        self.rows.append([title, answered, *self._bystander.felt(began, loop.time())])
        self.held.append([title, round(self._server.memory_mb), *self._server.handles()])


def main() -> None:
    """Attack, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=12.0, help="of each attack that could go on for ever"
    )
    parser.add_argument("--rounds", type=int, default=2, help="what memory grows by again is lost")
    parser.add_argument("--only", default="", help="attacks whose name holds the word")
    given = parser.parse_args()
    chosen = [number for number, attack in enumerate(ATTACKS) if given.only in attack.__name__]
    with serving("--grace", str(_GRACE_S)) as server:
        trial = Trial(server, given.seconds)
        asyncio.run(trial.run(chosen, given.rounds))
    head = ["what is done", "what the server answers", "captions", "lag, middle s", "worst s"]
    print(table([*head, "pong, middle ms", "worst ms"], trial.rows))
    print()
    print(table(["after", "memory MB", "threads", "file descriptors"], trial.held))


if __name__ == "__main__":
    main()
