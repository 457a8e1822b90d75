"""One speaker and all who listen: pure logic over a stream, for the event loop's thread.

::

    connection ─ frames ─▶ SessionSound ─▶ stream ─▶ told() ─▶ Replay ─▶ readers with a cursor each
      comes and goes                                            the speaker's connection is one of them

A session outlives its connection by the grace time, and what it said outlives the session as long again.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from decalage.app.server.booth import Wish
from decalage.app.server.parsing import LANGUAGES
from decalage.app.server.protocol import Limits, Overload, ProtocolError, Reason, Resume, Stats
from decalage.app.server.replay import Replay, passes
from decalage.app.server.sound import Recorder, SessionSound
from decalage.app.tally import Tally
from decalage.clock import Clock
from decalage.config import StreamOptions
from decalage.events import Caption, Event, Gap, OverloadChanged, Start, StreamEvent, Summary
from decalage.runtimes.stream import RuntimeStream
from decalage.sources.packets import Encoding

_RECENT = 100
"""Captions that the lags of ``Stats`` are of."""
_SHED_S = 10.0
"""Sound that was dropped is told of for so long."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a session is known by."""

    secret: str
    """Who has it may speak."""
    listen_id: str
    """Who has it may listen."""

    def __repr__(self) -> str:
        return f"<Names {self.listen_id}>"


