"""What an ingress of Ray Serve costs a live session, and what becomes of it when its replica is replaced.

    pip install 'ray[serve]==2.60.0'      # in an environment of its own: it is not part of this program
    python -m scripts.ingress [--messages N]

The same application answers each 0.1 s of sound over a WebSocket, straight from uvicorn and as a deployment
of Ray Serve, whose proxy stands between. Then the deployment is replaced while a session is open: how and
when its connection ends, and whether the application was told. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from scripts.evaluation import table

_SOUND = bytes(3200)
"""0.1 s."""
_GRACE_S = 5.0
_DIRECT, _SERVED = 8901, 8902
_TOLD = "DECALAGE_INGRESS_TOLD"


async def _session(socket: WebSocket) -> None:
    """Answer each message; leave a mark when told of the end, however that is."""
    await socket.accept()
    try:
        while True:
            await socket.receive_bytes()
            await socket.send_text("heard")
    except WebSocketDisconnect:
        return
    finally:
        Path(os.environ[_TOLD]).write_text("told", "utf-8")


application = Starlette(routes=[WebSocketRoute("/", _session)])


async def _times(port: int, messages: int) -> list[float]:
    """Seconds from each message to its answer."""
    taken = []
    async with connect(f"ws://127.0.0.1:{port}/", open_timeout=60, ping_interval=None) as socket:
        for _ in range(messages):
            began = time.monotonic()
            await socket.send(_SOUND)
            await socket.recv()
            taken.append(time.monotonic() - began)
    return taken


async def _when_it_ends(port: int, replace: Sequence[str]) -> tuple[float, str]:
    """Seconds from the replacement to the end of an open session, and how it ended."""
    async with connect(f"ws://127.0.0.1:{port}/", open_timeout=60, ping_interval=None) as socket:
        await socket.send(_SOUND)
        await socket.recv()
        began = time.monotonic()
        replacing = await asyncio.create_subprocess_exec(*replace)
        try:
            async with asyncio.timeout(60 + _GRACE_S):
                while True:
                    await socket.send(_SOUND)
                    await socket.recv()
                    await asyncio.sleep(0.1)
        except ConnectionClosed as error:
            ended = "no close frame" if error.rcvd is None else f"close code {error.rcvd.code}"
        except TimeoutError:
            ended = "it did not end"
        taken = time.monotonic() - began
        await replacing.wait()
        return taken, ended


def deploy(version: str) -> None:
    """Run the application as a deployment of Ray Serve, in place of another version."""
    import ray  # noqa: PLC0415
    from ray import serve  # noqa: PLC0415

    if not ray.is_initialized():
        ray.init(address="auto", logging_level="error")
    environment = {
        "env_vars": {_TOLD: os.environ[_TOLD], "DECALAGE_INGRESS": version}
    }  # another one: replaced

    @serve.deployment(
        graceful_shutdown_timeout_s=_GRACE_S,
        ray_actor_options={"runtime_env": environment},
    )
    @serve.ingress(application)
    class Session:
        """One replica."""

    serve.start(http_options={"host": "127.0.0.1", "port": _SERVED})
    serve.run(Session.bind())  # type: ignore[attr-defined]


def _measure(messages: int) -> list[list[object]]:
    import ray  # noqa: PLC0415

    mark = Path(os.environ[_TOLD])
    direct = [sys.executable, "-m", "uvicorn", "scripts.ingress:application", "--port", str(_DIRECT)]
    server = subprocess.Popen([*direct, "--log-level", "error"])  # noqa: S603 - our own program
    try:
        time.sleep(2)
        straight = asyncio.run(_times(_DIRECT, messages))
    finally:
        server.terminate()
        server.wait()
    mark.unlink(missing_ok=True)
    ray.init(logging_level="error")
    deploy("one")
    served = asyncio.run(_times(_SERVED, messages))
    time.sleep(1)
    mark.unlink(missing_ok=True)
    replacing = [sys.executable, "-m", "scripts.ingress", "--deploy", "two"]
    taken, ended = asyncio.run(_when_it_ends(_SERVED, replacing))
    time.sleep(1)
    told = "yes" if mark.exists() else "no"
    return [
        ["uvicorn", *_milliseconds(straight), "–", "–", "–"],
        ["Ray Serve", *_milliseconds(served), round(taken, 1), ended, told],
    ]


def _milliseconds(taken: Sequence[float]) -> list[float]:
    return [round(1000 * float(np.percentile(taken, part)), 2) for part in (50, 95)]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--deploy", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.deploy is not None:
        deploy(given.deploy)
        return
    with tempfile.TemporaryDirectory(prefix="decalage-ingress-") as folder:
        os.environ[_TOLD] = str(Path(folder) / "told")
        found = _measure(given.messages)
    print(table(_HEAD, found))


_HEAD = (
    "",
    "there and back p50 ms",
    "p95 ms",
    "s from its replacement to the end of a session",
    "how it ended",
    "application told",
)


if __name__ == "__main__":
    main()
