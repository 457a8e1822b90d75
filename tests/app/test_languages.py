"""Real speech whose language nobody named, and translations that no model does in one step."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sacrebleu

from decalage import Interpreter, Settings
from decalage.app.compose import make_blueprint, make_runtime, open_source, stream_options
from decalage.app.directions import find_directions
from decalage.app.settings import AUTO
from decalage.errors import UnsupportedPairError, UsageError
from decalage.events import Caption, as_json
from tests.app.test_cli import ASK_NOT, refused

Row = dict[str, Any]


def row(speech_dir: Path, wanted: Callable[[Row], object]) -> Row:
    lines = (speech_dir / "manifest.jsonl").read_text("utf-8").splitlines()
    return next(each for each in map(json.loads, lines) if wanted(each))


def events(path: Path, **settings: Any) -> list[Row]:
    with Interpreter(settings=Settings(offline=True, **settings)) as interpreter:
        return [as_json(event) for event in interpreter.events(path)]


def test_by_way_of_english_where_no_model_goes_straight() -> None:
    assert set(find_directions("fr", ["pt"], hears_others=True)) == {("en", "pt")}
    assert set(find_directions("fr", ["en"], hears_others=True)) == set()
    assert set(find_directions("en", ["pt", "en"], hears_others=True)) == {("en", "pt")}
    assert set(find_directions(AUTO, ["pt"], hears_others=True)) == {("en", "pt")}
    assert set(find_directions(AUTO, ["pt", "en"], hears_others=True)) == {("en", "pt"), ("pt", "en")}


@pytest.mark.parametrize(
    ("source", "target", "others"), [("en", "fr", True), ("fr", "xx", True), ("fr", "pt", False)]
)
def test_a_target_that_no_way_leads_to_is_refused(source: str, target: str, others: bool) -> None:
    with pytest.raises(UnsupportedPairError, match="supported: "):
        find_directions(source, [target], hears_others=others)


def test_a_model_that_hears_english_only_refuses_to_tell_languages(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, line = refused(capsys, "translate", ASK_NOT, "--from", "auto", "--model", "tiny.en", "--offline")
    assert code == 2
    assert "hears en only" in line


def test_settings_know_auto() -> None:
    assert Settings(source="AUTO").stream_options().source == "auto"
    with pytest.raises(UsageError):
        Settings(source="autoo").stream_options()


@pytest.mark.real
@pytest.mark.speech
def test_a_dialogue_in_two_languages_is_heard_in_both(speech_dir: Path) -> None:
    mixed = row(speech_dir, lambda each: each["path"].startswith("audio/mixed/"))
    told = events(speech_dir / mixed["path"], source="auto", targets=("en", "pt"))
    captions = [event for event in told if event["type"] == "caption"]
    assert {"en", "pt"} == {event["source"] for event in captions}
    assert all(set(event["text"]) == {"en", "pt"} for event in captions)
    changes = [event for event in told if event["type"] == "language"]
    assert changes[0]["before"] is None
    assert len(changes) >= 2


@pytest.mark.real
@pytest.mark.speech
def test_whisper_tells_portuguese_speech_in_english_without_a_model_for_it(speech_dir: Path) -> None:
    lines = (speech_dir / "manifest.jsonl").read_text("utf-8").splitlines()
    spoken = [
        each
        for each in map(json.loads, lines)
        if each["path"].startswith("audio/pt/") and each.get("translation_language") == "en"
    ]
    settings = Settings(source="pt", targets=("en",), offline=True)
    blueprint = make_blueprint(settings)
    options = stream_options(settings, blueprint)
    assert not options.recognizer.english
    forced = replace(options, directions=frozenset(), recognizer=replace(options.recognizer, english=True))
    said: list[str] = []
    runtime = make_runtime(settings, blueprint)
    try:
        for each in spoken:
            stream = runtime.run(open_source(str(speech_dir / each["path"]), settings), forced)
            captions = [event for event in stream if isinstance(event, Caption)]
            said.append(" ".join(caption.text["en"] for caption in captions))
    finally:
        runtime.close()
    assert len(spoken) >= 5
    assert sacrebleu.corpus_chrf(said, [[each["translation"] for each in spoken]]).score > 30
