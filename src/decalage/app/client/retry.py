"""When a lost connection is tried again, and when it is given up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from decalage.app.client.refusals import TRY_AGAIN
from decalage.app.client.socket import SocketLost
from decalage.errors import ConnectionLostError, ServerError

FIRST_S = 0.25
LONGEST_S = 5.0

T = TypeVar("T")


class Backoff:
    """Waits that double from 0.25 s to 5 s, each shortened by chance to between a half and all of it.

    Chance keeps the clients of a server that went away from coming back all at once.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        """``chance``: numbers of 0…1."""
        self._chance = chance
        self._tries = 0

    def __repr__(self) -> str:
        return f"<Backoff after {self._tries} tries>"

    def wait(self, gone_s: float, limit_s: float) -> float | None:
        """Seconds until the next try, the connection having been lost for ``gone_s``; None: given up.

        The last try is at ``limit_s``.
        """
        left_s = limit_s - gone_s
        if left_s <= 0:
            return None
        longest_s = min(LONGEST_S, FIRST_S * 2.0 ** min(self._tries, 30))
        self._tries += 1
        return min(left_s, longest_s * (0.5 + 0.5 * self._chance()))

    def succeeded(self) -> None:
        """A connection was of use: the next loss is tried again soon."""
        self._tries = 0


async def again(
    attempt: Callable[[], Awaitable[T]], lost: SocketLost, backoff: Backoff, *, limit_s: float
) -> T:
    """What ``attempt`` gives once it neither loses the connection nor is told to come back later.

    Raises ``ConnectionLostError`` after ``limit_s``, or when the server refuses.
    """
    clock = asyncio.get_running_loop().time
    since = clock()
    why: Exception = lost
    while (pause_s := backoff.wait(clock() - since, limit_s)) is not None:
        await asyncio.sleep(pause_s)
        try:
            return await attempt()
        except SocketLost as error:
            why = error
        except ServerError as error:
            if error.code not in TRY_AGAIN:
                told = f"the connection was lost, and the session cannot be gone on with: {error}"
                raise ConnectionLostError(told, error.code) from error
            why = error
    message = f"the connection was lost and not to be had again for {limit_s:.0f} s ({why})"
    raise ConnectionLostError(message, "lost") from why
