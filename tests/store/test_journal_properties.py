"""A session's folder, however its sound came and wherever its files end or what stands in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.audio import AudioChunk
from decalage.errors import InputError
from decalage.events import Gap, Settled
from decalage.store.journal_reader import read_journal
from decalage.store.journal_session import SessionFolder
from decalage.store.journal_settings import JournalSettings, settings_as_json, settings_from_json
from decalage.store.journal_sound import FRAME_SAMPLES
from tests.properties import examples, raised
from tests.store.journal_kit import MODELS, OPTIONS, START, sound

SETTINGS = JournalSettings(began="2026-11-27T09:30:00Z", models=MODELS, start=START, options=OPTIONS)
STEPS = st.lists(
    st.tuples(st.just("sound"), st.integers(1, 9_000))
    | st.tuples(st.just("hole"), st.integers(1, 5_000))
    | st.tuples(st.just("event"), st.just(0))
    | st.tuples(st.just("sync"), st.just(0)),
    min_size=1,
    max_size=10,
)


def kept(folder: Path, steps: Sequence[tuple[str, int]], *, ended: bool) -> tuple[set[int], int]:
    """The samples that went into a session in ``folder``, and how many events."""
    session = SessionFolder(folder, SETTINGS, segment_s=0.5, sync=lambda _: None)
    place, heard, events = 0, set[int](), 0
    for step, number in steps:
        if step == "sound":
            session.sound(AudioChunk(place, sound(place, number)))
            heard |= set(range(place, place + number))
            place += number
        elif step == "hole":
            place += number
        elif step == "event":
            session.event(events, Gap(events, 0.0, place / 16_000 + 1e-5, "overload"))
            events += 1
        else:
            session.sync()
    assert max(heard, default=-1) - session.written < FRAME_SAMPLES
    if heard:  # the program may be killed here
        assert {place for place in heard if place < session.written} <= read(folder)
    if heard and ended:
        session.end("closed")
    elif heard:
        session.leave()
    return heard, events


def read(folder: Path, first: int = 0) -> set[int]:
    """The samples that a journal gives, each as it was and none twice."""
    found, place = set[int](), first
    for chunk in read_journal(folder).chunks(first):
        assert chunk.first >= place
        place = chunk.first + len(chunk.samples)
        np.testing.assert_array_equal(chunk.samples, sound(chunk.first, len(chunk.samples)))
        found |= set(range(chunk.first, place))
    return found


@examples(40)
@given(STEPS, st.booleans(), st.integers(0, 20_000))
def test_all_that_was_heard_and_told_is_read_back_from_any_place_on(
    steps: list[tuple[str, int]], ended: bool, first: int
) -> None:
    with TemporaryDirectory() as root:
        folder = Path(root) / "session"
        heard, events = kept(folder, steps, ended=ended)
        assert folder.exists() == bool(heard)
        if not heard:
            return
        content = read_journal(folder)
        assert content.settings == SETTINGS
        assert content.ending == ("closed" if ended else None)
        assert [each.seq for each in content.events] == list(range(events))
        assert all(isinstance(each.event, Settled) for each in content.events)
        assert read(folder) == heard
        assert read(folder, first) == {place for place in heard if place >= first}


@examples(40)
@given(STEPS, st.data())
def test_of_a_file_of_sound_that_is_cut_off_only_what_follows_is_lost(
    steps: list[tuple[str, int]], data: st.DataObject
) -> None:
    with TemporaryDirectory() as root:
        folder = Path(root) / "session"
        heard, _ = kept(folder, [("sound", 1000), *steps], ended=False)
        files = sorted(folder.glob("sound-*.flac"))
        path = data.draw(st.sampled_from(files))
        whole = path.read_bytes()
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
        found = read(folder)
        begins = int(path.stem.removeprefix("sound-"))
        after = files[files.index(path) + 1 :]
        ends = int(after[0].stem.removeprefix("sound-")) if after else 10**9
        assert found <= heard
        assert {place for place in heard if not begins <= place < ends} <= found
        mine = sorted(place for place in found if begins <= place < ends)
        assert mine == list(range(begins, begins + len(mine)))


@given(st.binary(max_size=60), st.binary(max_size=120), st.binary(max_size=60))
def test_any_bytes_in_its_files_are_what_can_be_read_of_them_or_one_line(
    settings: bytes, events: bytes, flac: bytes
) -> None:
    body = json.dumps(settings_as_json(SETTINGS)).encode()
    for content in (settings, body, body[: len(settings)], body.replace(b"0.5", settings)):
        with TemporaryDirectory() as root:
            folder = Path(root)
            (folder / "session.json").write_bytes(content)
            (folder / "events.jsonl").write_bytes(events)
            (folder / "sound-000000000000.flac").write_bytes(flac)
            error = raised(InputError, partial(read_journal, folder))
            if error is not None:
                assert "\n" not in str(error)
                continue
            found = read_journal(folder)
            assert list(found.chunks()) == []
            assert found.ending is None


ODD = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.just([[1]]))


@examples(200)
@given(st.data())
def test_settings_with_one_odd_value_are_refused_or_say_the_same_again(data: st.DataObject) -> None:
    body = json.loads(json.dumps(settings_as_json(SETTINGS)))
    part = data.draw(st.sampled_from(["", "models", "start", "options", "recognizer", "segmenter"]))
    inner = {"": body, "recognizer": body["options"], "segmenter": body["options"]}.get(part, body)
    inner = inner[part] if part else inner
    inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(ODD)
    error = raised(InputError, lambda: settings_from_json(body))
    if error is not None:
        assert len(str(error)) < 600
        return
    found = settings_from_json(body)
    assert settings_from_json(json.loads(json.dumps(settings_as_json(found)))) == found


def test_settings_in_which_a_number_is_too_large_or_a_list_too_deep_are_refused() -> None:
    body = json.loads(json.dumps(settings_as_json(SETTINGS)))
    deep: list[object] = []
    for _ in range(3000):
        deep = [deep]
    for odd in (10**400, float("nan"), deep, "0.5", True):
        options = {**body["options"], "segmenter": {**body["options"]["segmenter"], "end_silence_s": odd}}
        with pytest.raises(InputError, match="end_silence_s cannot be"):
            settings_from_json({**body, "options": options})
    older = {name: value for name, value in body["options"].items() if name != "overload"}
    plain = settings_from_json({**body, "options": older})
    assert plain == replace(SETTINGS, options=replace(OPTIONS, overload=plain.options.overload))
