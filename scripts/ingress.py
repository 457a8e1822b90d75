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
import socket
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
_START_S = 60.0
_TOLD = "DECALAGE_INGRESS_TOLD"


async def _session(session: WebSocket) -> None:
    """Answer each message; leave a mark when told of the end, however that is."""
    await session.accept()
    try:
        while True:
            await session.receive_bytes()
            await session.send_text("heard")
    except WebSocketDisconnect:
        return
    finally:
        Path(os.environ[_TOLD]).write_text("told", "utf-8")


application = Starlette(routes=[WebSocketRoute("/", _session)])


def _free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return int(each.getsockname()[1])


def _await_server(port: int) -> None:
    """Return when somebody listens at ``port``. Raises ``TimeoutError``."""
    until = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() >= until:
                raise TimeoutError(f"nobody listens at port {port} after {_START_S:g} s") from None
            time.sleep(0.05)
        else:
            return


async def _times(port: int, messages: int) -> list[float]:
    """Seconds from each message to its answer."""
    taken = []
    async with connect(f"ws://127.0.0.1:{port}/", open_timeout=60, ping_interval=None) as session:
        for _ in range(messages):
            began = time.monotonic()
            await session.send(_SOUND)
            await session.recv()
            taken.append(time.monotonic() - began)
    return taken


async def _when_it_ends(port: int, replace: Sequence[str]) -> tuple[float, str]:
    """Seconds from the replacement to the end of an open session, and how it ended."""
    async with connect(f"ws://127.0.0.1:{port}/", open_timeout=60, ping_interval=None) as session:
        await session.send(_SOUND)
        await session.recv()
        began = time.monotonic()
        replacing = await asyncio.create_subprocess_exec(*replace)
        try:
            async with asyncio.timeout(60 + _GRACE_S):
                while True:
                    await session.send(_SOUND)
                    await session.recv()
                    await asyncio.sleep(0.1)
        except ConnectionClosed as error:
            ended = "no close frame" if error.rcvd is None else f"close code {error.rcvd.code}"
        except TimeoutError:
            ended = "it did not end"
        taken = time.monotonic() - began
        await replacing.wait()
        return taken, ended


def deploy(version: str, port: int) -> None:
    """Run the application as a deployment of Ray Serve at ``port``, in place of another version."""
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

    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(Session.bind())  # type: ignore[attr-defined]


def _measure(messages: int) -> list[list[object]]:
    import ray  # noqa: PLC0415

    mark, straight_at, served_at = Path(os.environ[_TOLD]), _free_port(), _free_port()
    direct = [sys.executable, "-m", "uvicorn", "scripts.ingress:application", "--port", str(straight_at)]
    server = subprocess.Popen([*direct, "--log-level", "error"])  # noqa: S603 - our own program
    try:
        _await_server(straight_at)
        straight = asyncio.run(_times(straight_at, messages))
    finally:
        server.terminate()
        server.wait()
    mark.unlink(missing_ok=True)
    ray.init(logging_level="error")
    deploy("one", served_at)
    served = asyncio.run(_times(served_at, messages))
    time.sleep(1)
    mark.unlink(missing_ok=True)
    replacing = [sys.executable, "-m", "scripts.ingress", "--deploy", "two", "--port", str(served_at)]
    taken, ended = asyncio.run(_when_it_ends(served_at, replacing))
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
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.deploy is not None:
        deploy(given.deploy, given.port)
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
