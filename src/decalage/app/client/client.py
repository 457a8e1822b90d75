"""The Python API of a client: one object for a server, sessions to speak into or to read along."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from types import TracebackType

from decalage.app.client.address import Address
from decalage.app.client.exchange import Tell
from decalage.app.client.listening import listened
from decalage.app.client.messages import config
from decalage.app.client.socket import Connection, connect
from decalage.app.client.speaking import Speaking
from decalage.config import Stability
from decalage.errors import UsageError
from decalage.events import Event

logger = logging.getLogger(__name__)


class Client:
    """A server's address, and what this program is allowed there.

    ::

        async with Client("http://127.0.0.1:8765") as client:
            async with client.speak(source="en", targets=["pt"]) as speaking:
                print(client.link(speaking.listen_id, "pt"))
                await speaking.send(samples)        # 16 kHz mono float32, shape (n,); from another task
                await speaking.end()
                async for event in speaking:
                    print(event)

    ``url``: http, https, ws or wss, with or without a path; a link to read along is one too.
    ``token``: where the server wants one. ``tell`` gets a line on what happens to the connection; None:
    it is logged. Connects only when a session begins. Raises ``UsageError`` for what is no address.
    """

    def __init__(self, url: str, *, token: str | None = None, tell: Tell | None = None) -> None:
        self.address = Address.parsed(url)
        self._token = token
        self._tell = tell or logger.warning
        self._sessions: list[Speaking] = []  # as many as were opened here

    def __repr__(self) -> str:
        return f"<Client {self.address}>"

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the sessions that were opened here and still speak."""
        for speaking in self._sessions:
            await speaking.close()

    def speak(
        self,
        *,
        source: str | None = None,
        targets: Sequence[str] | str = (),
        partials: bool = True,
        stability: Stability | None = None,
        prompt: str | None = None,
    ) -> Speaking:
        """A session to speak into, which begins when it is entered.

        Languages are BCP 47 codes, ``source`` may be ``auto``; what is left out is the server's choice.
        """
        opening = config(
            source=source,
            targets=(targets,) if isinstance(targets, str) else tuple(targets),
            partials=partials,
            stability=stability,
            prompt=prompt,
        )
        dial = partial(connect, self.address, self.address.stream, self._token)
        speaking = Speaking(dial, opening, self._tell)
        self._sessions.append(speaking)
        return speaking

    def listen(
        self, listen_id: str | None = None, *, target: str | None = None, partials: bool = True
    ) -> AsyncGenerator[Event, None]:
        """The events of a session until it is over; the last 50 settled ones come first.

        ``listen_id``: as told by who speaks, or the link to read along; None: that of the client's own
        address. ``target``: one language; None: that of the link, else all. A lost connection is made
        again, and no event comes twice. Raises ``UnreachableError`` and ``ServerRefusalError`` at the
        beginning, ``ConnectionLostError`` and ``ServerError`` later on.
        """
        address = self.address
        if listen_id is not None and "://" in listen_id:
            address, listen_id = Address.parsed(listen_id), None
        listen_id = listen_id or address.listen_id
        if not listen_id:
            raise UsageError("no session to listen to; give its link, or the id that the speaker sees")
        wanted = partial(address.captions, listen_id, target=target or address.target, partials=partials)

        async def join(after: int) -> Connection:
            return await connect(address, wanted(after=after), self._token)

        return listened(join, self._tell)

    def link(self, listen_id: str, target: str | None = None) -> str:
        """The page on which others read along, in ``target`` alone or in all languages."""
        return self.address.link(listen_id, target)
