"""The protocol without sockets: what is read, what is written, and the schema of both."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from decalage.app.server.parsing import parse
from decalage.app.server.protocol import (
    CLOSE_CODES,
    Ack,
    Closed,
    Config,
    End,
    Error,
    Flush,
    Limits,
    Listening,
    Overload,
    Ping,
    Pong,
    ProtocolError,
    Ready,
    Resume,
    ServerMessage,
    Stats,
    written,
)
from decalage.app.server.replay import Replay
from decalage.events import Caption, Failure, Gap, Partial, Rejected, SpeechStarted, Start, Summary, Timing
from scripts.protocol_schema import DOCUMENT, document

LANGUAGES = {"from": ["en"], "to": ["pt"], "pairs": [["en", "pt"]]}


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({**document(), "$ref": f"#/$defs/{name}"})


CLIENT, SERVER = validator("client"), validator("server")


def refusal(text: str) -> ProtocolError | None:
    """Why ``text`` is not taken; None: it is."""
    try:
        parse(text)
    except ProtocolError as error:
        return error
    return None


def config(**more: object) -> str:
    return json.dumps({"type": "config", "version": 1, **more})


def test_a_config_is_read_with_its_defaults() -> None:
    assert parse(config()) == Config()
    assert parse(config(to="pt-BR, es", **{"from": "EN-us"})) == Config(source="en", targets=("pt", "es"))
    assert parse(config(encoding="opus", sample_rate=8000)) == Config(encoding="opus", sample_rate=48_000)
    resumed = parse(config(resume={"session": "s", "last_seq": 3, "audio_sent_s": 1, "audio_from_s": 2.5}))
    assert resumed == Config(resume=Resume(session="s", last_seq=3, audio_sent_s=1.0, audio_from_s=2.5))


def test_the_other_messages_are_read_and_unknown_fields_passed_over() -> None:
    assert parse('{"type":"flush","more":1}') == Flush()
    assert parse('{"type":"end"}') == End()
    assert parse('{"type":"ping","id":7}') == Ping(7)
    assert parse(config(colour="red")) == Config()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"type":"config","version":NaN}', "NaN"),
        ("[]", "not a JSON object"),
        ("{}", "unknown type None"),
        ('{"type":["config"]}', "unknown type"),
        ('{"type":"config"}', "needs a version"),
        (config(sample_rate=7999), "8000 to 192000 Hz"),
        (config(sample_rate=True), "a whole number"),
        (config(sample_rate=16000.0), "a whole number"),
        (config(encoding="mp3"), "pcm_s16le, pcm_f32le, opus"),
        (config(encoding=["opus"]), "one of"),
        (config(to=[]), "1 to 16"),
        (config(to=["xyzzy"]), "not a language code"),
        (config(to=[1]), "a string"),
        (config(partials="yes"), "true or false"),
        (config(prompt="x" * 401), "at most 400"),
        (config(resume={"session": "s"}), "last_seq"),
        (config(resume={"session": "s", "last_seq": -1, "audio_sent_s": 0}), "0 or more"),
        (config(resume={"session": "s", "last_seq": 0, "audio_sent_s": -0.1}), "a number of seconds"),
        (
            '{"type":"config","version":1,"resume":{"session":"s","last_seq":0,"audio_sent_s":1e999}}',
            "seconds",
        ),
        ('{"type":"ping","id":1e999}', "a number or a string"),
        ('{"type":"ping","id":{}}', "a number or a string"),
        ('{"type":"ping","id":"\\ud800"}', "a number or a string"),
        (config(token="\ud800"), "a string"),  # noqa: S106
        (config(prompt="half \udfff"), "a string"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, told: str) -> None:
    with pytest.raises(ProtocolError, match=told) as caught:
        parse(text)
    assert caught.value.code == "bad-message"
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_another_version_has_an_error_of_its_own() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse('{"type":"config","version":2}')
    assert (caught.value.code, caught.value.close_code) == ("unsupported-version", 1003)


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_a_message_or_a_protocol_error(text: str) -> None:
    error = refusal(text)
    assert error is None or error.code in CLOSE_CODES


ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "version": st.just(1) | ODD,
    "from": st.sampled_from(["en", "auto", "pt-BR", ""]) | ODD,
    "to": st.sampled_from(["pt", "pt,es"]) | st.lists(st.sampled_from(["pt", "es"]), max_size=18) | ODD,
    "sample_rate": st.integers(0, 200_000) | ODD,
    "encoding": st.sampled_from(["pcm_s16le", "opus", "mp3"]) | ODD,
    "partials": ODD,
    "stability": st.sampled_from(["fast", "reading", "slow"]) | ODD,
    "prompt": st.text(max_size=450) | ODD,
    "token": ODD,
    "resume": st.fixed_dictionaries(
        {"session": st.text() | ODD, "last_seq": st.integers() | ODD, "audio_sent_s": st.floats(0, 9) | ODD},
        optional={"audio_from_s": ODD},
    )
    | ODD,
    "id": ODD,
}


TYPES = st.sampled_from(["config", "flush", "end", "ping", "stop"])


@given(TYPES, st.fixed_dictionaries({}, optional=FIELDS))
def test_what_is_read_fits_the_schema(kind: str, body: dict[str, Any]) -> None:
    message = {"type": kind, **body}
    if refusal(json.dumps(message)) is None:
        CLIENT.validate(message)


@given(st.fixed_dictionaries({"type": st.just("config")}, optional=FIELDS))
def test_what_fits_the_schema_is_read_or_names_no_language(body: dict[str, Any]) -> None:
    if not CLIENT.is_valid(body):
        return
    error = refusal(json.dumps(body))
    beyond = ("language", "a number of seconds", "a whole number", "a string", "1 to 16")
    assert error is None or any(told in str(error) for told in beyond)


MESSAGES: list[ServerMessage] = [
    Ready(
        session="secret",
        listen_id="open",
        resumed=False,
        source="en",
        targets=("pt",),
        limits=Limits(),
        languages=LANGUAGES,
        audio_received_s=0.0,
        journal=False,
    ),
    Listening(listen_id="open", source="en", targets=("pt",), languages=LANGUAGES, seq=4),
    Ack(1.5),
    Stats(audio_received_s=1.0, behind_s=0.0, listeners=2, lag_p50=None, lag_p95=None),
    Overload(3.5, "degrade", ("partials",)),
    Pong("x"),
    Error("busy", "all are taken", fatal=True),
    Closed(flushed=True, reason="end"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_message_of_the_server_fits_the_schema(message: ServerMessage) -> None:
    body = json.loads(written(message))
    assert body["type"] == message.type
    validator(type(message).__name__).validate(body)


def test_a_secret_is_in_no_repr() -> None:
    assert "secret" not in repr(MESSAGES[0])
    assert "secret" not in repr(Config(token="secret"))  # noqa: S106


TIMING = Timing(1.0, 1.5, 1.5, 1.6, None, None, 1.7)
EVENTS = [
    Start(
        "en",
        ("pt",),
        "pipeline",
        2,
        1,
        "base",
        1,
        "onnxruntime",
        "auto",
        0.5,
        True,
        "balanced",
        "realtime",
        "s",
    ),
    SpeechStarted(0.4),
    Partial(0, 1, 0.0, 1.0, "en", {"en": "a", "pt": "b"}, {"en": 1, "pt": 0}),
    Caption(0, 0.0, 1.0, "en", {"en": "a", "pt": "b"}, TIMING, 0.2, 0.7, errors={"es": "no"}),
    Failure(1, 1.0, 2.0, "asr", "no"),
    Rejected(2, 2.0, 3.0, "no-speech"),
    Gap(3, 3.0, 4.0, "device", captured=False),
    Summary(4, 1, 1, 1, 1, 4.0, 4.0, None, 0.1, None, None, 0.0, None, None, 1.0),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_fits_the_schema_for_all_and_for_one_language(event: Any) -> None:
    told = Replay().add(event)
    for target in (None, "pt", "fr"):
        body = json.loads(told.written(target))
        validator(type(event).__name__).validate(body)
        assert body["seq"] == 1
    assert SERVER.is_valid(json.loads(told.written()))


def test_one_language_is_told_beside_the_source_alone() -> None:
    told = Replay().add(Caption(0, 0.0, 1.0, "en", {"en": "a", "pt": "b", "es": "c"}, TIMING, None, None))
    assert json.loads(told.written("es"))["text"] == {"en": "a", "es": "c"}
    assert json.loads(told.written("fr"))["text"] == {"en": "a"}


def test_the_schema_in_the_documents_is_made_from_the_code() -> None:
    told = json.loads(DOCUMENT.read_text("utf-8"))
    assert told == document(), "run python -m scripts.protocol_schema"


def test_the_protocol_page_names_every_message_and_error() -> None:
    page = (DOCUMENT.parent / "protocol.md").read_text("utf-8")
    names = {
        shape["properties"]["type"]["const"] for name, shape in document()["$defs"].items() if "type" in shape
    }
    for name in names | set(CLOSE_CODES):
        assert f"`{name}`" in page, name
