"""The Python API: one object that hears one language and gives others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from types import TracebackType
from typing import TypeAlias

from decalage.app.compose import make_blueprint, make_runtime, open_source, start_event, stream_options
from decalage.app.session import Completeness, Session
from decalage.app.settings import Settings
from decalage.config import Pace, RuntimeName, StreamOptions
from decalage.contracts import Stream
from decalage.events import Caption, Event

Input: TypeAlias = str | PathLike[str]


class Interpreter:
    """Translates speech on this machine. Models load once, when it is made.

    ::

        with Interpreter(source="en", targets=["pt"]) as interpreter:
            for caption in interpreter.translate("talk.mp4"):
                print(caption.start, caption.text["pt"])

    ``source`` and ``targets`` are BCP 47 codes. Other choices go into ``settings``, which the named
    arguments override: ``Interpreter(settings=Settings(workers=2, stability="reading"))``.

    Raises ``UnsupportedPairError`` and ``UsageError`` for what cannot be done, ``MissingPartError`` where
    a model is not here: all of them are ``DecalageError``, from ``decalage.errors``. Use it from one
    thread, or one event loop, per stream; several streams may run at once.
    """

    def __init__(
        self,
        *,
        source: str | None = None,
        targets: Sequence[str] | None = None,
        model: str | None = None,
        runtime: RuntimeName | None = None,
        settings: Settings | None = None,
    ) -> None:
        base = settings or Settings()
        self.settings = replace(
            base,
            source=source or base.source,
            targets=base.targets if targets is None else _several(targets),
            model=model or base.model,
            runtime=runtime or base.runtime,
        )
        self._blueprint = make_blueprint(self.settings)
        self._runtime = make_runtime(self.settings, self._blueprint)

    def __repr__(self) -> str:
        pair = f"{self.settings.source} → {', '.join(self.settings.targets)}"
        return f"<Interpreter {pair} {self.settings.model} {self.settings.runtime}>"

    def __enter__(self) -> Interpreter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Interpreter:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def translate(self, source: Input, *, pace: Pace = "max") -> Iterator[Caption]:
        """Captions of a file or URL, in spoken order.

        Nothing is left out in silence: after the last caption raises ``IncompleteError`` if some
        speech failed or was dropped, ``DamagedInputError`` if the input stopped decoding. ``events``
        gives the same as values, each in its place.
        """
        check = Completeness()
        for event in self.events(source, pace=pace):
            if isinstance(event, Caption):
                yield event
            check.add(event)
        check.done()

    def events(self, source: Input, *, pace: Pace = "max") -> Iterator[Event]:
        """Everything: start, partials, settled events in order, summary. Closing it early stops the run."""
        session = self._session(source, pace)
        try:
            yield from session
        finally:
            session.cancel()

    async def translate_async(self, source: Input, *, pace: Pace = "max") -> AsyncIterator[Caption]:
        """``translate`` for asyncio."""
        check = Completeness()
        async for event in self.events_async(source, pace=pace):
            if isinstance(event, Caption):
                yield event
            check.add(event)
        check.done()

    async def events_async(self, source: Input, *, pace: Pace = "max") -> AsyncIterator[Event]:
        """``events`` for asyncio; opening the input and closing block the loop, reading does not."""
        session = self._session(source, pace)
        try:
            async for event in session:
                yield event
        finally:
            session.cancel()

    def open(self, options: StreamOptions | None = None) -> Stream:
        """A stream to feed with sound of one's own, 16 kHz mono float32: ``feed``, ``finish``, iterate.

        ::

            stream = interpreter.open()
            stream.feed(AudioChunk(0, samples))       # the number of its first sample, shape (n,)
            stream.finish()
            captions = [event for event in stream if isinstance(event, Caption)]
        """
        return self._runtime.open(options or stream_options(self.settings, self._blueprint))

    def close(self) -> None:
        """Stop everything and free the models. Idempotent."""
        self._runtime.close()

    def _session(self, source: Input, pace: Pace) -> Session:
        settings = replace(self.settings, pace=pace)
        opened = open_source(str(source), settings)
        stream = self._runtime.run(opened, stream_options(settings, self._blueprint))
        workers = self._runtime.options.workers
        return Session(self._runtime, stream, start_event(settings, self._blueprint, opened.name, workers))


def _several(targets: Sequence[str]) -> tuple[str, ...]:
    """One language may be given without a list around it."""
    return (targets,) if isinstance(targets, str) else tuple(targets)
