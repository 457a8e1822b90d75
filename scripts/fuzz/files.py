"""Files that a person names: settings in TOML, terms, manifests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import click

from decalage.app.cli import command
from decalage.app.commands.captioning import Outputs
from decalage.app.commands.translate import translate
from decalage.app.evaluate.manifest import read_manifest
from decalage.app.outputs import check_outputs
from decalage.app.settings import Settings
from decalage.app.terms import read_terms
from decalage.config import Pace, Stability, Term
from decalage.errors import InputError, UsageError
from decalage.languages import LANGUAGES
from decalage.stages.terms import translated
from scripts.fuzz.choices import Choices, hold, written
from scripts.fuzz.target import Target

_NUMBERS = {"workers": int, "threads": int, "beam": int, "end_silence_s": float, "max_utterance_s": float}
_FLAGS = ("partials", "speculate", "offline")
_VALUES: tuple[str, ...] = (
    "5",
    "2.5",
    "-1",
    "nan",
    "inf",
    "true",
    '"pt"',
    '"auto"',
    '"x.srt"',
    "[]",
    '["pt", "es"]',
    "[1]",
    "{a=1}",
)
_VALUES += (
    "1979-05-27T07:32:00Z",
    "07:32:00",
    "99999999999999999999",
    '""',
    '"\\u0000"',
    "'''\n'''",
    "[[[[[[[[",
)
_KEYS = tuple(
    sorted(
        name.removeprefix("--")
        for option in translate.params
        if isinstance(option, click.Option)
        for name in option.opts
        if name.startswith("--")
    )
)


@contextmanager
def _file(name: str, content: bytes) -> Iterator[Path]:
    with TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        yield path


def config(data: bytes) -> None:
    """A file of settings: settings of the types that the command line gives, or bad usage in one message."""
    choices = Choices(data)
    if choices.below(2):
        keyed = ((choices.pick(_KEYS), choices.pick(_VALUES)) for _ in range(choices.below(6)))
        text = "\n".join(f"{key} = {value}" for key, value in keyed).encode()
    else:
        text = choices.rest()
    with _file("config.toml", text) as path:
        given = ["-", "--config", str(path)]
        try:
            context = translate.make_context("translate", given, parent=click.Context(command))
            chosen = {
                name: value for name, value in context.params.items() if name not in ("given", "verbose")
            }
            outputs = Outputs.taken(chosen)
            _hold_settings(Settings(**chosen), outputs)
        except click.exceptions.Exit:
            hold(b"help" in text or b"version" in text, "an end without a reason")
        except (click.ClickException, UsageError) as error:
            hold(error.exit_code == 2, error)


def _hold_settings(settings: Settings, outputs: Outputs) -> None:
    for name, kind in _NUMBERS.items():
        value = getattr(settings, name)
        hold(value is None or type(value) is kind, f"{name} {value!r}")
    for name in _FLAGS:
        hold(getattr(settings, name) in (None, True, False), name)
    hold(settings.pace in get_args(Pace) and settings.stability in get_args(Stability), settings)
    hold(all(isinstance(target, str) for target in settings.targets), settings.targets)
    options = settings.stream_options()
    settings.runtime_options()
    hold(all(isinstance(getattr(options, each.name), object) for each in fields(options)), options)
    hold(settings.duration_s is None or 0 < settings.duration_s < float("inf"), settings.duration_s)
    check_outputs(outputs.outputs, "-")


def _glossary(terms: tuple[Term, ...]) -> str:
    """A file that says the same."""
    lines = []
    for term in terms:
        pairs = [f"{language}:{text}" for language, text in term.by_language]
        into = term.everywhere if term.everywhere is not None else ";".join(pairs)
        lines.append(f"{term.text}={into}" if into else term.text)
    return "\n".join(lines)


def terms(data: bytes) -> None:
    """A file of terms: they can be written and read again and are held to, or one line says what is wrong."""
    with _file("terms.txt", data) as path:
        try:
            found = read_terms(path)
        except (InputError, UsageError) as error:
            hold("\n" not in str(error) and "\r" not in str(error), error)
            return
        hold(len(found) <= len(data), found)
        path.write_text(_glossary(found), "utf-8")
        hold(read_terms(path) == found, found)
    longest = max((1 + len(term.into("pt")) for term in found), default=1)
    for term in found[:2]:
        hold(all(language in LANGUAGES for language, _ in term.by_language), term)
        said = f"Did {term.text} go?"
        made = translated(said, lambda text: text, found, "pt")
        hold(isinstance(made, str) and len(made) <= (len(said) + 1) * longest, made)


_ROWS = (
    {"path": "a.flac", "language": "en", "transcript": "Ask not.", "kind": "talk, read", "seconds": 11.0},
    {"path": "b.wav", "expect": "empty", "id": "b", "transcript_quality": "gold", "segments": []},
    {
        "id": "c",
        "text": "Ask.",
        "translation": "Pergunte.",
        "translation_language": "pt-BR",
        "segments": [{"start": 0.5, "end": 2, "text": "Ask."}],
    },
)
_ROW_WORDS = (*dict.fromkeys(key for row in _ROWS for key in row), "start", "end", "en", "mixed", "pt_br")


def manifest(data: bytes) -> None:
    """A manifest, lines or a table: recordings with times that can be, or one line of what is wrong."""
    choices = Choices(data)
    kind = choices.below(3)
    if kind == 0:
        name, text = "manifest.jsonl", choices.rest()
    elif kind == 1:
        name, text = "table.tsv", choices.rest()
    else:
        rows = [written(choices.changed(_ROWS, _ROW_WORDS)) for _ in range(choices.below(4))]
        name, text = "manifest.jsonl", "\n".join(rows).encode()
    with _file(name, text) as path:
        try:
            found = read_manifest(path, "en")
        except InputError as error:
            hold("\n" not in str(error), error)
            return
    names = [(row.id, row.translation_language) for row in found]
    hold(len(set(names)) == len(names), names)
    for row in found:
        hold(row.path or (row.transcript and row.translation), row)
        hold(row.language is None or (row.language.isascii() and 2 <= len(row.language) <= 3), row)
        hold(row.seconds is None or 0 <= row.seconds < float("inf"), row)
        hold(all(0 <= span.start <= span.end < float("inf") for span in row.speech), row)
        hold(row.held_out in (True, False) and isinstance(row.set_name, str), row)
        hold(row.reference(("pt",)) in (None, "pt"), row)


TARGETS = (
    Target(
        "config",
        config,
        (
            b'\0to = "pt"\nworkers = 2\n',
            b'\0offline = true\noutput = ["a.srt"]\nend-silence = 0.4',
            b"\1\3\2\1\5\5",
        ),
        tuple(f"{key} = " for key in _KEYS) + _VALUES,
        512,
    ),
    Target(
        "terms",
        terms,
        (b"# names\nDashwood\nfloor = plenum # a\n", b"London = pt-BR: Londres; fr: Londres\nC#"),
        (" = ", "pt: ", "; es: ", " # ", "\n"),
        512,
    ),
    Target(
        "manifest",
        manifest,
        (
            *(b"\0" + json.dumps(row).encode() for row in _ROWS),
            b"\1id\ten\tpt_br\tdoc\n1\tAsk.\tPergunte.\tx\n2\t\tE\t\n",
            b"\2\3\0\1\2\0",
        ),
        (*_ROW_WORDS, "\t", "\n"),
        512,
    ),
)
