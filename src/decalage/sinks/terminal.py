"""Captions for a person at a terminal, or at the end of a pipe.

On a terminal settled captions scroll up and the last line is rewritten: what is being said, or how
far the stream is. In a pipe there are only plain lines, no control codes, nothing rewritten.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.segment import Segment
from rich.text import Text

from decalage.events import (
    Caption,
    Event,
    Failure,
    Gap,
    LanguageChanged,
    OverloadChanged,
    Partial,
    Settled,
)
from decalage.sinks.captions import Show, clean, clock, shown
from decalage.sinks.echo import NoControlEcho
from decalage.sinks.output import TextOutput

_NARROW = 44
"""Columns under which the time stands above the text, not beside it."""
_INDENT = 7
"""The width of ``mm:ss`` and two spaces; from an hour on it is more."""
_REFRESH_PER_S = 4
_NO_BREAK = "\u00a0"
_JOINT = "\ue000"
"""Stands for ``_NO_BREAK`` until lines are wrapped: rich would break them there as at any other space."""


class _Now:
    """Whatever it is at the moment it is drawn, also together with what is printed above it."""

    def __init__(self, drawn: Callable[[], RenderableType]) -> None:
        self._drawn = drawn

    def __rich__(self) -> RenderableType:
        return self._drawn()


class _Joined:
    """``block`` with no-break spaces in the place of its joints."""

    def __init__(self, block: RenderableType) -> None:
        self._block = block

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for text, style, control in console.render(self._block, options):
            yield Segment(text.replace(_JOINT, _NO_BREAK), style, control)


class TerminalSink:
    """Source above translation, time at the left, lag at the end of the last line."""

    def __init__(
        self, console: Console, *, show: Show, live: bool, status: Callable[[], str] | None = None
    ) -> None:
        """``status`` is asked for the last line, four times a second; None: the state of the stream."""
        self._console = console
        self._show = show
        self._status = status
        self._output = TextOutput(console.file, "standard output")  # type: ignore[arg-type]
        self._below: RenderableType = Text()
        self._live = None
        if live and console.is_terminal:
            self._live = Live(
                _Now(self._bottom),
                console=console,
                auto_refresh=status is not None,
                refresh_per_second=_REFRESH_PER_S,
                transient=True,
            )
        self._echo = NoControlEcho()
        if self._live is not None:
            self._echo.__enter__()
            self._live.start()
        self._partials: dict[int, Partial] = {}

    def write(self, event: Event) -> None:
        try:
            if isinstance(event, Partial):
                self._partials[event.index] = event
            elif isinstance(event, Settled):
                self._partials.pop(event.index, None)
            self._prepare(event)  # what is printed is drawn with the lines below it
            if isinstance(event, Settled):
                self._settled(event)
            elif isinstance(event, LanguageChanged):
                self._console.print(Text(f"[speech in {event.language}]", "dim"))
            elif isinstance(event, OverloadChanged) and self._live is not None:
                self._console.print(Text(f"[{overload_text(event)}]", "yellow"))
            if self._live is not None:
                self._live.refresh()
        except OSError as error:
            raise self._output.refusal(error) from error

    def close(self) -> None:
        try:
            if self._live is not None:
                self._live.stop()
                self._echo.__exit__(None, None, None)
            self._output.close()
        except OSError as error:
            raise self._output.refusal(error) from error

    def _settled(self, event: Settled) -> None:
        width = self._console.width if self._console.is_terminal else None
        block = settled_block(event, self._show, width)
        if block is not None:
            self._console.print(block, soft_wrap=not self._console.is_terminal)
            self._console.file.flush()

    def _prepare(self, event: Event) -> None:
        """The last line: provisional text where there is some, else the stream's state."""
        if self._partials:
            blocks = [_provisional(p, self._show, self._console.width) for p in self._partials.values()]
            self._below = Group(*blocks)
        elif isinstance(event, Settled):
            lag = f" · lag {event.lag:.1f} s" if isinstance(event, Caption) and event.lag else ""
            state = "" if self._status is not None else f"listening · {clock(event.end)}{lag}"
            self._below = Text(state, "dim", no_wrap=True)
        elif event.type == "start" and self._status is None:
            self._below = Text("listening", "dim")

    def _bottom(self) -> RenderableType:
        """What is rewritten: provisional text, then the state."""
        if self._status is None:
            return self._below
        return Group(self._below, Text(self._status(), "dim", no_wrap=True))


def overload_text(event: OverloadChanged) -> str:
    """What changed, in a few words."""
    if not event.shedding:
        return "on time again"
    names = {
        "partials": "captions that grow",
        "speculation": "work ahead of the end of a phrase",
        "beam": "the wide search",
        "model": "the large model",
    }
    given_up = ", ".join(names.get(step, step) for step in event.shedding)
    return f"{event.behind_s:.0f} s behind: without {given_up}"


def settled_block(event: Settled, show: Show, width: int | None) -> RenderableType | None:
    """The lines of a settled event, wrapped to ``width`` or plain; None for one that is not shown."""
    lines = _lines(event, show, " " if width is None else _JOINT)
    if not lines:
        return None
    block = _placed(clock(event.start), lines, width)
    return block if width is None else _Joined(block)


def _lines(event: Settled, show: Show, space: str) -> list[Text]:
    if isinstance(event, Caption):
        return _caption_lines(event, show, space)
    if isinstance(event, Gap):
        why = f"{event.end - event.start:.1f} s not captioned: {event.cause}"
        return [Text(f"[{why}]", "yellow")]
    if isinstance(event, Failure):
        heard = [Text(clean(text)) for text in event.text.values()]
        return [*heard, Text(f"[{event.stage} failed: {clean(event.error)}]", "red")]
    return []


def _caption_lines(event: Caption, show: Show, space: str) -> list[Text]:
    """``space`` stands between a number and its unit."""
    texts = shown(event, show)
    named = len(texts) > 2
    lines = []
    for language, text in texts:
        style = "bold" if language != event.source or len(texts) == 1 else "dim"
        lines.append(Text(f"{language}: {text}" if named else text, style))
    for target, error in event.errors.items():
        lines.append(Text(f"[{target} failed: {clean(error)}]", "red"))
    if event.lag is not None and lines:
        lines[-1].append(f"  +{event.lag:.1f}{space}s", "not bold dim cyan")
    return lines


def _provisional(event: Partial, show: Show, width: int) -> RenderableType:
    lines = []
    for language, text in shown(event, show):
        held = event.stable.get(language, 0)
        lines.append(Text.assemble((text[:held], "italic"), (text[held:] + " …", "dim italic")))
    return _placed(clock(event.start), lines, width)


def _placed(time: str, lines: list[Text], width: int | None) -> RenderableType:
    """``lines`` with their time: beside them with a hanging indent, above them where it is narrow."""
    indent = max(_INDENT, len(time) + 2)
    if width is None:
        return Text("\n").join(
            Text.assemble(f"{time:<{indent}}" if not number else " " * indent, line)
            for number, line in enumerate(lines)
        )
    if width < _NARROW:
        return Group(Text(time, "dim"), *lines)
    head = Text.assemble((f"{time:<{indent}}", "dim"))
    wrapped = [Padding(line, (0, 0, 0, indent)) for line in lines[1:]]
    return Group(_beside(head, lines[0], indent), *wrapped)


def _beside(head: Text, line: Text, indent: int) -> RenderableType:
    from rich.table import Table  # noqa: PLC0415 - only for wide terminals

    table = Table.grid(padding=0)
    table.add_column(width=indent, no_wrap=True)
    table.add_column()
    table.add_row(head, line)
    return table
