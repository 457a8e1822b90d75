"""A session's folder: its settings, its events and its sound, whatever became of them."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from decalage.audio import AudioChunk
from decalage.config import RecognizerOptions, SegmenterOptions, StreamOptions, Term
from decalage.errors import InputError
from decalage.events import Start, as_json
from decalage.store.journal_folders import EVENTS, SETTINGS
from decalage.store.journal_reader import read_journal
from decalage.store.journal_settings import JournalSettings, Models, settings_as_json, settings_from_json
from decalage.store.journal_sound import FRAME_SAMPLES, FlacEncoder
from scripts.fuzz import messages
from scripts.fuzz.choices import Choices, hold, written
from scripts.fuzz.target import Target
from scripts.fuzz.typed import ill_typed

_START = Start(
    source="en",
    targets=("pt",),
    runtime="pipeline",
    workers=1,
    threads=2,
    model="base",
    engine="onnxruntime",
    beam=1,
    encoder_window="auto",
    end_silence=0.5,
    partials=True,
    stability="balanced",
    pace="realtime",
    input="stream",
)
_OPTIONS = StreamOptions(
    targets=("pt", "es"),
    directions=frozenset({("en", "pt")}),
    recognizer=RecognizerOptions(encoder_window=7.5, prompt="Glossary: Ada."),
    segmenter=SegmenterOptions(pause_s=0.2, activity=True),
    terms=(Term("Ada"), Term("moor", "charneca", (("es", "páramo"),))),
    pace="realtime",
)
_MODELS = Models(model="base", device="auto", compute_type="auto", engine="auto")
_SETTINGS = JournalSettings(began="2026-11-27T09:30:00Z", models=_MODELS, start=_START, options=_OPTIONS)
_BODY = json.loads(json.dumps(settings_as_json(_SETTINGS)))
_WORDS = tuple(
    {*_BODY, *_BODY["options"], *_BODY["options"]["segmenter"], *_BODY["start"], "closed", "max", "auto"}
)
_ENDINGS = tuple(
    {"type": "journal", "ending": ending, "samples": 0, "why": None} for ending in ("closed", "stopped")
)
_LINES: tuple[dict[str, Any], ...] = tuple(
    {**body, "seq": number} for number, body in enumerate((as_json(_START), *messages.EVENTS, *_ENDINGS))
)
_MOST_SAMPLES = 65_535
"""In a frame of FLAC: RFC 9639, section 9.1.1."""


def settings(data: bytes) -> None:
    """session.json: settings of the right types that say the same when they are kept again, or refused."""
    choices = Choices(data)
    body = choices.changed((_BODY,), sorted(_WORDS))
    try:
        found = settings_from_json(body)
    except InputError as error:
        hold(len(str(error)) <= 600 and "\n" not in str(error), error)
        return
    hold(not (wrong := ill_typed(found)), wrong)
    hold(settings_from_json(json.loads(json.dumps(settings_as_json(found)))) == found, found)


def _folder(root: str, settings: bytes, events: bytes) -> Path:
    folder = Path(root)
    (folder / SETTINGS).write_bytes(settings)
    (folder / EVENTS).write_bytes(events)
    return folder


def events(data: bytes) -> None:
    """Bytes of both files of text: every whole line that is an event is read, whatever stands around it."""
    choices = Choices(data)
    given = json.dumps(_BODY).encode() if choices.below(8) else choices.taken(40)
    lines, whole = [], 0
    for _ in range(choices.below(6)):
        kind = choices.below(3)
        if kind == 0:
            lines.append(json.dumps(choices.pick(_LINES)).encode())
            whole += b'"journal"' not in lines[-1]
        else:
            odd = written(choices.changed(_LINES, messages.SERVER_WORDS)).encode()
            lines.append(odd if kind == 1 else choices.taken(choices.below(40)).replace(b"\n", b""))
    with TemporaryDirectory(prefix="fuzz-") as root:
        folder = _folder(root, given, b"".join(line + b"\n" for line in lines) + choices.taken(20))
        try:
            found = read_journal(folder)
        except InputError as error:
            hold("\n" not in str(error), error)
            return
    hold(whole <= len(found.events), f"{len(found.events)} events of {whole} whole lines")
    hold(found.ending in (None, "closed", "stopped"), found.ending)
    for each in found.events:
        hold(not (wrong := ill_typed(each)), wrong)
        json.dumps(as_json(each.event), allow_nan=False)


@cache
def _encoded() -> tuple[np.ndarray[Any, np.dtype[np.float32]], bytes]:
    """Sound in which no two places are alike, and its file."""
    samples = (np.arange(4 * FRAME_SAMPLES + 100) % 4001 - 2000).astype(np.float32) / np.float32(32_768)
    encoder = FlacEncoder()
    return samples, encoder.header + encoder.add(samples) + encoder.finish()


def sound(data: bytes) -> None:
    """Files of sound, cut off or damaged: chunks in order, none twice, and of a cut file what it holds."""
    choices = Choices(data)
    samples, file = _encoded()
    parts: list[tuple[int, bytes, bool]] = []
    for _ in range(choices.below(4)):
        first = choices.below(3) * len(samples) + choices.below(256)
        kept = bytearray(file[: choices.below(len(file) + 1)] if choices.below(2) else file)
        patches = choices.below(3)
        for _ in range(patches):
            if kept:
                kept[choices.below(len(kept))] ^= choices.below(256)
        parts.append((first, bytes(kept), not patches))
    with TemporaryDirectory(prefix="fuzz-") as root:
        folder = _folder(root, json.dumps(_BODY).encode(), b"")
        for first, content, _ in parts:
            (folder / f"sound-{first:012d}.flac").write_bytes(content)
        if choices.below(2):
            (folder / "sound-000000999999.flac").write_bytes(choices.rest())
        chunks = list(read_journal(folder).chunks(choices.below(5000)))
    hold(all(len(chunk.samples) <= _MOST_SAMPLES for chunk in chunks), "a chunk longer than a frame")
    hold(all(np.abs(chunk.samples).max() <= 1 for chunk in chunks), "beyond full scale")
    ordered = all(one.first + len(one.samples) <= other.first for one, other in pairwise(chunks))
    hold(ordered, "sound twice")
    if len(parts) == 1 and parts[0][2]:
        _hold_whole(parts[0][0], chunks)


def _hold_whole(first: int, chunks: list[AudioChunk]) -> None:
    """Of a file that was cut at most all is as it was written."""
    samples, _ = _encoded()
    for chunk in chunks:
        place = chunk.first - first
        if 0 <= place < len(samples):
            hold(np.array_equal(chunk.samples, samples[place : place + len(chunk.samples)]), place)


TARGETS = (
    Target("journal-settings", settings, (b"\0\0", b"\0\1\3\1\0", b"\0\2\5\3\4\1\2"), longest=256),
    Target(
        "journal-events", events, (b"\1\3\0\0\0\1\0\2", b"\1\2\1\0\0\2\5hello"), ('{"type":"journal"',), 512
    ),
    Target("journal-sound", sound, (b"\1\0\0\0\0\0", b"\2\1\7\1\0\4\0\0\1\0\1\3\1\2\3\4"), longest=256),
)