class Session:
    """``retarget`` gives the options for other targets, or raises ``UnsupportedPairError``.

    ``wake`` of each reader is called when there is something new.
    """

    def __init__(
        self,
        names: Names,
        stream: RuntimeStream,
        start: Start,
        wish: Wish,
        *,
        retarget: Callable[[Wish], StreamOptions],
        limits: Limits,
        clock: Clock,
        recorder: Recorder | None = None,
    ) -> None:
        self.names = names
        self.stream = stream
        self.source = start.source
        self.targets = start.targets
        self.limits = limits
        self.replay = Replay()
        self.sound = SessionSound(stream, clock, ahead_s=limits.ahead_s, recorder=recorder)
        self.reason: Reason | None = None
        """Why no more sound is taken; None while it is."""
        self.over_since: float | None = None
        """When the last event was told."""
        self.connections = 0
        """How often somebody has begun to speak in it."""
        self._wish = replace(wish, targets=start.targets)  # with those of listeners
        self._retarget = retarget
        self._clock = clock
        self._recorder = recorder
        self._born = self._heard = clock.now()
        self._left: float | None = None
        self._displace: Callable[[], None] | None = None
        self._listeners: Counter[str | None] = Counter()
        self._wakers: set[Callable[[], None]] = set()
        self._tally = Tally(realtime=True, alone=False)
        self._lags: deque[float] = deque(maxlen=_RECENT)
        self._dropped: float | None = None  # when
        self._broken = False
        self._stats: tuple[float, Stats] | None = None
        self._add(start)

    def __repr__(self) -> str:
        return f"<Session {self.names.listen_id} {self.sound.received_s:.1f} s, {self.replay!r}>"

    def attach(self, displace: Callable[[], None]) -> int:
        """A connection speaks from now on, and the one before it no more: its ``displace`` is called."""
        before, self._displace = self._displace, displace
        self._left = None
        self._heard = self._clock.now()
        if before is not None:
            before()
        self.connections += 1
        return self.connections

    def detach(self, connection: int) -> None:
        """The connection is gone; nothing happens if another has taken its place."""
        if connection == self.connections:
            self._displace = None
            self._left = self._clock.now()

    def begin(self, encoding: Encoding, rate: int, resume: Resume | None = None) -> None:
        """Sound comes next in this form. Raises ``ProtocolError`` for an impossible place to go on from."""
        from_s = None if resume is None else resume.audio_from_s
        longest_s = self._clock.now() - self._born + self.limits.ahead_s
        if from_s is not None and from_s > longest_s:
            raise ProtocolError(
                "bad-message", f"audio_from_s {from_s:g}: the session is {longest_s:.0f} s old"
            )
        self.sound.begin(encoding, rate, from_s)

    def hear(self, frame: bytes) -> float:
        """The next sound, and how many seconds it is; none is taken once the session ends."""
        self._heard = self._clock.now()
        return 0.0 if self.reason is not None else self.sound.add(frame)

    def noticed(self) -> None:
        """The client did something else than speak."""
        self._heard = self._clock.now()

    def flush(self) -> None:
        """What was said so far is to be settled."""
        if self.reason is None:
            self.sound.flush()

    def end(self, reason: Reason) -> None:
        """No more sound: settle all. The first reason stands, but a server that stops cannot wait."""
        if self.reason is None:
            self.reason = reason
        self.sound.end(at_once=reason != "end")

    def due(self) -> None:
        """What is to be done by now: sound that waited, and an end if it is time for one."""
        now = self._clock.now()
        self.sound.due()
        self.stream.waits_from = self.sound.heard_s if self.sound.waiting_s else None
        self.stream.look()
        if self.reason is not None:
            return
        if self._left is not None:
            if now - self._left > self.limits.grace_s:
                self.end("expired")
        elif now - self._heard > self.limits.idle_s:
            self.end("idle")
        elif now - self._born > self.limits.session_s:
            self.end("too-long")

    def told(self, event: StreamEvent) -> None:
        """The stream says ``event``; what is given up is told as ``overload`` while it is."""
        self._tally.add(event)
        if isinstance(event, OverloadChanged):
            return
        if isinstance(event, Caption) and event.lag is not None:
            self._lags.append(event.lag)
        if isinstance(event, Gap) and event.captured:
            self._dropped = self._clock.now()
        self._add(event)
        self._wake()

    def break_off(self, told: str) -> None:
        """Answer nothing more: what is unfinished becomes failures that say ``told``. Idempotent.

        They are not recorded: ``decalage resume`` can answer it from a journal.
        """
        self.reason = self.reason or "end"
        self._broken = True
        if self._recorder is not None:
            self._recorder.leave()
        self.stream.abandon(told)

    def over(self) -> Summary:
        """The stream has said everything."""
        self.reason = self.reason or "end"
        self.over_since = self._clock.now()
        summary = self._tally.summary(self.stream.statistics(), self.stream.damage)
        if self._recorder is not None and not self.flushed:
            self._recorder.leave()
        self._add(summary)
        if self._recorder is not None and self.flushed:
            self._recorder.close()
        self._wake()
        return summary

    @property
    def vacant(self) -> bool:
        """Whether its client has gone and has said nothing: its place may be given to another."""
        return self._left is not None and not self.sound.received_s

    @property
    def flushed(self) -> bool:
        """Whether all sound that came was answered."""
        whole = self.stream.damage is None and not self.sound.unheard and not self.sound.waiting_s
        return self.over_since is not None and whole and not self._broken

    @property
    def forgotten(self) -> bool:
        """Whether it has been over for the grace time."""
        return self.over_since is not None and self._clock.now() - self.over_since > self.limits.grace_s

    def watch(self, wake: Callable[[], None]) -> None:
        """``wake`` is called when there is something to read."""
        self._wakers.add(wake)

    def unwatch(self, wake: Callable[[], None]) -> None:
        """``wake`` is called no more."""
        self._wakers.discard(wake)

    @property
    def listeners(self) -> int:
        """Who listens now."""
        return self._listeners.total()

    def listen(self, target: str | None) -> None:
        """Somebody reads along in ``target``, None: in whatever there is.

        Raises ``UnsupportedPairError``, and ``ProtocolError`` where there are too many languages.
        """
        targets = self._targets_with(target)
        if len(targets) > LANGUAGES:
            raise ProtocolError("busy", f"{LANGUAGES} languages are read already; read one of them")
        self._change(targets)
        self._listeners[target] += 1

    def leave(self, target: str | None) -> None:
        """The same as before, but not any more; a language that nobody wants is translated no more."""
        self._listeners[target] -= 1
        self._listeners += Counter()  # without those at zero
        if self.reason is None:
            self._change(self._targets_with(None))

    def stats(self) -> Stats:
        """How it does; made once a second, however many ask."""
        now = self._clock.now()
        if self._stats is not None and now - self._stats[0] < 1.0:
            return self._stats[1]
        p50, p95 = np.percentile(list(self._lags), [50, 95]) if self._lags else (None, None)
        stats = Stats(
            audio_received_s=self.sound.received_s,
            behind_s=round(self.stream.behind_s, 2),
            listeners=self.listeners,
            lag_p50=None if p50 is None else round(float(p50), 3),
            lag_p95=None if p95 is None else round(float(p95), 3),
        )
        self._stats = (now, stats)
        return stats

    def overload(self) -> Overload:
        """How late it is, and what is given up for that: nothing where it is not."""
        shedding: list[str] = [] if self.stream.ended else list(self.stream.overload.shed)
        if self._dropped is not None and self._clock.now() - self._dropped < _SHED_S:
            shedding.append("sound")
        return Overload(round(self.stream.behind_s, 2), self.stream.overload.policy, tuple(shedding))

    def _add(self, event: Event) -> None:
        """Number ``event``; all but what passes is recorded."""
        told = self.replay.add(event)
        if self._recorder is not None and not passes(event):
            self._recorder.event(told.seq, event)

    def _targets_with(self, target: str | None) -> tuple[str, ...]:
        wanted = [each for each in (*sorted(filter(None, self._listeners)), target) if each is not None]
        others = [each for each in wanted if each != self.source]
        return tuple(dict.fromkeys([*self.targets, *others]))

    def _change(self, targets: tuple[str, ...]) -> None:
        if targets != self._wish.targets:
            wish = replace(self._wish, targets=targets)
            self.stream.choices.change(self._retarget(wish))
            self._wish = wish

    def _wake(self) -> None:
        for wake in list(self._wakers):
            wake()
