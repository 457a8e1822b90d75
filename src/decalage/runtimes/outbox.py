"""The events of a stream on their way to its reader: settled ones all, partials only the newest."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TypeAlias

from decalage.clock import Clock
from decalage.events import (
    Caption,
    LanguageChanged,
    OverloadChanged,
    Partial,
    Settled,
    SpeechStarted,
    SpeechStopped,
    StreamEvent,
)
from decalage.flow.channel import Channel
from decalage.speech import Activity, Cut, Segment


class _Newest:
    """Stands in the channel for the newest partial, whichever that is when it is read."""


_Told: TypeAlias = Settled | LanguageChanged | SpeechStarted | SpeechStopped | OverloadChanged | _Newest


class Outbox:
    """Never refuses: the stream's credit bounds the settled events that wait, and one partial may.

    ``taken`` is called for each settled event that is read. ``tells_language``: a caption in another
    language than the one before comes after an event that says so.
    """

    def __init__(self, clock: Clock, taken: Callable[[], None], *, tells_language: bool = False) -> None:
        self._channel: Channel[_Told] = Channel(float("inf"), clock=clock)
        self._on_taken = taken
        self._lock = threading.Lock()
        self._partial: Partial | None = None
        self._settled = -1  # the last index that was put
        self._tells_language = tells_language
        self._language: str | None = None  # of the last caption

    def put(self, event: Settled) -> None:
        """The next settled event, in index order."""
        with self._lock:
            self._settled = event.index
        if self._tells_language and isinstance(event, Caption) and event.source != self._language:
            before, self._language = self._language, event.source
            self._channel.put(LanguageChanged(event.index, event.source, before))
        self._channel.put(event)

    def told(self, cuts: Sequence[Cut]) -> list[Segment]:
        """The segments among ``cuts``; beginnings and ends of speech, two an utterance at most, are told."""
        segments: list[Segment] = []
        for cut in cuts:
            if isinstance(cut, Activity):
                self._channel.put((SpeechStarted if cut.speaking else SpeechStopped)(cut.time))
            else:
                segments.append(cut)
        return segments

    def tell(self, changed: OverloadChanged) -> None:
        """What is given up has changed: once in some seconds at most, while it is."""
        self._channel.put(changed)

    def show(self, partial: Partial) -> None:
        """Tell ``partial``, in place of one that has not been read yet."""
        with self._lock:
            waits, self._partial = self._partial is not None, partial
        if not waits:
            self._channel.put(_Newest())

    def close(self) -> None:
        """No more; what is inside is still read."""
        self._channel.close()

    @property
    def closed(self) -> bool:
        """Whether nothing more comes in."""
        return self._channel.closed

    def __iter__(self) -> Iterator[StreamEvent]:
        for item in self._channel:
            if (event := self._read(item)) is not None:
                yield event

    async def __aiter__(self) -> AsyncIterator[StreamEvent]:
        async for item in self._channel:
            if (event := self._read(item)) is not None:
                yield event

    def _read(self, item: _Told) -> StreamEvent | None:
        if isinstance(item, _Newest):
            with self._lock:
                partial, self._partial = self._partial, None
                return None if partial is None or partial.index <= self._settled else partial
        if isinstance(item, Settled):
            self._on_taken()
        return item
