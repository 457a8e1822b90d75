"""One run from its first event to its summary, and the ladder by which it stops early."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

from decalage.app.tally import Tally
from decalage.errors import DamagedInputError, IncompleteError
from decalage.events import Caption, Event, Failure, Gap, Start, Summary
from decalage.flow.stopping import Ladder, Step
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.stream import RuntimeStream

CAPTURE_LIMIT_S = 2.0
"""A source that has not ended this long after it was told to is no longer waited for."""
DRAIN_LIMIT_S = 30.0
"""What has been said may take this long to settle after capture has ended."""


def failures(event: Event) -> list[str]:
    """What of the speech failed in ``event``, a line each: a failure, or a target that is missing."""
    if isinstance(event, Failure):
        return [f"{event.start:.1f}-{event.end:.1f} s failed ({event.stage}: {event.error})"]
    if isinstance(event, Caption):
        place = f"{event.start:.1f}-{event.end:.1f} s"
        return [f"{place} has no {target} ({error})" for target, error in event.errors.items()]
    return []


class Completeness:
    """Remembers what was left out, to raise it at the end."""

    def __init__(self) -> None:
        self._lost: list[str] = []
        self._damaged: str | None = None

    def add(self, event: Event) -> None:
        """One event after the other."""
        self._lost += failures(event)
        if isinstance(event, Gap):
            self._lost.append(f"{event.start:.1f}-{event.end:.1f} s (gap: {event.cause})")
        elif isinstance(event, Summary):
            self._damaged = event.damaged

    def done(self) -> None:
        """Raises ``IncompleteError`` or ``DamagedInputError`` where something was."""
        if self._lost:
            raise IncompleteError(f"{len(self._lost)} pieces were not captioned: {'; '.join(self._lost)}")
        if self._damaged is not None:
            raise DamagedInputError(self._damaged)


class Session:
    """A stream between its start event and its summary. Iterate once, either way."""

    def __init__(
        self,
        runtime: LocalRuntime,
        stream: RuntimeStream,
        start: Start,
        *,
        also_stop: Callable[[], None] | None = None,
        before_close: Callable[[], None] | None = None,
        alone: bool = True,
    ) -> None:
        """``also_stop`` is done when the run is to stop early; ``alone``: it has the process to itself.

        ``before_close`` is done, by another thread, before what is unfinished is answered with failures.
        """

        def stop_capture() -> None:
            if also_stop is not None:
                also_stop()
            stream.finish()

        def close() -> None:
            if before_close is not None:
                before_close()
            runtime.close()

        self._stream = stream
        self._start = start
        self._tally = Tally(realtime=start.pace == "realtime", alone=alone)
        self.ladder = Ladder(
            [
                Step("stop capture", stop_capture, CAPTURE_LIMIT_S),
                Step("flush and drain", stream.finish, DRAIN_LIMIT_S),
                Step("close", close, 0.0),
            ]
        )

    def __iter__(self) -> Iterator[Event]:
        yield self._start
        for event in self._stream:
            self._tally.add(event)
            yield event
        yield self._summary()

    async def __aiter__(self) -> AsyncIterator[Event]:
        yield self._start
        async for event in self._stream:
            self._tally.add(event)
            yield event
        yield self._summary()

    def cancel(self) -> None:
        """Stop without waiting, whatever is unread: for a reader that leaves early. Idempotent."""
        if not self._stream.ended:
            self._stream.finish()
            self._stream.abandon("the reader left")

    def _summary(self) -> Event:
        return self._tally.summary(self._stream.statistics(), self._stream.damage)
