"""Captions on a terminal of a given width, drawn by a terminal emulator, and in a pipe."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Literal

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from decalage.events import Event, OverloadChanged
from decalage.sinks.captions import Show
from decalage.sinks.terminal import TerminalSink
from tests.sinks.events import START, SUMMARY, caption, failure, gap, partial, rejected

LONG = "And so, my fellow Americans: ask not what your country can do for you. " * 4
MIXED = LONG + "你好世界" * 20 + " supercalifragilistic" * 3 + "x" * 80
RUN: list[Event] = [
    START,
    partial(0, 0, en="And so"),
    partial(0, 1, en=LONG, pt=LONG),
    partial(1, 0, en="Then"),
    caption(0, 1.4, en=LONG, pt=MIXED),
    rejected(1),
    gap(2),
    failure(3, error="worker lost " * 10, en="Well."),
    partial(4, 0, en="The end"),
    caption(4, 0.9, en="The end.", pt="O fim."),
    SUMMARY,
]


def written(
    *events: Event, width: int = 60, terminal: bool = True, live: bool = True, show: Show = "both"
) -> str:
    """What a terminal, or a pipe, is sent."""
    stream = StringIO()
    colours: Literal["standard"] | None = "standard" if terminal else None
    console = Console(
        file=stream, width=width, height=24, force_terminal=terminal, highlight=False, color_system=colours
    )
    sink = TerminalSink(console, show=show, live=live)
    for event in events:
        sink.write(event)
    sink.close()
    return stream.getvalue()


def screen(text: str, width: int = 60) -> pyte.Screen:
    """A terminal after ``text``."""
    drawn = pyte.Screen(width, 100)
    pyte.Stream(drawn).feed(text.replace("\n", "\r\n"))
    return drawn


def lines(text: str, width: int = 60) -> list[str]:
    """What stands on a terminal after ``text``, down to its last line with something in it."""
    shown = [line.rstrip() for line in screen(text, width).display]
    while shown and not shown[-1]:
        shown.pop()
    return shown


def test_a_caption_stands_source_first_with_its_time_and_lag() -> None:
    assert lines(written(caption(0, 1.4, en="Hi there.", pt="Oi."))) == [
        "00:00  Hi there.",
        "       Oi.  +1.4\u00a0s",
    ]


@pytest.mark.parametrize(
    ("show", "shown"), [("source", "00:00  Hi."), ("target", "00:00  Oi."), ("both", "00:00  Hi.")]
)
def test_the_first_line_is_what_was_asked_for(show: Show, shown: str) -> None:
    assert lines(written(caption(en="Hi.", pt="Oi."), show=show))[0] == shown


def test_gaps_and_failures_are_seen_and_rejections_are_not() -> None:
    assert lines(written(gap(0), rejected(1), failure(2, en="Well."))) == [
        "00:00  [2.5 s not captioned: overload]",
        "00:08  Well.",
        "       [mt failed: out of memory]",
    ]


@pytest.mark.parametrize("width", [60, 30])
@pytest.mark.parametrize("live", [True, False])
def test_what_was_rewritten_leaves_the_settled_lines_and_nothing_else(width: int, live: bool) -> None:
    settled = [event for event in RUN if event.type not in ("partial", "start")]
    after = written(*RUN, width=width, live=live)
    assert lines(after, width) == lines(written(*settled, width=width, live=False), width)
    assert "The end." in "\n".join(lines(after, width))


@pytest.mark.parametrize("terminal", [True, False])
def test_from_an_hour_on_time_and_text_stand_apart(terminal: bool) -> None:
    late = replace(caption(0, 1.4, en="Bye."), start=3700.0, end=3701.0)
    assert lines(written(late, terminal=terminal))[0].startswith("1:01:40  Bye.")


def test_what_is_given_up_is_told_on_a_terminal_and_not_in_a_pipe() -> None:
    late = OverloadChanged(4.0, 3.2, "degrade", ("partials", "beam"))
    events = (late, caption(0, 1.4, en="Hi.", pt="Oi."), replace(late, shedding=()))
    assert lines(written(*events)) == [
        "[3 s behind: without captions that grow, the wide search]",
        "00:00  Hi.",
        "       Oi.  +1.4\u00a0s",
        "[on time again]",
    ]
    assert "behind" not in written(*events, terminal=False)


def test_provisional_text_stands_until_it_settles() -> None:
    stream = StringIO()
    console = Console(file=stream, width=60, height=24, force_terminal=True, highlight=False)
    sink = TerminalSink(console, show="both", live=True)
    sink.write(partial(en="And so"))
    assert lines(stream.getvalue()) == ["00:00  And so …"]
    sink.write(partial(0, 1, en="And so my"))
    assert lines(stream.getvalue()) == ["00:00  And so my …"]
    sink.write(caption(en="And so, my friends."))
    assert lines(stream.getvalue())[0] == "00:00  And so, my friends."
    assert "…" not in "".join(lines(stream.getvalue()))
    sink.close()
    assert lines(stream.getvalue()) == ["00:00  And so, my friends."]


def test_what_has_settled_is_never_seen_beside_what_it_was() -> None:
    class Watched(StringIO):
        """Keeps what has been sent after each flush."""

        def __init__(self) -> None:
            super().__init__()
            self.seen: list[str] = []

        def flush(self) -> None:
            self.seen.append(self.getvalue())

    stream = Watched()
    console = Console(file=stream, width=60, height=24, force_terminal=True, highlight=False)
    sink = TerminalSink(console, show="both", live=True)
    for event in (
        START,
        partial(0, 0, en="The end", pt="O fim"),
        caption(0, 0.9, en="The end.", pt="O fim."),
    ):
        sink.write(event)
    drawn = [lines(text) for text in stream.seen]
    settled = [shown for shown in drawn if any("+0.9" in line for line in shown)]
    assert settled
    assert any("…" in line for shown in drawn for line in shown)
    assert not any("…" in line for shown in settled for line in shown)
    sink.close()


def test_the_cursor_is_shown_again_at_the_end() -> None:
    assert not screen(written(*RUN)).cursor.hidden


@pytest.mark.parametrize("width", [80, 40])
@pytest.mark.parametrize("room", range(10))
def test_the_lag_and_its_unit_stand_in_one_line(width: int, room: int) -> None:
    indent = 7 if width == 80 else 0
    said = "ab " + "x" * (width - indent - 3 - room)
    shown = lines(written(caption(0, 0.7, en="Hi.", pt=said), width=width), width)
    assert shown[-1].endswith("+0.7\u00a0s")


@pytest.mark.parametrize("width", [60, 30])
def test_no_settled_line_is_wider_than_the_terminal(width: int) -> None:
    plain = Console(file=StringIO(), width=width, force_terminal=True, color_system=None, highlight=False)
    sink = TerminalSink(plain, show="both", live=False)
    for event in RUN:
        sink.write(event)
    assert isinstance(plain.file, StringIO)
    rows = plain.file.getvalue().splitlines()
    assert len(rows) > 10
    assert max(cell_len(row) for row in rows) <= width


@pytest.mark.parametrize("width", [60, 30])
def test_every_word_is_on_the_screen(width: int) -> None:
    shown = " ".join(lines(written(caption(en=LONG), width=width), width)).split()
    assert [word for word in shown if word != "00:00"] == LONG.split()


def test_a_pipe_gets_plain_lines_unwrapped() -> None:
    assert written(*RUN, terminal=False) == written(*RUN, terminal=False, live=False)
    rows = written(*RUN, terminal=False, width=30).splitlines()
    assert rows[0] == f"00:00  {LONG.strip()}"
    assert rows[-2:] == ["00:16  The end.", "       O fim.  +0.9 s"]


def test_a_pipe_gets_no_control_codes() -> None:
    assert "\x1b" not in written(*RUN, terminal=False)
    assert "\r" not in written(*RUN, terminal=False)


EVIL = "a\x1b[31mb\x07c\x9b2Jd\x1b]0;title\x07e\rf\x85g\u2028h\x08\x7f"


@pytest.mark.parametrize("terminal", [True, False])
def test_control_codes_in_text_and_errors_are_not_obeyed(terminal: bool) -> None:
    sent = written(
        caption(0, en=EVIL, pt=EVIL),
        failure(1, error=EVIL),
        failure(2, error=EVIL, en=EVIL),
        partial(3, en=EVIL),
        terminal=terminal,
    )
    for forbidden in ("\x07", "\x9b", "\x85", "\u2028", "\x08", "\x7f", "\x1b[31mb", "\x1b]"):
        assert forbidden not in sent
    assert "00:00  a [31mb c 2Jd ]0;title e f g h" in lines(sent)


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_in_a_pipe_no_text_makes_a_control_code_or_a_second_line(text: str) -> None:
    sent = written(caption(en=text), terminal=False)
    assert not any(character in sent for character in "\x1b\x07\r\x9b\x85\x9d\x90")
    assert sent.count("\n") <= 1


def test_markup_in_text_is_text() -> None:
    assert lines(written(caption(en="[bold]Hi[/bold] :smile: [/x]"))) == [
        "00:00  [bold]Hi[/bold] :smile: [/x]"
    ]


@pytest.mark.parametrize("width", [1, 2, 8])
def test_a_terminal_of_hardly_any_width_is_written_to(width: int) -> None:
    assert written(*RUN, width=width) != ""
