"""From a source through a server to the sinks of this machine, and how that is stopped.

::

    source ── capture thread ──▶ Channel ── task ──▶ Speaking ──▶ sinks
              waits for sound    10 s                             the main task

Stopping: the source is told to stop (2 s), what was heard is sent and its captions are waited for
(30 s), then the connection is closed. A second request closes it at once.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass, replace
from types import FrameType

from decalage.app.client.messages import Closed
from decalage.app.client.speaking import Speaking
from decalage.app.session import CAPTURE_LIMIT_S, DRAIN_LIMIT_S, failures
from decalage.app.stopping import catch
from decalage.audio import AudioChunk
from decalage.contracts import AudioSource, Sink
from decalage.errors import DamagedInputError, InputError, ServerError
from decalage.events import Event, Summary
from decalage.flow.channel import Channel, ChannelClosed

ROOM_S = 10.0
"""Sound that may wait between the capture and the connection."""
_JOIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went."""

    lost: tuple[str, ...]
    """What of the speech failed, a line each."""
    summary: Summary | None = None
    """None: it did not come."""
    interrupted: bool = False
    """Whether Ctrl-C ended it."""
    damaged: str | None = None
    """Why the source stopped decoding, if it did."""
    closed: Closed | None = None
    """How the server ended the session; None: it did not, or it was listened to."""
    left: bool = False
    """Whether the session was left before its last captions."""


def speak(speaking: Speaking, source: AudioSource, open_sinks: Callable[[], Sequence[Sink]]) -> Outcome:
    """All of ``source`` through ``speaking``; ``open_sinks`` is asked once the session has begun.

    Raises as ``Speaking`` does, ``OutputError``, and what ``source`` raises but for damage.
    """
    relay = _Relay()
    return asyncio.run(relay.speak(speaking, source, open_sinks))


def listen(events: AsyncGenerator[Event, None], open_sinks: Callable[[], Sequence[Sink]]) -> Outcome:
    """All of ``events``, until they end or a signal ends it; ``open_sinks`` is asked at the first.

    Raises as ``listened``, and ``OutputError``.
    """
    relay = _Relay()
    return asyncio.run(relay.listen(events, open_sinks))


class _Relay:
    """One run; its methods are called from its event loop."""

    def __init__(self) -> None:
        self._signals: list[int] = []
        self._begun = False
        self._main: asyncio.Task[object] | None = None
        self._summary: Summary | None = None
        self._lost: list[str] = []
        self._damaged: str | None = None

    async def speak(
        self, speaking: Speaking, source: AudioSource, open_sinks: Callable[[], Sequence[Sink]]
    ) -> Outcome:
        sound: Channel[AudioChunk] = Channel(ROOM_S)
        failed: list[Exception] = []
        capture = threading.Thread(
            target=_captured, args=(source, sound, failed), name="capture", daemon=True
        )
        with ExitStack() as stack, self._stopped_by_signals(lambda: self._finish(source, sound)):
            stack.callback(source.stop)
            try:
                async with speaking:
                    self._begun = True
                    sinks = _opened(open_sinks, stack)
                    stack.callback(_ended, capture, source, sound)
                    capture.start()
                    await self._through(speaking, sound, sinks)
                self._judge(failed)
            except asyncio.CancelledError:
                if not self._signals:
                    raise
            return replace(self._outcome(), closed=speaking.closed, left=speaking.closed is None)

    async def listen(
        self, events: AsyncGenerator[Event, None], open_sinks: Callable[[], Sequence[Sink]]
    ) -> Outcome:
        sinks: Sequence[Sink] = ()
        with ExitStack() as stack, self._stopped_by_signals(lambda: None):
            try:
                async with aclosing(events):
                    async for event in events:
                        sinks = sinks or _opened(open_sinks, stack)
                        self._write(event, sinks)
            except asyncio.CancelledError:
                if not self._signals:
                    raise
            return self._outcome()

    async def _through(self, speaking: Speaking, sound: Channel[AudioChunk], sinks: Sequence[Sink]) -> None:
        sending = asyncio.create_task(_sent(speaking, sound))
        try:
            async for event in speaking:
                self._write(event, sinks)
        finally:
            sending.cancel()
            await asyncio.wait([sending])
        if not sending.cancelled():
            sending.result()

    def _judge(self, failed: Sequence[Exception]) -> None:
        """What the source raised: damage is told, and having heard nothing is no error for who stops it."""
        for error in failed:
            if isinstance(error, DamagedInputError):
                self._damaged = str(error)
            elif not (self._signals and isinstance(error, InputError)):
                raise error

    def _write(self, event: Event, sinks: Sequence[Sink]) -> None:
        for sink in sinks:
            sink.write(event)
        self._lost += failures(event)
        if isinstance(event, Summary):
            self._summary = event

    def _outcome(self) -> Outcome:
        return Outcome(
            lost=tuple(self._lost),
            summary=self._summary,
            interrupted=signal.SIGINT in self._signals,
            damaged=self._damaged,
        )

    def _finish(self, source: AudioSource, sound: Channel[AudioChunk]) -> None:
        """The first rungs: no more sound, then its captions, each with a time."""
        loop = asyncio.get_running_loop()
        source.stop()
        loop.call_later(CAPTURE_LIMIT_S, sound.close)
        loop.call_later(CAPTURE_LIMIT_S + DRAIN_LIMIT_S, self._cancel)

    def _cancel(self) -> None:
        if self._main is not None:
            self._main.cancel()

    @contextmanager
    def _stopped_by_signals(self, finish: Callable[[], None]) -> Iterator[None]:
        """Ctrl-C, SIGTERM and a closed terminal: ``finish`` once a session has begun, else the end."""
        loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()

        def stop(number: int) -> None:
            self._signals.append(number)
            if self._begun and len(self._signals) == 1:
                finish()
            else:
                self._cancel()

        def caught(number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(stop, number)

        before = catch(caught)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _opened(open_sinks: Callable[[], Sequence[Sink]], stack: ExitStack) -> Sequence[Sink]:
    """The sinks, which ``stack`` closes."""
    sinks = open_sinks()
    for sink in sinks:
        stack.callback(sink.close)
    return sinks


def _captured(source: AudioSource, sound: Channel[AudioChunk], failed: list[Exception]) -> None:
    """The capture thread: ``source`` into ``sound``, which is closed at its end.

    What the source raises goes into ``failed``.
    """
    try:
        for chunk in source:
            sound.put(chunk, chunk.duration)
    except ChannelClosed:
        source.stop()
    except Exception as error:  # a thread's edge: it is raised, or told, by who reads the captions
        failed.append(error)
    finally:
        sound.close()


def _ended(capture: threading.Thread, source: AudioSource, sound: Channel[AudioChunk]) -> None:
    """No more sound; a capture that does not end soon is left behind."""
    source.stop()
    sound.cancel()
    capture.join(_JOIN_S)


async def _sent(speaking: Speaking, sound: Channel[AudioChunk]) -> None:
    """All of ``sound``, then the end; of a connection that fails the reader of the captions hears."""
    try:
        async for chunk in sound:
            await speaking.send(chunk)
    except ServerError:
        return
    finally:
        await speaking.end()
