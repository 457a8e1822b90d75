"""Several outputs of one run, of which one may fail without the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from decalage.contracts import Sink
from decalage.errors import OutputError
from decalage.events import Event
from decalage.sinks.output import ReaderGoneError

logger = logging.getLogger(__name__)


class Complaints:
    """Passes on what is told of outputs, and remembers that something was."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.any = False

    def __call__(self, message: str) -> None:
        self.any = True
        self._tell(message)


class Together:
    """``contracts.Sink`` over ``sinks``: when one fails that is told, once, and the others go on without it.

    A reader that has gone is no error to tell, unless it was the last one left and another had failed.
    Raises what the last one left raises: nothing is written then.
    """

    def __init__(self, sinks: Sequence[Sink], tell: Callable[[str], None]) -> None:
        self._sinks = list(sinks)
        self._tell = tell
        self._failed = False

    def __repr__(self) -> str:
        return f"<Together {self._sinks!r}>"

    def write(self, event: Event) -> None:
        for sink in list(self._sinks):
            try:
                sink.write(event)
            except OutputError as error:
                self._leave_out(sink, error)

    def close(self) -> None:
        for sink in list(self._sinks):
            try:
                sink.close()
            except OutputError as error:
                self._leave_out(sink, error)

    def _leave_out(self, sink: Sink, error: OutputError) -> None:
        self._sinks.remove(sink)
        gone = isinstance(error, ReaderGoneError)
        if not self._sinks:
            if gone and self._failed:
                raise OutputError(f"{error}, and the other outputs have failed") from error
            raise error
        if gone:
            logger.info("%s; the other outputs go on", error)
        else:
            self._failed = True
            self._tell(f"{error}; it ends there, the other outputs go on")
