"""The server over real sockets, with engines that are fakes: what each message does, who survives whom."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import signal
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from decalage.app.server.booth import Wish
from decalage.app.server.door import Door
from decalage.app.server.hall import Hall
from decalage.app.server.patience import Patience
from decalage.app.server.protocol import CLOSE_CODES, ProtocolError
from decalage.app.server.session import Session
from decalage.audio import SAMPLE_RATE
from decalage.config import StreamOptions
from decalage.errors import EngineError
from decalage.runtimes.stream import RuntimeStream
from decalage.speech import Cut, Translation
from decalage.testing import ManualClock
from decalage.testing.engines import (
    FakeBlueprint,
    FakeRecognizer,
    FakeSegmenter,
    FakeTranslator,
    ForeseeingSegmenter,
    Gate,
    silence,
    tone,
)
from tests.app.server_kit import (
    CONFIG,
    Client,
    FakeBooth,
    Served,
    config,
    fake_booth,
    hall_of,
    on_loop,
    pcm,
    read_out,
    served,
    spoken,
)

END, FLUSH = '{"type":"end"}', '{"type":"flush"}'
TOKEN = "open sesame"  # noqa: S105 - of a server that is gone in a moment
LOCKED = Door(token=TOKEN, hosts=None)


def words(events: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(event["index"], event["text"]["en"]) for event in events]


def resume(ready: dict[str, Any], last_seq: int, sent_s: float) -> str:
    place = {"session": ready["session"], "last_seq": last_seq, "audio_sent_s": sent_s}
    return config(resume=place)


# What each message does


@on_loop
async def test_a_session_begins_is_captioned_and_ends() -> None:
    async with served() as server, server.client() as client:
        await client.send(config())
        ready = await client.next()
        assert (ready["type"], ready["protocol"], ready["resumed"]) == ("ready", 1, False)
        assert (ready["source"], ready["targets"], ready["audio_received_s"]) == ("en", ["pt"], 0.0)
        assert ready["languages"]["from"] == ["en", "pt"]
        await client.send(spoken(7, 8))
        assert (await client.until("ack"))["audio_received_s"] == pytest.approx(0.6)
        await client.send(END)
        assert await client.rest() == (1000, "")
    events = [each for each in client.told if "seq" in each]
    assert [each["type"] for each in events] == ["start", "caption", "caption", "summary"]
    assert [each["seq"] for each in events] == [1, 2, 3, 4]
    assert words(client.all("caption")) == [(0, "word 7"), (1, "word 8")]
    assert client.told[-1] == {"type": "closed", "flushed": True, "reason": "end"}


@on_loop
async def test_a_flush_settles_what_was_said_and_the_session_goes_on() -> None:
    async with served() as server, server.speaker() as client:
        await client.send(pcm(tone(7)), FLUSH)
        assert (await client.until("caption"))["text"]["pt"] == "pt:word 7"
        await client.send(FLUSH, FLUSH, pcm(tone(8)), END)
        assert (await client.rest())[0] == 1000
    assert words(client.all("caption")) == [(0, "word 7"), (1, "word 8")]


@on_loop
async def test_a_ping_is_answered_with_its_id() -> None:
    async with served() as server, server.speaker() as client:
        for number in (7, "seven", 7.5):
            await client.send(json.dumps({"type": "ping", "id": number}))
            assert await client.until("pong") == {"type": "pong", "id": number}
        await client.send('{"type":"ping"}')
        assert (await client.until("pong"))["id"] is None


@on_loop
async def test_after_a_reset_connection_each_settled_event_comes_once() -> None:
    sound = spoken(1, 2, 3, 4, 5)
    async with served() as server:
        async with server.speaker() as first:
            await first.send(sound[: len(sound) // 2 + 4000])
            await first.until("caption")
            await first.until("caption")
            first.abort()
        ready = first.all("ready")[0]
        async with server.client() as second:
            await second.send(resume(ready, 0, 0.9))
            again = await second.next()
            assert (again["resumed"], again["session"]) == (True, ready["session"])
            await second.send(sound[round(again["audio_received_s"] * SAMPLE_RATE) * 4 :], END)
            assert (await second.rest())[0] == 1000
        async with server.client() as third:
            await third.send(resume(ready, first.all("caption")[-1]["seq"], 1.5))
            assert (await third.rest())[0] == 1000
    said = [(index, f"word {index + 1}") for index in range(5)]
    assert words(second.all("caption")) == said
    assert words(first.all("caption") + third.all("caption")) == said
    assert second.told[1]["type"] == "start"


@on_loop
async def test_a_second_socket_takes_over_and_none_of_the_sound_is_heard_twice() -> None:
    """The first one still sends: what comes from it after the second was told where to go on is dropped."""
    sound = spoken(*range(1, 9))
    async with served() as server, server.speaker() as first, server.client() as second:
        pieces = [sound[start : start + 320] for start in range(0, len(sound), 320)]
        await first.send(*pieces[: len(pieces) // 2])
        await second.send(resume(first.all("ready")[0], 0, 1.0))
        ready = await second.next()
        with suppress(ConnectionClosed):
            await first.send(*pieces[len(pieces) // 2 :])
        assert (await first.rest())[0] == 1008
        assert first.all("error")[0]["code"] == "taken-over"
        rest = sound[round(ready["audio_received_s"] * SAMPLE_RATE) * 4 :]
        await second.send(*[rest[start : start + 64_000] for start in range(0, len(rest), 64_000)], END)
        assert (await second.rest())[0] == 1000
    assert words(second.all("caption")) == [(index, f"word {index + 1}") for index in range(8)]


# Who is refused


@dataclass(frozen=True)
class Refusal:
    frames: tuple[str | bytes, ...]
    code: str


NAN = pcm(np.array([np.nan], np.float32))
STRANGER = {"session": "kq3", "last_seq": 0, "audio_sent_s": 0}
REFUSED = {
    "no JSON": Refusal(("{",), "bad-message"),
    "no object": Refusal(("[1]",), "bad-message"),
    "unknown type": Refusal(('{"type":"start"}',), "bad-message"),
    "config twice": Refusal((config(), config()), "bad-message"),
    "sound before config": Refusal((b"\0\0",), "bad-message"),
    "flush before config": Refusal((FLUSH,), "bad-message"),
    "half a sample": Refusal((config(), b"123"), "bad-audio"),
    "not a number": Refusal((config(), NAN), "bad-audio"),
    "no opus": Refusal((config(encoding="opus"), b"\xff" * 100), "bad-audio"),
    "language": Refusal((config(to="fr"),), "unsupported-language"),
    "version": Refusal((config(version=2),), "unsupported-version"),
    "no such session": Refusal((config(resume=STRANGER),), "unknown-session"),
    "big frame": Refusal((config(), bytes(131_076)), "too-big"),
    "much sound": Refusal((config(), *[bytes(64_000)] * 6), "too-fast"),
    "many messages": Refusal((config(), *[FLUSH] * 9_000), "too-fast"),
}


@pytest.mark.parametrize("refusal", REFUSED.values(), ids=REFUSED)
@on_loop
async def test_what_is_not_allowed_has_its_error_and_its_close_code(refusal: Refusal) -> None:
    async with served(ahead_s=2) as server:
        async with server.client() as client:
            with suppress(ConnectionClosed):
                await client.send(*refusal.frames)
            code, _ = await client.rest()
        assert client.told[-1]["type"] == "error"
        assert (client.told[-1]["code"], client.told[-1]["fatal"]) == (refusal.code, True)
        assert {each: code for each, code in CLOSE_CODES.items() if each == refusal.code} == {
            refusal.code: code
        }
        await server.serves()


@on_loop
async def test_a_frame_that_the_websocket_itself_does_not_take_is_closed_without_a_message() -> None:
    async with served() as server:
        async with server.speaker() as client:
            with suppress(ConnectionClosed):
                await client.send(bytes(300_000))
            assert (await client.rest())[0] == 1009
        assert client.all("error") == []
        await server.serves()


@on_loop
async def test_a_token_is_asked_for_where_there_is_one() -> None:
    async with served(door=LOCKED) as server:
        for fields in ({}, {"token": "sesame"}, {"token": ""}, {"token": "ö" * 30}):
            async with server.client() as client:
                await client.send(config(**fields))
                assert (await client.rest())[0] == 1008
            assert client.told[0]["code"] == "not-allowed"
            assert TOKEN not in str(client.told)
        async with server.speaker(token=TOKEN) as client:
            assert client.told[0]["type"] == "ready"
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with server.client(additional_headers=headers) as client:
            await client.send(config())
            assert (await client.next())["type"] == "ready"


@on_loop
async def test_a_session_is_not_resumed_without_the_token() -> None:
    async with served(door=LOCKED) as server, server.speaker(token=TOKEN) as client:
        async with server.client() as thief:
            await thief.send(resume(client.told[0], 0, 0))
            assert (await thief.rest())[0] == 1008
        await client.send('{"type":"ping"}')
        await client.until("pong")


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}, {"origin": "null"}], ids=str
)
@pytest.mark.parametrize("path", ["/v1/stream", "/v1/sessions/x/captions"])
@on_loop
async def test_a_foreign_page_and_an_unknown_name_are_turned_away(headers: dict[str, str], path: str) -> None:
    async with served() as server:
        request = {"host": f"127.0.0.1:{server.port}", **headers}
        handshake = [
            f"GET {path} HTTP/1.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *(f"{name}: {value}" for name, value in request.items()),
        ]
        async with server.raw("\r\n".join([*handshake, "", ""]).encode()) as (reader, _):
            assert b" 101 " in await reader.readline()
            assert b'"code":"not-allowed"' in await reader.readuntil(b'"fatal":true}')
            assert await reader.readexactly(4) == b"\x88\x02" + (1008).to_bytes(2)


@on_loop
async def test_a_page_of_this_server_or_an_allowed_one_may_connect() -> None:
    async with served(door=Door(origins=["https://talks.example"])) as server:
        for origin in (f"http://127.0.0.1:{server.port}", "https://talks.example"):
            async with server.client(origin=origin) as client:
                await client.send(config())
                assert (await client.next())["type"] == "ready"


@on_loop
async def test_a_full_server_is_busy_but_for_places_that_nobody_uses() -> None:
    async with served(sessions=1) as server:
        async with server.speaker() as client:
            async with server.client() as second:
                await second.send(config())
                assert (await second.rest())[0] == 1013
            assert second.told[0]["code"] == "busy"
            await client.send(spoken(7))
            await client.until("caption")
            client.abort()
        async with server.client() as second:  # the one that was lost may come back to what it said
            await second.send(config())
            assert (await second.rest())[0] == 1013
        async with server.client() as again:
            await again.send(resume(client.told[0], 0, 0.3), END)
            assert (await again.rest())[0] == 1000
        async with server.speaker() as silent:
            silent.abort()
        listen_id = silent.told[0]["listen_id"]
        async with server.listener(listen_id) as listener:
            await listener.next()
            await server.serves()  # a silent session that lost its socket makes room
            await listener.rest()
        assert listener.told[-1]["reason"] == "expired"


class _Defect(FakeBooth):
    def open(self, options: StreamOptions) -> RuntimeStream:
        raise ZeroDivisionError(f"inside: {options}")


@on_loop
async def test_a_defect_is_told_as_one_and_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    async with served(_Defect(fake_booth().runtime)) as server, server.client() as client:
        await client.send(config())
        assert (await client.rest())[0] == 1011
    assert client.told[0]["code"] == "internal"
    assert "inside" not in str(client.told)
    assert "inside" in caplog.text


@on_loop
async def test_there_is_no_other_websocket() -> None:
    async with served() as server:
        with pytest.raises(InvalidStatus) as caught:
            async with server.client("/v1/streams"):
                pass
        assert caught.value.response.status_code == 404
        assert "frame-ancestors 'none'" in caught.value.response.headers["content-security-policy"]
        with pytest.raises(InvalidStatus):
            async with server.client("/"):
                pass


# Who listens


@on_loop
async def test_a_listener_reads_one_language_and_nothing_that_is_the_speakers() -> None:
    async with served() as server, server.speaker() as speaker:
        ready = speaker.told[0]
        async with server.listener(ready["listen_id"], "?to=es") as listener:
            hello = await listener.next()
            assert (hello["type"], hello["source"], hello["targets"]) == ("ready", "en", ["pt"])
            await speaker.send(spoken(7), END)
            assert (await listener.rest())[0] == 1000
            await speaker.rest()
    assert speaker.all("caption")[0]["text"] == {"en": "word 7", "pt": "pt:word 7", "es": "es:word 7"}
    assert listener.all("caption")[0]["text"] == {"en": "word 7", "es": "es:word 7"}
    assert listener.all("start") + listener.all("summary") == []
    assert listener.told[-1] == {"type": "closed", "flushed": True, "reason": "end"}
    assert ready["session"] not in str(listener.told)


@on_loop
async def test_a_listener_goes_on_after_what_it_has() -> None:
    async with served() as server, server.speaker() as speaker:
        await speaker.send(spoken(1, 2, 3))
        captions = [await speaker.until("caption") for _ in range(3)]
        listen_id = speaker.told[0]["listen_id"]
        async with (
            server.listener(listen_id, f"?after={captions[1]['seq']}") as late,
            server.listener(listen_id) as new,
        ):
            await speaker.send(END)
            await late.rest()
            await new.rest()
    assert late.all("ready")[0]["seq"] == captions[2]["seq"]
    assert words(late.all("caption")) == [(2, "word 3")]
    assert words(new.all("caption")) == [(0, "word 1"), (1, "word 2"), (2, "word 3")]


@on_loop
async def test_partials_come_to_those_who_want_them() -> None:
    blueprint = FakeBlueprint(segmenter_type=ForeseeingSegmenter)
    async with served(fake_booth(blueprint)) as server, server.speaker(stability="fast") as speaker:
        listen_id = speaker.told[0]["listen_id"]
        async with (
            server.listener(listen_id, "?partials=false") as settled,
            server.listener(listen_id) as everything,
        ):
            await settled.next()
            await everything.next()
            await speaker.send(pcm(tone(7)))
            assert (await everything.until("partial"))["text"]["en"] == "word 7"
            await speaker.send(pcm(silence()), END)
            await asyncio.gather(settled.rest(), everything.rest())
    assert settled.all("partial") == []
    assert words(settled.all("caption")) == words(everything.all("caption")) == [(0, "word 7")]


class _Polyglot(FakeBooth):
    """Translates into everything."""

    def options(self, wish: Wish) -> StreamOptions:
        return replace(super().options(replace(wish, targets=None)), targets=wish.targets or ("pt",))


@on_loop
async def test_listeners_bring_sixteen_languages_at_most() -> None:
    many = ["ar", "bg", "ca", "cs", "da", "de", "el", "es", "et", "fi", "fr", "hu", "id", "it", "ja", "ko"]
    async with (
        served(_Polyglot(fake_booth().runtime)) as server,
        server.speaker() as speaker,
        AsyncExitStack() as reading,
    ):
        for target in many[:-1]:
            path = f"/v1/sessions/{speaker.told[0]['listen_id']}/captions?to={target}"
            client = await reading.enter_async_context(server.client(path))
            assert (await client.next())["type"] == "ready"
        async with server.listener(speaker.told[0]["listen_id"], f"?to={many[-1]}") as late:
            assert (await late.rest())[0] == 1013
        await speaker.send(spoken(7), END)
        await speaker.rest()
    assert set(speaker.all("caption")[0]["text"]) == {"en", "pt", *many[:-1]}


@pytest.mark.parametrize("frame", [FLUSH, END, config(), spoken(7), "{", b""], ids=range(6))
@on_loop
async def test_a_listener_may_ping_and_nothing_else(frame: str | bytes) -> None:
    async with served() as server, server.speaker() as speaker:
        async with server.listener(speaker.told[0]["listen_id"]) as listener:
            await listener.send('{"type":"ping","id":1}')
            assert (await listener.until("pong"))["id"] == 1
            await listener.send(frame)
            assert (await listener.rest())[0] == 1003
        assert listener.told[-1]["code"] == "bad-message"
        await speaker.send(spoken(7), END)
        await speaker.rest()
        assert words(speaker.all("caption")) == [(0, "word 7")]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?to=fr", "unsupported-language"),
        ("?to=english", "bad-message"),
        ("?after=-1", "bad-message"),
        ("?after=9999999999999999999", "bad-message"),
    ],
)
@on_loop
async def test_a_listener_that_asks_for_what_cannot_be_is_told(query: str, code: str) -> None:
    async with served() as server, server.speaker() as speaker:
        async with server.listener(speaker.told[0]["listen_id"], query) as listener:
            await listener.rest()
        assert [each["code"] for each in listener.told] == [code]
        await speaker.send('{"type":"ping"}')
        await speaker.until("pong")


@on_loop
async def test_who_may_listen_may_not_speak_nor_who_speaks_listen_by_that_name() -> None:
    async with served() as server, server.speaker() as speaker:
        ready = speaker.told[0]
        async with server.client() as thief:
            await thief.send(resume({"session": ready["listen_id"]}, 0, 0))
            assert (await thief.rest())[0] == 1008
        async with server.listener(ready["session"]) as listener:
            assert (await listener.rest())[0] == 1008
        assert (thief.told[0]["code"], listener.told[0]["code"]) == ("unknown-session",) * 2


# How it ends


@pytest.mark.parametrize(
    ("limits", "reason"), [({"idle_s": 0.3}, "idle"), ({"session_s": 0.3}, "too-long")], ids=str
)
@on_loop
async def test_a_session_that_is_over_says_why(limits: dict[str, Any], reason: str) -> None:
    async with served(**limits) as server, server.speaker() as client:
        await client.send(pcm(tone(7)))
        assert (await client.rest())[0] == 1000
    assert client.told[-1] == {"type": "closed", "flushed": True, "reason": reason}
    assert words(client.all("caption")) == [(0, "word 7")]


@on_loop
async def test_who_does_not_come_back_in_time_is_settled_and_unknown() -> None:
    async with served(grace_s=0.3) as server:
        async with server.speaker() as speaker:
            ready = speaker.told[0]
            async with server.listener(ready["listen_id"]) as listener:
                await listener.next()
                await speaker.send(pcm(tone(7)))
                await listener.until("stats")
                speaker.abort()
                await listener.rest()
        assert listener.told[-1] == {"type": "closed", "flushed": True, "reason": "expired"}
        assert words(listener.all("caption")) == [(0, "word 7")]
        codes: list[int] = []
        while 1008 not in codes:
            async with server.client() as again:
                await again.send(resume(ready, 0, 0.2))
                codes.append((await again.rest())[0])
        assert set(codes) <= {1000, 1008}
        assert again.told[0]["code"] == "unknown-session"


@on_loop
async def test_told_to_stop_the_server_answers_what_was_said_and_takes_nobody_in() -> None:
    gate = Gate()
    async with served(fake_booth(FakeBlueprint(FakeRecognizer(gates={7: gate})))) as server:
        async with server.speaker() as speaker, httpx.AsyncClient(base_url=server.url) as http:
            assert (await http.get("/readyz")).status_code == 200
            async with server.listener(speaker.told[0]["listen_id"]) as listener:
                await listener.next()
                await speaker.send(pcm(tone(7)))
                await speaker.until("ack")
                server.running.handle_exit(signal.SIGTERM, None)
                await asyncio.to_thread(gate.wait_inside, 1)
                assert (await http.get("/readyz")).status_code == 503
                assert (await http.get("/healthz")).status_code == 200
                async with server.client() as late:
                    await late.send(config())
                    assert (await late.rest())[0] == 1013
                gate.open()
                assert await speaker.rest() == await listener.rest() == (1000, "")
        assert late.told[0]["code"] == "busy"
        assert words(speaker.all("caption")) == words(listener.all("caption")) == [(0, "word 7")]
        closed = {"type": "closed", "flushed": True, "reason": "draining"}
        assert speaker.told[-1] == listener.told[-1] == closed
        assert speaker.told[-2]["type"] == "summary"


@on_loop
async def test_a_server_that_stops_lets_a_lost_client_come_back_for_what_it_said() -> None:
    gate = Gate()
    async with served(fake_booth(FakeBlueprint(FakeRecognizer(gates={7: gate})))) as server:
        async with server.speaker() as speaker:
            await speaker.send(pcm(tone(7)))
            await speaker.until("ack")
            speaker.abort()
        server.running.handle_exit(signal.SIGTERM, None)
        await asyncio.to_thread(gate.wait_inside, 1)
        async with server.client() as again:
            await again.send(resume(speaker.told[0], 0, 0.2))
            await again.until("ready")
            gate.open()
            assert (await again.rest())[0] == 1000
    assert words(again.all("caption")) == [(0, "word 7")]


@on_loop
async def test_a_server_that_stops_waits_for_a_listener_who_is_a_little_behind() -> None:
    booth = fake_booth(FakeBlueprint(fake_translator=_Talkative()))
    async with served(booth, send_bytes=16_384) as server, server.speaker() as speaker:
        request = listening(speaker.told[0]["listen_id"])
        async with server.raw(request, receive_bytes=4096) as (reader, _):
            await reader.readuntil(b"\r\n\r\n")
            for number in range(1, 7):
                await speaker.send(spoken(number))
                await speaker.until("caption")
            server.running.handle_exit(signal.SIGTERM, None)
            assert (await speaker.rest())[0] == 1000
            came = b""
            while b'"type":"closed"' not in came and (piece := await reader.read(16_384)):
                came += piece
                await asyncio.sleep(0.03)  # the pace of this client
        assert came.count(b'"type":"caption"') == 6


class _Breaking(FakeSegmenter):
    """Breaks at the sound of 13."""

    def feed(self, chunk: Any) -> list[Cut]:
        if 13 in np.round(chunk.samples * 100_000):
            raise EngineError("no more")
        return super().feed(chunk)


@on_loop
async def test_a_session_whose_segmenter_breaks_ends_and_the_others_go_on() -> None:
    """Sound that waits for its turn when it breaks is nobody's any more."""
    async with served(fake_booth(FakeBlueprint(segmenter_type=_Breaking)), idle_s=3) as server:
        async with server.speaker() as client, server.speaker() as other:
            ill = [pcm(tone(7)), pcm(silence()), pcm(tone(13, 0.5)), *[pcm(tone(7, 1.0))] * 5]
            await client.send(*ill)
            assert (await client.rest())[0] == 1000
            assert [each["type"] for each in client.told if "index" in each] == ["caption", "failure"]
            await other.send(pcm(tone(7)))
            await other.rest()  # the clock of the server goes on: it sees that nobody speaks
        assert other.told[-1]["reason"] == "idle"
        await server.serves()


