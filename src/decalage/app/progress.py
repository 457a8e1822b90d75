"""A progress bar for long inputs, on standard error and only where a person sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from decalage.contracts import AudioSource
from decalage.events import Event, Settled


@contextmanager
def progress(source: AudioSource, *, shown: bool) -> Iterator[Callable[[Event], None]]:
    """Gives a function that moves the bar to the end of each settled event."""
    if not shown or source.duration_s is None:
        yield lambda _event: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("captioning", total=source.duration_s)

        def move(event: Event) -> None:
            if isinstance(event, Settled):
                bar.update(task, completed=event.end)

        yield move
