"""Captions with hostile text, written in every form and read back."""

from __future__ import annotations

import html
import io
import json
import re
import unicodedata
from collections.abc import Iterator

import pysubs2
from rich.console import Console

from decalage.app.outputs import as_text
from decalage.app.server.openai_answer import Heard
from decalage.app.server.openai_form import Asked
from decalage.events import Caption, Event, Timing
from decalage.sinks.captions import Show, clean
from decalage.sinks.layout import Cue, cues
from decalage.sinks.terminal import TerminalSink
from decalage.speech import Word
from decalage.wire import from_json
from scripts.fuzz.choices import Choices, hold
from scripts.fuzz.target import Target

_PIECES: tuple[str, ...] = (
    "-->",
    "<b>",
    "</i>",
    "<script>",
    "&amp;",
    "&",
    "<",
    ">",
    "{\\an8}",
    "\\N",
    "\\h",
    "\n\n",
    "\r",
    "1\n",
)
_PIECES += (
    "00:01 --> 00:02",
    "WEBVTT",
    "NOTE",
    "\u202e",
    "\x1b[31m",
    "\u2028",
    "\x85",
    "\0",
    " ",
)
_PIECES += (
    "word",
    "it",
    "was.",
    "Dialogue: 0,",
    ",",
    "漢字",
    "e\u0301",
    "\U0001f600",
    "\ufeff",
    "\u00ad",
    "[bold]",
)
_SHOWS: tuple[Show, ...] = ("source", "target", "both")
_VTT_TIME = re.compile(r"\d{2,}:[0-5]\d:[0-5]\d\.\d{3} --> \d{2,}:[0-5]\d:[0-5]\d\.\d{3}")


def _said(choices: Choices) -> str:
    count = choices.below(16)
    return "".join(choices.pick(_PIECES) if choices.below(4) else choices.text(12) for _ in range(count))


def _captions(choices: Choices) -> list[Caption]:
    found, at = [], 0.0
    for index in range(1 + choices.below(2)):
        start = at + choices.below(65_536) * choices.pick((0.0001, 0.01, 1.5))
        end = start + choices.below(3_000) / 100
        text = {"en": _said(choices), "pt": _said(choices)}
        words = tuple(Word(word, start, end) for word in text["en"].split()[: choices.below(4)])
        timing = Timing(end, end, end, end, None, None, end)
        found.append(Caption(index, start, end, "en", text, timing, None, None, words=words))
        at = end
    return found


def subtitles(data: bytes) -> None:
    """Captions as SRT, WebVTT and ASS: whoever reads them back finds each cue, its text, and no markup."""
    captions = _captions(Choices(data))
    for show, code in (("source", "en"), ("target", "pt")):
        due = [
            cue for each in captions for cue in cues(clean(each.text[code]), each.start, each.end, each.words)
        ]
        vtt = as_text(captions, "vtt", "source" if show == "source" else "target")
        _hold_vtt(vtt, due)
        for form in ("srt", "ass"):
            written = as_text(captions, form, "source" if show == "source" else "target")
            # pysubs2 takes a last line of digits for the number of a cue that follows: give it one.
            followed = f"{written}\n{len(due) + 1}\n" if form == "srt" else written
            back = pysubs2.SSAFile.from_string(followed, format_=form)
            hold(len(back) == len(due), f"{form}: {len(back)} cues of {len(due)}")
            for event, cue in zip(back, due, strict=True):
                hold(
                    event.text.split("\\N") == [_plain(line, form) for line in cue.lines],
                    (form, event.text, cue),
                )
                hold(0 <= event.start <= event.end, event)
    for form in ("srt", "vtt", "ass"):
        as_text(captions, form, "both")


def _plain(line: str, form: str) -> str:
    """``line`` with what would be markup replaced by what looks like it."""
    told = line.replace("\\", "⧵").replace("{", "(").replace("}", ")").replace("-->", "→")
    return told.replace("<", "‹") if form == "srt" else told


def _hold_vtt(text: str, due: list[Cue]) -> None:
    """As https://www.w3.org/TR/webvtt1 has it: blocks with blank lines between, text without tags."""
    head, *blocks = [block for block in re.split(r"\n\n+", text) if block.strip("\n")]
    hold(head == "WEBVTT", head)
    hold(len(blocks) == len(due), f"{len(blocks)} cues of {len(due)}")
    for number, (block, cue) in enumerate(zip(blocks, due, strict=True), 1):
        name, time, *lines = block.strip("\n").split("\n")
        hold(name == str(number) and _VTT_TIME.fullmatch(time), block)
        hold(not any("<" in line or ">" in line for line in lines), block)
        hold(not re.search(r"&(?!amp;|lt;|gt;)", "\n".join(lines)), block)
        hold([html.unescape(line) for line in lines] == [_vtt_plain(line) for line in cue.lines], block)


def _vtt_plain(line: str) -> str:
    return line.replace("\\", "⧵").replace("{", "(").replace("}", ")")


def plain(data: bytes) -> None:
    """Captions as lines, as JSON, on a terminal and in answers: a line each, and nothing a terminal obeys."""
    choices = Choices(data)
    captions = _captions(choices)
    show = choices.pick(_SHOWS)
    lines = as_text(captions, "txt", show).split("\n")
    hold(len(lines) == len(captions) * (2 if show == "both" else 1) + 1, lines)
    hold(not list(_obeyed("\n".join(lines))), lines)
    events = as_text(captions, "jsonl", None).split("\n")[:-1]
    hold([from_json(json.loads(line)) is not None for line in events] == [True] * len(captions), events)
    screen = io.StringIO()
    sink = TerminalSink(Console(file=screen, width=20 + choices.below(100)), show=show, live=False)
    for caption in captions:
        sink.write(caption)
    sink.close()
    hold(not list(_obeyed(screen.getvalue())), screen.getvalue())
    _hold_answers(captions)


def _obeyed(text: str) -> Iterator[str]:
    """Control characters, and those that turn text around."""
    for letter in text:
        if letter != "\n" and (
            unicodedata.category(letter) == "Cc" or letter in "\u202a\u202b\u202d\u202e\u2066"
        ):
            yield letter


def _hold_answers(events: list[Caption]) -> None:
    """In the forms of OpenAI's API."""
    given: list[Event] = list(events)
    for form in ("json", "verbose_json", "text"):
        heard = Heard(Asked(task="transcribe", form=form, words=True))
        for event in given:
            heard.add(event)
        if not any("\ud800" in text for each in events for text in each.text.values()):
            heard.response()


TARGETS = (
    Target(
        "subtitles",
        subtitles,
        (b"\0\1\2\0\3\4\1\0\1\1\1\2\2\1\3\1\5", b"\2\5\5\1\x09\x09\3\1\4\1\5"),
        _PIECES,
        512,
    ),
    Target("plain-captions", plain, (b"\0\1\2\0\3\4\1\0\1\1\1\2\2\1\3\1\5",), _PIECES, 512),
)