# Who takes nothing, says nothing, or too much


class _Talkative(FakeTranslator):
    """A word is a page."""

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        return Translation(f"{text} " * 4_000, source, target)


HANDSHAKE = "GET {path} HTTP/1.1|Host: 127.0.0.1|Upgrade: websocket|Connection: Upgrade"
HANDSHAKE += "|Sec-WebSocket-Version: 13|Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==||"


def listening(listen_id: str) -> bytes:
    """The request of a listener, for a bare connection."""
    return HANDSHAKE.format(path=f"/v1/sessions/{listen_id}/captions").replace("|", "\r\n").encode()


@pytest.mark.parametrize(
    ("patience", "send_limit_s"),
    [(Patience(taken_s=0.5), 60.0), (Patience(taken_s=0.5), 0.5)],
    ids=["given up below", "given up by the reader, then closed without it"],
)
@on_loop
async def test_who_does_not_read_costs_little_and_delays_nobody(
    patience: Patience, send_limit_s: float
) -> None:
    booth = fake_booth(FakeBlueprint(fake_translator=_Talkative()))
    async with (
        served(booth, patience=patience, send_limit_s=send_limit_s, send_bytes=16_384) as server,
        server.speaker() as speaker,
        server.listener(speaker.told[0]["listen_id"]) as listener,
        server.raw(listening(speaker.told[0]["listen_id"]), receive_bytes=4096) as (stuck, _),
    ):
        await stuck.readuntil(b"\r\n\r\n")
        await speaker.until("stats", listeners=2)
        transports = [each.transport for each in server.running.server_state.connections]
        held = 0
        for number in range(1, 21):
            await speaker.send(spoken(number))
            await listener.until("caption", index=number - 1)
            held = max(held, *(each.get_write_buffer_size() for each in transports))
        assert held < 200_000  # a message of 36 kB above what the transport takes: not 20 of them
        await speaker.until("stats", listeners=1)
        await speaker.send(END)
        await asyncio.gather(speaker.rest(), listener.rest())
        assert len(speaker.all("caption")) == len(listener.all("caption")) == 20
        assert [each.is_closing() for each in transports].count(False) == 0


