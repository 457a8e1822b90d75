"""Plain lines: what was said, nothing else."""

from __future__ import annotations

from decalage.events import Caption, Event
from decalage.sinks.captions import Show, shown
from decalage.sinks.output import TextOutput


class PlainTextSink:
    """A line for each text of a caption; with several languages in view each line names its own."""

    def __init__(self, output: TextOutput, show: Show) -> None:
        self._output = output
        self._show = show

    def write(self, event: Event) -> None:
        if not isinstance(event, Caption):
            return
        texts = shown(event, self._show)
        for language, text in texts:
            self._output.line(f"{language}: {text}" if len(texts) > 1 else text)

    def close(self) -> None:
        self._output.close()
