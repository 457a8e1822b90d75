"""Captions of a file by a server, for a program without an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import suppress
from os import PathLike

from decalage.app.client.client import Client
from decalage.app.client.speaking import Speaking
from decalage.app.compose import open_source
from decalage.app.session import Completeness
from decalage.app.settings import Settings
from decalage.contracts import AudioSource
from decalage.errors import ServerError
from decalage.events import Caption


def captions(
    url: str,
    sound: str | PathLike[str],
    *,
    source: str | None = None,
    targets: Sequence[str] | str = (),
    token: str | None = None,
) -> Iterator[Caption]:
    """Captions of a file or URL, by the server at ``url``, in spoken order and at speaking pace.

    No thread is started: sound goes out while the next caption is waited for, so take them as they
    come. Not from inside an event loop. Raises as ``Client`` and ``Speaking`` do, ``InputError`` for
    ``sound``, and after the last caption ``IncompleteError`` or ``DamagedInputError`` where something
    was left out.
    """
    client = Client(url, token=token)
    opened = open_source(str(sound), Settings())
    told = _captioned(client.speak(source=source, targets=targets), opened)
    with asyncio.Runner() as runner:
        try:
            while (caption := runner.run(_next(told))) is not None:
                yield caption
        finally:
            runner.run(told.aclose())


async def _next(told: AsyncGenerator[Caption, None]) -> Caption | None:
    return await anext(told, None)


async def _captioned(session: Speaking, source: AudioSource) -> AsyncGenerator[Caption, None]:
    check = Completeness()
    async with session as speaking:
        sending = asyncio.create_task(_sent(source, speaking))
        try:
            async for event in speaking:
                check.add(event)
                if isinstance(event, Caption):
                    yield event
        finally:
            source.stop()
            sending.cancel()
            await asyncio.wait([sending])
    check.done()
    with suppress(asyncio.CancelledError):
        sending.result()


async def _sent(source: AudioSource, speaking: Speaking) -> None:
    """All of ``source`` as if it were spoken now, then the end; of the connection the reader hears.

    Raises ``DamagedInputError``.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        for chunk in source:
            await asyncio.sleep(max(0.0, began + chunk.end - clock()))
            await speaking.send(chunk)
    except ServerError:
        return
    finally:
        await speaking.end()