@on_loop
async def test_who_reads_slowly_is_not_taken_for_one_who_does_not_read() -> None:
    booth = fake_booth(FakeBlueprint(fake_translator=_Talkative()))
    patience = Patience(taken_s=0.7)
    async with (
        served(booth, patience=patience, send_bytes=16_384) as server,
        server.speaker() as speaker,
        server.raw(listening(speaker.told[0]["listen_id"]), receive_bytes=4096) as (reader, _),
    ):
        await speaker.send(*[spoken(number) for number in range(1, 11)], END)
        came = b""
        while b'"type":"closed"' not in came and (piece := await reader.read(16_384)):
            came += piece
            await asyncio.sleep(0.05)  # the pace of this client
        assert came.count(b'"type":"caption"') == 10


@on_loop
async def test_an_answer_that_nobody_takes_is_not_kept() -> None:
    booth = fake_booth(FakeBlueprint(fake_translator=_Talkative()))
    async with served(booth, patience=Patience(taken_s=0.3), send_bytes=16_384) as server:
        async with server.speaker() as speaker:
            await speaker.send(*[spoken(number) for number in range(1, 11)], END)
            await speaker.rest()
        path = f"/v1/sessions/{speaker.told[0]['listen_id']}/transcript?format=jsonl"
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        async with server.raw(request, receive_bytes=4096) as (reader, _):
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            async with server.speaker() as other:
                await other.until("stats")  # two seconds
            came = b""
            with suppress(ConnectionError):
                while piece := await reader.read(16_384):
                    came += piece
        assert len(came) < 100_000 < size


