"""A session's events and its sound, wherever the connection breaks and whatever comes in frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.app.client.messages import parsed
from decalage.app.server.parsing import parse
from decalage.app.server.protocol import CLOSE_CODES, Error, ProtocolError, written
from decalage.app.server.replay import Replay, Told, passes
from decalage.app.server.sound import SessionSound
from decalage.audio import SAMPLE_RATE, AudioChunk, Samples
from decalage.errors import ClosedError, ServerError
from decalage.events import Event, Gap, Partial, Rejected, SpeechStarted, SpeechStopped
from decalage.runtimes.stream import RuntimeStream
from decalage.sources.packets import Encoding
from decalage.testing import ManualClock
from tests.properties import examples, raised

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "replace")) | JSON.map(json.dumps))
def test_any_frame_of_text_is_understood_on_either_side_or_refused_in_a_short_line(text: str) -> None:
    refused = raised(ProtocolError, lambda: parse(text))
    if refused is not None:
        assert refused.code in CLOSE_CODES
        assert len(written(Error(refused.code, str(refused), fatal=True)).encode()) < 600
    broken = raised(ServerError, lambda: parsed(text))
    assert broken is None or len(str(broken)) < 400


@pytest.mark.parametrize("depth", [100, 900, 970, 990, 1000, 5000])
def test_a_frame_however_deep_is_refused(depth: int) -> None:
    for frame in ('{"type":' + "[" * depth + "]" * depth + "}", '{"type":"ping","id":' + '{"a":' * depth):
        with pytest.raises(ProtocolError):
            parse(frame)
        broken = raised(ServerError, partial(parsed, frame))
        assert broken is None or len(str(broken)) < 400


@pytest.mark.parametrize("odd", ["1e999", "NaN", "-1", "true", "9" * 400, '"1"'])
def test_what_a_server_counts_has_to_be_a_number(odd: str) -> None:
    with pytest.raises(ServerError, match="audio_received_s cannot be"):
        parsed(f'{{"type":"ack","audio_received_s":{odd}}}')


def test_a_server_that_takes_no_sample_in_a_frame_is_not_spoken_to() -> None:
    with pytest.raises(ServerError, match="frame_bytes cannot be 1"):
        parsed('{"type":"ready","limits":{"frame_bytes":1}}')


# Events: readers with cursors.


def event(kind: str, index: int) -> Event:
    if kind == "partial":
        return Partial(index, 0, 0.0, 1.0, "en", {"en": "It"}, {"en": 0})
    if kind == "gap":
        return Gap(index, 0.0, 1.0, "overload")
    if kind == "rejected":
        return Rejected(index, 0.0, 1.0, "loop")
    return SpeechStarted(1.0) if kind == "started" else SpeechStopped(2.0)


def stream(kinds: Sequence[str]) -> list[Event]:
    """Events as a stream tells them: what is settled in order, partials of what is not."""
    events, index = [], 0
    for number, kind in enumerate(kinds):
        ahead = number % 2 if kind == "partial" else 0
        events.append(event(kind, index + ahead))
        index += kind in ("gap", "rejected")
    return events


KINDS = st.lists(
    st.sampled_from(["partial", "partial", "gap", "rejected", "started", "stopped"]), max_size=40
)


@given(KINDS, st.lists(st.integers(0, 60), max_size=6))
def test_wherever_a_reader_comes_back_it_has_everything_settled_once_and_in_order(
    kinds: list[str], cuts: list[int]
) -> None:
    replay, events, read, cursor = Replay(), stream(kinds), list[Told](), 0
    for number, each in enumerate(events):
        assert replay.add(each).seq == number + 1
        if number in cuts:
            read += replay.after(cursor)
            cursor = read[-1].seq if read else cursor
    read += replay.after(cursor)
    seqs = [told.seq for told in read]
    assert seqs == sorted(set(seqs))
    assert all(told.event == events[told.seq - 1] for told in read)
    assert [told.event for told in read if not passes(told.event)] == [e for e in events if not passes(e)]
    settled = max((e.index for e in events if isinstance(e, Gap | Rejected)), default=-1)
    assert all(t.event.index > settled for t in replay.after(0) if isinstance(t.event, Partial))
    newest = {told.seq for told in replay.after(0) if passes(told.event)}
    assert newest <= set(seqs)
    assert replay.after(replay.last_seq) == []
    assert replay.after(10**400) == []


@given(KINDS, st.integers(1, 5), st.integers(0, 60))
def test_who_comes_too_late_has_what_there_is_and_is_told_what_is_not(
    kinds: list[str], kept: int, seq: int
) -> None:
    replay, events = Replay(kept), stream(kinds)
    told = [replay.add(each) for each in events]
    lasting = [each for each in told if not passes(each.event)]
    assert replay.lost_seq == (lasting[-kept - 1].seq if len(lasting) > kept else 0)
    found = [each for each in replay.after(seq) if not passes(each.event)]
    assert found == [each for each in lasting[-kept:] if each.seq > seq]
    assert list(replay.settled()) == [each.event for each in lasting[-kept:]]
    cursor = replay.cursor_before(2)
    assert [each for each in replay.after(cursor) if not passes(each.event)] == lasting[-kept:][-2:]


# Sound: a stream that only listens.


class Heard:
    """What a stream of a runtime is to a session's sound."""

    def __init__(self) -> None:
        self.chunks: list[AudioChunk] = []
        self.flushes: list[int] = []
        self.waiting_s = 0.0
        self.finished = False

    @property
    def samples(self) -> int:
        return sum(len(chunk.samples) for chunk in self.chunks)

    def feed(self, chunk: AudioChunk) -> None:
        if self.finished:
            raise ClosedError
        self.chunks.append(chunk)

    def flush(self) -> None:
        self.flushes.append(self.samples)

    def finish(self) -> None:
        self.finished = True


