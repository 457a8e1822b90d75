"""Calls that block, made in a thread while the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")


async def off_loop(call: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """What ``call`` gives.

    Cancelled, it still waits until the call has ended: when the context around it is left, nothing is
    at work any more.
    """
    calling = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(calling)
    except asyncio.CancelledError:
        with suppress(Exception):
            await calling
        raise