@pytest.mark.parametrize(
    "said",
    [b"", b"G", b"GET / HTT", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ", b"\x16\x03\x01"],
    ids=repr,
)
@on_loop
async def test_a_request_that_does_not_come_whole_is_not_waited_for(said: bytes) -> None:
    async with served(patience=Patience(head_s=0.5)) as server:
        dripping = said != b"" and said[0] > 32
        async with server.raw(said) as (reader, writer):
            with suppress(ConnectionError):
                while not reader.at_eof():
                    if dripping:
                        writer.write(b"x")  # a byte now and then is no request either
                    with suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(100), 0.1)
            assert not server.running.server_state.connections
        await server.serves()


@on_loop
async def test_a_kept_connection_that_drips_its_next_request_is_closed() -> None:
    async with served(patience=Patience(head_s=0.5)) as server:
        request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        async with server.raw(request) as (reader, writer):
            for _ in range(3):
                assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")
                writer.write(request)
            await reader.readuntil(b"\r\n\r\nok")
            writer.write(b"GET /")
            assert await reader.read() == b""


@on_loop
async def test_more_connections_than_there_may_be_are_closed_and_no_other_is() -> None:
    async with served(patience=Patience(connections=3)) as server, server.speaker() as speaker:
        request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        async with server.raw(), server.raw(), server.raw(request) as (reader, _):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        await speaker.send(spoken(7), END)
        assert (await speaker.rest())[0] == 1000


