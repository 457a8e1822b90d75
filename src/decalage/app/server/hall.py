"""All sessions of a server: who may begin one, who finds one again, and when each is over."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from decalage.app.server.booth import Wish
from decalage.app.server.protocol import Config, Limits, ProtocolError, Reason, Resume
from decalage.app.server.session import Names, Session
from decalage.app.server.sound import Recorder
from decalage.clock import Clock, SystemClock
from decalage.config import StreamOptions
from decalage.errors import ClosedError, UnsupportedPairError, UsageError
from decalage.events import Start
from decalage.runtimes.stream import RuntimeStream

logger = logging.getLogger(__name__)

_FINISHED = 200
"""Sessions that are over and still known, at most: beyond it the oldest are forgotten before their time."""


class Interpreting(Protocol):
    """What a hall needs of a ``Booth``."""

    def options(self, wish: Wish) -> StreamOptions:
        """Raises ``UnsupportedPairError`` and ``UsageError``."""
        ...

    def start_event(self, wish: Wish, given: str) -> Start:
        """The first event of a session."""
        ...

    def open(self, options: StreamOptions) -> RuntimeStream:
        """A stream to feed."""
        ...


class Recording(Protocol):
    """Who keeps sessions."""

    def begin(self, start: Start, options: StreamOptions) -> Recorder:
        """For one more session, which it is told of by ``start``; never waits and never raises."""
        ...


def fresh_names() -> Names:
    """A secret of 192 bits and a name to listen by of 96: neither can be guessed, or found from the other."""
    return Names(secrets.token_urlsafe(24), secrets.token_urlsafe(12))


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that a client speaks in."""

    session: Session
    resumed: bool


class Hall:
    """For the event loop's thread. Pure but for the streams it opens."""

    def __init__(
        self,
        booth: Interpreting,
        limits: Limits,
        *,
        clock: Clock | None = None,
        recording: Recording | None = None,
        names: Callable[[], Names] = fresh_names,
    ) -> None:
        self.limits = limits
        self.draining = False
        self._booth = booth
        self._clock = clock or SystemClock()
        self._recording = recording
        self._names = names
        self._by_secret: dict[str, Session] = {}
        self._by_listen_id: dict[str, Session] = {}

    def __repr__(self) -> str:
        return f"<Hall {len(self.sessions)} sessions{', draining' if self.draining else ''}>"

    @property
    def sessions(self) -> list[Session]:
        """Those that are not over."""
        return [session for session in self._by_secret.values() if session.over_since is None]

    @property
    def full(self) -> bool:
        """Whether nobody else can begin: every session is somebody's, who is there or has said something."""
        return sum(not session.vacant for session in self.sessions) >= self.limits.sessions

    @property
    def known(self) -> int:
        """Sessions that can be found, those too that are over."""
        return len(self._by_secret)

    def begin(self, config: Config, given: str = "stream") -> Begun:
        """The session that ``config`` asks for, a new one or one of before. Raises ``ProtocolError``."""
        if config.resume is not None:
            return Begun(self._resumed(config, config.resume), resumed=True)
        if self.draining:
            raise ProtocolError("busy", "this server is about to stop; connect again in a minute")
        self._make_room()
        return Begun(self._opened(config, given), resumed=False)

    def find(self, listen_id: str) -> Session:
        """The session that may be listened to by this name. Raises ``ProtocolError``."""
        session = self._by_listen_id.get(listen_id)
        if session is None:
            raise ProtocolError("unknown-session", "no such session; it may have ended long ago")
        return session

    def due(self) -> None:
        """To be called some times a second: sound that waited, ends that have come, sessions to forget."""
        for session in list(self._by_secret.values()):
            try:
                session.due()
            except Exception:  # the heartbeat of all others goes on
                logger.exception("a session failed", extra={"session": session.names.listen_id})
                session.break_off("a defect of the server")
            if session.forgotten:
                self._forget(session)
        finished = [session for session in self._by_secret.values() if session.over_since is not None]
        if len(finished) > _FINISHED:
            for session in sorted(finished, key=_worth)[: len(finished) - _FINISHED]:
                self._forget(session)

    def end_all(self, reason: Reason) -> None:
        """No more sound for anybody, and no new session."""
        self.draining = True
        for session in self.sessions:
            session.end(reason)

    def break_off_all(self, told: str) -> None:
        """Answer nothing more: what is unfinished becomes failures that say ``told``."""
        for session in self.sessions:
            session.break_off(told)

    def _make_room(self) -> None:
        """End what nobody will miss, where there are too many. Raises ``ProtocolError``: not enough."""
        if self.full:
            raise ProtocolError("busy", f"all {self.limits.sessions} sessions are taken; try again later")
        if len(self.sessions) >= self.limits.sessions:
            for session in self.sessions:
                if session.vacant:
                    session.end("expired")

    def _forget(self, session: Session) -> None:
        del self._by_secret[session.names.secret]
        del self._by_listen_id[session.names.listen_id]
        logger.info("session forgotten", extra={"session": session.names.listen_id})

    def _resumed(self, config: Config, resume: Resume) -> Session:
        session = self._by_secret.get(resume.session)
        if session is None:
            raise ProtocolError("unknown-session", "no such session; its time to come back has passed")
        session.begin(config.encoding, config.sample_rate, resume)
        told = {"session": session.names.listen_id, "sent_s": resume.audio_sent_s}
        logger.info("session resumed", extra={**told, "received_s": session.sound.received_s})
        return session

    def _opened(self, config: Config, given: str) -> Session:
        wish = Wish(
            source=config.source,
            targets=config.targets,
            partials=config.partials,
            stability=config.stability,
            prompt=config.prompt,
        )
        try:
            options = self._options(wish)
            stream = self._booth.open(options)
        except UnsupportedPairError as error:
            raise ProtocolError("unsupported-language", str(error)) from error
        except UsageError as error:
            raise ProtocolError("bad-message", str(error)) from error
        except ClosedError as error:
            raise ProtocolError("busy", "this server has stopped") from error
        start = self._booth.start_event(wish, given)
        session = Session(
            self._names(),
            stream,
            start,
            wish,
            retarget=self._options,
            limits=self.limits,
            clock=self._clock,
            recorder=None if self._recording is None else self._recording.begin(start, options),
        )
        session.begin(config.encoding, config.sample_rate)
        self._by_secret[session.names.secret] = session
        self._by_listen_id[session.names.listen_id] = session
        return session

    def _options(self, wish: Wish) -> StreamOptions:
        options = self._booth.options(wish)
        return replace(options, segmenter=replace(options.segmenter, activity=True))


def _worth(session: Session) -> tuple[bool, float]:
    """By this, sessions that are over are forgotten: those in which nothing was said, then the oldest."""
    return session.sound.received_s > 0, session.over_since or 0.0
