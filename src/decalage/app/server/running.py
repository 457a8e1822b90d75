"""The ASGI server around a service: its socket, its signals, and the way it stops.

SIGTERM or Ctrl-C: nobody new → what was said is answered → closed. The first step has a time limit; a
second signal skips it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import uvicorn

from decalage.app.server.patience import Patience, frames_within, requests_within
from decalage.app.server.web import Service
from decalage.errors import UsageError

logger = logging.getLogger(__name__)

_FRAME_BYTES = 262_144
"""What the WebSocket itself takes; the protocol's own limit is lower and is told."""
_CONNECTIONS = 2_000
_HEADER_BYTES = 32_768
_KEPT_OPEN_S = 15
_CLOSE_S = 3
"""For what is still being sent when everything is over."""
_OTHER_FILES = 200
"""Open beside connections: models, uploads, what the system itself needs."""
_PING_S = (15.0, 20.0)
"""A WebSocket is pinged so often, and closed when it has not answered in so long: a phone that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server listens: at ``host`` and ``port`` (0: any that is free), or at the socket ``uds``."""

    host: str = "127.0.0.1"
    port: int = 8765
    uds: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def scheme(self) -> str:
        """Of its URLs."""
        return "http" if self.certificate is None else "https"


class Running(uvicorn.Server):
    """Serves until a signal, then drains."""

    def __init__(
        self, service: Service, address: Address, *, drain_s: float = 30.0, patience: Patience | None = None
    ) -> None:
        """Binds nothing yet. Raises ``UsageError`` for a certificate that cannot be used."""
        self._service = service
        self._drain_s = drain_s
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.stopped_by: int | None = None
        """The first signal."""
        super().__init__(_configured(service, address, patience or Patience()))

    async def until_stopped(self, bound: socket.socket, started: Callable[[], None]) -> None:
        """Serve on ``bound``; ``started`` is called once requests are answered."""
        self._loop = asyncio.get_running_loop()
        telling = asyncio.create_task(self._tell(started))
        try:
            await self.serve(sockets=[bound])
        finally:
            telling.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's name
        """The first signal drains, a second one ends at once. Runs inside a signal handler."""
        if self._loop is None or self.stopped_by is not None:
            self.should_exit = self.force_exit = True
            return
        self.stopped_by = sig
        self._loop.call_soon_threadsafe(self._begin_to_drain)

    def _begin_to_drain(self) -> None:
        self._draining = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        logger.info("draining", extra={"signal": signal.Signals(self.stopped_by or 0).name})
        try:
            async with asyncio.timeout(self._drain_s):
                await self._service.drain()
        except TimeoutError:
            logger.warning("not everything was answered", extra={"seconds": self._drain_s})
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._service.break_off()
        finally:
            self.should_exit = True

    async def _tell(self, started: Callable[[], None]) -> None:
        while not self.started:  # uvicorn has no event for it
            await asyncio.sleep(0.01)
        started()


def own_address() -> str:
    """The address by which this machine is known in its network; its name where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: nobody is there, and nothing is sent
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


@contextmanager
def listening(address: Address) -> Iterator[tuple[socket.socket, str]]:
    """The socket, bound, and the URL of the page; who comes waits until it is served.

    Closed at the end, and a Unix socket is gone. Raises ``UsageError``.
    """
    bound, url = _bound(address)
    try:
        yield bound, url
    finally:
        bound.close()
        if address.uds is not None:
            address.uds.unlink(missing_ok=True)


def _bound(address: Address) -> tuple[socket.socket, str]:
    try:
        if address.uds is not None:
            return _unix_socket(address.uds), f"{address.scheme}+unix:{address.uds}"
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        bound = socket.create_server((address.host, address.port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise UsageError(_told(address, error)) from error
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if family is socket.AF_INET6 else host
    return bound, f"{address.scheme}://{shown}:{port}/"


def _configured(service: Service, address: Address, patience: Patience) -> uvicorn.Config:
    patience = _affordable(patience)
    config = uvicorn.Config(
        service.application(),
        http=requests_within(patience),
        ws=frames_within(patience),
        ws_ping_interval=_PING_S[0],
        ws_ping_timeout=_PING_S[1],
        log_config=None,
        access_log=False,
        server_header=False,
        ws_max_size=_FRAME_BYTES,
        ws_per_message_deflate=False,  # captions are short, and a small frame may unpack to a large one
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEPT_OPEN_S,
        timeout_graceful_shutdown=_CLOSE_S,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
        forwarded_allow_ips=None if address.uds is None else "*",  # who may connect there is a proxy
        lifespan="on",
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{address.certificate} with its key cannot be used for TLS: {error}") from error
    return config


def _affordable(patience: Patience) -> Patience:
    """``patience`` with no more connections than there may be files; the system is asked for enough."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return patience
    wanted = patience.connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = [limit for limit in (wanted, hard) if limit != resource.RLIM_INFINITY]
    if soft != resource.RLIM_INFINITY and soft < min(allowed):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(allowed), hard))
    return replace(patience, connections=max(1, min(allowed) - _OTHER_FILES))


def _unix_socket(path: Path) -> socket.socket:
    """Only its owner and group may connect. What a server that is gone has left is replaced."""
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise OSError(errno.EADDRINUSE, "another server listens there")
        path.unlink()
    bound = socket.socket(socket.AF_UNIX)
    try:
        bound.bind(str(path))
        path.chmod(0o660)
        bound.listen(1024)
    except OSError:
        bound.close()
        raise
    return bound


def _told(address: Address, error: Exception) -> str:
    where = str(address.uds) if address.uds is not None else f"{address.host} port {address.port}"
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"{where} is taken by another program; choose another with --port or --uds"
    if isinstance(error, OSError) and error.errno == errno.EACCES:
        return f"{where} may not be used by this account; ports above 1023 may"
    reason = error.strerror if isinstance(error, OSError) else error
    return f"cannot listen at {where}: {reason or error}"