@pytest.mark.parametrize(
    "frame",
    [b"\x89\x80\0\0\0\0", b"\x8a\x80\0\0\0\0", b"\x00\x80\0\0\0\0"],
    ids=["pings", "pongs", "empty parts of a message"],
)
@on_loop
async def test_a_flood_of_frames_that_say_nothing_is_cut_off(frame: bytes) -> None:
    async with served() as server, server.speaker() as other:
        async with server.speaker() as client:
            part = b"\x02\x80\0\0\0\0" if frame[0] == 0 else b""
            client.connection.transport.write(part + frame * 100_000)
            code, reason = await client.rest()
        assert (code, reason) in ((1008, "too many frames"), (1006, ""))
        await other.send(spoken(7), END)
        assert (await other.rest())[0] == 1000


@on_loop
async def test_what_was_kept_while_the_connection_was_lost_may_come_at_once() -> None:
    """Packets of a minute, 20 ms each, would be so many; these are shorter, so that they are heard sooner."""
    async with served() as server, server.speaker() as client:
        await client.send(*[pcm(tone(7, 0.0005))] * 3_000, END)
        assert (await client.rest())[0] == 1000
    assert client.told[-1]["flushed"]


@on_loop
async def test_a_client_that_vanishes_is_noticed_within_forty_seconds() -> None:
    async with served() as server:
        options = server.running.config
        assert options.ws_ping_interval is not None
        assert options.ws_ping_timeout is not None
        assert options.ws_ping_interval + options.ws_ping_timeout <= 40


