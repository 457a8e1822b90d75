"""The connection itself: a WebSocket whose ways to end are told apart."""

from __future__ import annotations

import json
import logging
import os
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from decalage.app.client.address import Address
from decalage.app.client.messages import Message, parsed
from decalage.app.client.refusals import answered_with, closed_with, refusal
from decalage.errors import MissingPartError, UnreachableError, one_line

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection
    from websockets.exceptions import ConnectionClosed

OPEN_LIMIT_S = 10.0
"""A server that has not answered after so long is not reached."""
_CLOSE_LIMIT_S = 1.0
_ALIVE_EVERY_S = 5.0
_ALIVE_LIMIT_S = 15.0
"""A connection over which no answer comes for so long is lost."""
_LARGEST = 1 << 24
"""Bytes of a message; those of a server with many languages are long."""


class SocketLost(Exception):  # noqa: N818 - names a state
    """The connection broke, or nobody answers: what was asked may be asked again."""


class Connection(Protocol):
    """An open connection to a server, in order both ways until it is lost."""

    async def send(self, message: bytes | Mapping[str, object]) -> None:
        """Sound, or an object. Raises ``SocketLost``."""
        ...

    async def receive(self) -> Message | None:
        """The next message; None for one that asks for nothing.

        Raises ``SocketLost``, and ``ServerError`` where the server closed for a reason.
        """
        ...

    async def close(self) -> None:
        """Within a second. Idempotent."""
        ...


class Socket:
    """A ``Connection`` over the websockets library."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, message: bytes | Mapping[str, object]) -> None:
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415

        frame = message if isinstance(message, bytes) else json.dumps(message)
        try:
            await self._connection.send(frame)
        except ConnectionClosed as error:
            raise SocketLost(_broken(error)) from error

    async def receive(self) -> Message | None:
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415

        try:
            text = await self._connection.recv()
        except ConnectionClosed as error:
            raise _meant(error) from error
        return parsed(text) if isinstance(text, str) else None

    async def close(self) -> None:
        await self._connection.close()


async def connect(address: Address, url: str, token: str | None = None) -> Socket:
    """A connection to ``url`` of the server at ``address``.

    Raises ``SocketLost`` when nobody answers now, ``ServerRefusalError`` when the server does not let us
    in, ``UnreachableError`` when something else than a server answers, ``MissingPartError``.
    """
    try:
        from websockets.asyncio.client import connect as open_connection  # noqa: PLC0415
        from websockets.exceptions import InvalidStatus, WebSocketException  # noqa: PLC0415
    except ImportError as error:
        raise MissingPartError("the client needs: pip install '.[server]' in the clone") from error
    try:
        connection = await open_connection(
            url,
            additional_headers={"Authorization": f"Bearer {token}"} if token else None,
            compression=None,  # sound does not get smaller
            open_timeout=OPEN_LIMIT_S,
            close_timeout=_CLOSE_LIMIT_S,
            ping_interval=_ALIVE_EVERY_S,
            ping_timeout=_ALIVE_LIMIT_S,
            max_size=_LARGEST,
            proxy=None if address.here else True,
            logger=_discreet(),
        )
    except InvalidStatus as error:
        status = error.response.status_code
        fault = answered_with(status)
        if fault is not None:
            raise refusal(fault) from error
        if status >= 500:
            raise SocketLost(f"{address} answers HTTP {status}") from error
        raise UnreachableError(f"{address} is no server of captions: it answers HTTP {status}") from error
    except (OSError, EOFError, TimeoutError) as error:
        raise SocketLost(f"{address} cannot be reached: {_why(error)}") from error
    except WebSocketException as error:
        if isinstance(error.__cause__, (EOFError, OSError)):
            raise SocketLost(f"{address} cannot be reached: {_why(error.__cause__)}") from error
        raise UnreachableError(f"{address} is no server of captions: {one_line(error)}") from error
    return Socket(connection)


def _discreet() -> logging.Logger:
    """The library's: below INFO it tells each header and frame, and so the token, secrets and words."""
    logger = logging.getLogger(f"{__name__}.library")
    logger.setLevel(logging.INFO)
    return logger


def _why(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); set SSL_CERT_FILE to one that is"
    if isinstance(error, ssl.SSLError):
        return "it does not speak TLS; try http instead of https"
    if isinstance(error, EOFError):
        return "it hung up before it answered; where it speaks TLS, try https"
    if isinstance(error, OSError) and error.errno is not None:
        told = os.strerror(error.errno) if error.errno > 0 else error.strerror  # of a name, not of the system
        return (told or str(error)).lower()
    return one_line(error) or type(error).__name__


def _meant(error: ConnectionClosed) -> Exception:
    """What a connection that has closed says: the server's own reason, or none that matters."""
    theirs = error.rcvd
    fault = None if theirs is None else closed_with(theirs.code, theirs.reason)
    return SocketLost(_broken(error)) if fault is None else refusal(fault)


def _broken(error: ConnectionClosed) -> str:
    if error.rcvd is not None:
        return f"closed with {error.rcvd.code} {error.rcvd.reason}".rstrip()
    return "it broke off" if error.sent is None else f"nothing came for {_ALIVE_LIMIT_S:.0f} s"