class Kept:
    """A recorder."""

    def __init__(self) -> None:
        self.chunks: list[AudioChunk] = []

    def sound(self, chunk: AudioChunk) -> None:
        self.chunks.append(chunk)

    def event(self, seq: int, event: Event) -> None:
        raise AssertionError(f"no events here: {seq} {event}")

    def close(self) -> None:
        raise AssertionError("nobody closes it here")

    def leave(self) -> None:
        raise AssertionError("nobody leaves it here")


RAMP: Samples = (np.arange(130 * SAMPLE_RATE) % 65_536 - 32_768).astype(np.float32) / np.float32(32_768)
BURST = ("frame", 4 * SAMPLE_RATE)
STEPS = st.lists(
    st.tuples(st.just("frame"), st.integers(0, 5 * SAMPLE_RATE))
    | st.tuples(st.just("time"), st.integers(0, 3))
    | st.tuples(st.just("busy"), st.integers(0, 40))
    | st.tuples(st.just("flush"), st.just(0))
    | st.tuples(st.just("lost"), st.integers(1, 3 * SAMPLE_RATE)),
    max_size=20,
)


@examples(200)
@given(
    st.tuples(st.integers(0, 5).map(lambda times: [BURST] * times), STEPS).map(
        lambda parts: [*parts[0], *parts[1]]
    ),
    st.sampled_from(["pcm_s16le", "pcm_f32le"]),
    st.booleans(),
)
def test_sound_is_heard_once_in_order_and_at_its_place_and_no_faster_than_it_can_be(
    steps: list[tuple[str, int]], encoding: Encoding, at_once: bool
) -> None:
    heard, kept, clock = Heard(), Kept(), ManualClock(5.0)
    sound = SessionSound(cast("RuntimeStream", heard), clock, ahead_s=200.0, recorder=kept)
    sound.begin(encoding, SAMPLE_RATE)
    place, missing, flushed = 0, 0, list[int]()
    for step, number in steps:
        if step == "frame":
            piece = RAMP[place : place + number]
            raw = (piece * 32_768).astype("<i2") if encoding == "pcm_s16le" else piece.astype("<f4")
            assert sound.add(raw.tobytes()) == pytest.approx(number / SAMPLE_RATE)
            place += number
        elif step == "lost":
            assert sound.begin(encoding, SAMPLE_RATE, (place + number) / SAMPLE_RATE) > 0
            place, missing = place + number, missing + number
        elif step == "flush":
            if place != (flushed[-1] if flushed else 0):
                flushed.append(place)
            sound.flush()
        else:
            clock.advance(number if step == "time" else 0)
            heard.waiting_s = number if step == "busy" else heard.waiting_s
            sound.due()
        assert heard.samples <= SAMPLE_RATE * (1 + 1.5 * (clock.now() - 5.0)) + 1
        assert sound.received_s == pytest.approx(place / SAMPLE_RATE)
        assert heard.samples + round(sound.waiting_s * SAMPLE_RATE) == place - missing
    sound.end(at_once=at_once)
    heard.waiting_s = 0.0
    while not heard.finished:
        clock.advance(1.0)
        sound.due()
    for chunks in (heard.chunks, kept.chunks):
        assert sum(len(chunk.samples) for chunk in chunks) == place - missing
        end = 0
        for chunk in chunks:
            assert chunk.first >= end
            end = chunk.first + len(chunk.samples)
            np.testing.assert_array_equal(chunk.samples, RAMP[chunk.first : end])
    assert len(heard.flushes) == len(flushed)
    assert sound.unheard == 0