def test_of_sessions_that_are_over_only_so_many_are_known_and_the_silent_ones_go_first() -> None:
    booth, clock = fake_booth(), ManualClock()
    hall = hall_of(booth, clock, grace_s=1e6)
    ended: list[Session] = []
    for number in range(251):
        session = hall.begin(CONFIG).session
        if number == 0:
            session.hear(bytes(3200))
        session.end("end")
        read_out(session, clock)
        ended.append(session)
    hall.due()
    booth.close()
    assert [session for session in ended if _knows(hall, session)] == [ended[0], *ended[52:]]


def _knows(hall: Hall, session: Session) -> bool:
    try:
        return hall.find(session.names.listen_id) is session
    except ProtocolError:
        return False


# Anything at all


SOUND = spoken(7)
POOL: list[str | bytes] = [
    config(),
    config(partials=False, stability="fast"),
    config(encoding="opus"),
    config(encoding="pcm_s16le", sample_rate=48_000),
    config(to=["es", "pt"]),
    config(to="xx"),
    config(resume=STRANGER),
    FLUSH,
    END,
    '{"type":"ping","id":1}',
    "",
    "null",
    "[" * 5_000,
    '{"type":"config","version":1e400}',
    "\0\u2028\ud7ff",
    SOUND,
    SOUND[:1001],
    b"",
    b"\0",
    NAN,
    bytes(131_072),
    bytes(131_073),
    bytes(270_000),
]


async def misbehave(server: Served, dice: random.Random) -> Client:
    """One connection that does anything, in any order, and leaves in any way."""
    async with server.client() as client:
        with suppress(ConnectionClosed):
            if dice.random() < 0.7:
                await client.send(config(encoding=dice.choice(["pcm_f32le", "pcm_s16le", "opus"])))
            for _ in range(dice.randrange(12)):
                frame = dice.choice(POOL)
                if dice.random() < 0.3:
                    frame = dice.randbytes(dice.randrange(200))
                await client.send(frame)
                if dice.random() < 0.05:
                    client.connection.transport.write(dice.randbytes(50))  # below the WebSocket
            if dice.random() < 0.5:
                client.abort()
            if dice.random() < 0.3:
                await client.send(END)
    return client


@pytest.mark.parametrize("seed", range(6))
@on_loop
async def test_after_anything_at_all_the_server_serves(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    dice = random.Random(seed)  # noqa: S311 - to be the same each time
    async with served(grace_s=0.2, sessions=64) as server:
        for _ in range(25):
            await asyncio.gather(*(misbehave(server, dice) for _ in range(3)))
            await server.serves()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
