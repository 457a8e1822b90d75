"""Sessions without sockets: numbers, cuts, listeners, limits. Engines are fakes, the clock stands still."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.app.server.hall import Hall, fresh_names
from decalage.app.server.protocol import Config, ProtocolError, Resume
from decalage.app.server.replay import Replay
from decalage.app.server.session import Session
from decalage.audio import SAMPLE_RATE
from decalage.config import RuntimeOptions
from decalage.events import Caption, Gap, OverloadChanged, Partial, Rejected, Settled, SpeechStarted
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.testing import ManualClock
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, Gate, silence, speech, tone
from tests.app.server_kit import CONFIG, FakeBooth, fake_booth, hall_of, read_out
from tests.properties import examples

WORDS = [11, 22, 33, 44, 55]


@pytest.fixture(scope="module")
def booth() -> Iterator[FakeBooth]:
    made = fake_booth()
    yield made
    made.runtime.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(100.0)


def pcm(samples: np.ndarray) -> bytes:
    return bytes(samples.astype("<f4").tobytes())


SPOKEN = speech(WORDS).samples
F32 = replace(CONFIG, encoding="pcm_f32le")


def told(events: list[Settled]) -> list[tuple[int, str, float, float, str]]:
    """What a person would read, and where it stands."""
    return [
        (e.index, e.type, e.start, e.end, e.text.get("pt", "") if isinstance(e, Caption) else "")
        for e in events
    ]


def uncut(booth: FakeBooth, clock: ManualClock, samples: np.ndarray = SPOKEN) -> list[Settled]:
    session = hall_of(booth, clock).begin(F32).session
    session.hear(pcm(samples))
    session.end("end")
    return read_out(session, clock)


def refused(hall: Hall, config: Config) -> str:
    with pytest.raises(ProtocolError) as caught:
        hall.begin(config)
    return caught.value.code


def test_events_are_numbered_from_the_start_to_the_summary(booth: FakeBooth, clock: ManualClock) -> None:
    session = hall_of(booth, clock).begin(F32).session
    session.hear(pcm(SPOKEN))
    session.end("end")
    read_out(session, clock)
    kept = session.replay.after(0)
    assert [each.seq for each in kept] == list(range(1, len(kept) + 1))
    assert [each.event.type for each in kept] == ["start", *["caption"] * 5, "summary"]


@examples(60)
@given(
    cut_at=st.integers(0, len(SPOKEN)),
    arrived=st.floats(0, 1),
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=8),
)
def test_a_cut_socket_gives_what_an_uncut_one_gives(cut_at: int, arrived: float, sizes: list[int]) -> None:
    """``cut_at`` samples were sent before the cut, of them a share arrived: what it lacks is sent again."""
    booth, clock = fake_booth(), ManualClock(100.0)
    try:
        hall = hall_of(booth, clock)
        session = hall.begin(F32).session
        first = session.attach(lambda: None)
        session.hear(pcm(SPOKEN[: int(cut_at * arrived)]))
        session.detach(first)
        clock.advance(5)
        resume = Resume(session=session.names.secret, last_seq=1, audio_sent_s=cut_at / SAMPLE_RATE)
        again = hall.begin(replace(F32, resume=resume))
        assert (again.session, again.resumed) == (session, True)
        place = round(session.sound.received_s * SAMPLE_RATE)
        pieces = iter(sizes * (len(SPOKEN) // min(sizes) + 1))
        while place < len(SPOKEN):
            size = next(pieces)
            session.hear(pcm(SPOKEN[place : place + size]))
            place += size
        session.end("end")
        assert told(read_out(session, clock)) == told(uncut(booth, clock))
    finally:
        booth.runtime.close()


def test_a_client_that_lost_sound_gives_one_gap_and_all_else_identical(
    booth: FakeBooth, clock: ManualClock
) -> None:
    hall = hall_of(booth, clock)
    session = hall.begin(F32).session
    border = len(speech(WORDS[:2]).samples)
    after = len(speech(WORDS[:3]).samples)
    session.hear(pcm(SPOKEN[:border]))
    clock.advance(5)
    lost = Resume(
        session=session.names.secret,
        last_seq=0,
        audio_sent_s=border / SAMPLE_RATE,
        audio_from_s=after / SAMPLE_RATE,
    )
    hall.begin(replace(F32, resume=lost))
    assert session.sound.received_s == after / SAMPLE_RATE
    session.hear(pcm(SPOKEN[after:]))
    session.end("end")
    events = read_out(session, clock)
    whole = told(uncut(booth, clock))
    gap = events[2]
    assert isinstance(gap, Gap)
    assert (gap.start, gap.end, gap.cause, gap.captured) == (
        border / SAMPLE_RATE,
        after / SAMPLE_RATE,
        "device",
        False,
    )
    assert told(events)[:2] == whole[:2]
    assert told(events)[3:] == whole[3:]


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_sound_of_another_rate_is_placed_by_its_own_clock(
    booth: FakeBooth, clock: ManualClock, rate: int
) -> None:
    hall = hall_of(booth, clock)
    session = hall.begin(replace(F32, sample_rate=rate)).session
    session.hear(pcm(np.zeros(rate, np.float32)))
    assert session.sound.received_s == 1.0
    resume = Resume(session=session.names.secret, last_seq=0, audio_sent_s=1.0)
    hall.begin(replace(F32, resume=resume))  # now at 16 kHz
    session.hear(pcm(np.concatenate([tone(7), silence()])))
    session.end("end")
    (caption,) = read_out(session, clock)
    assert (caption.start, caption.end) == (1.0, 1.2)


def test_what_cannot_be_a_place_to_go_on_from_is_refused(booth: FakeBooth, clock: ManualClock) -> None:
    hall = hall_of(booth, clock, ahead_s=10)
    session = hall.begin(F32).session
    far = Resume(session=session.names.secret, last_seq=0, audio_sent_s=0, audio_from_s=11)
    assert refused(hall, replace(F32, resume=far)) == "bad-message"


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"123", "middle of a sample"),
        (pcm(np.array([np.nan])), "not a number"),
        (pcm(np.array([np.inf])), "infinite"),
    ],
)
def test_bad_sound_is_told_and_the_session_goes_on(
    booth: FakeBooth, clock: ManualClock, frame: bytes, why: str
) -> None:
    session = hall_of(booth, clock).begin(F32).session
    with pytest.raises(ProtocolError, match=why):
        session.hear(frame)
    session.hear(b"")
    session.hear(pcm(SPOKEN))
    session.end("end")
    assert len(read_out(session, clock)) == 5


def test_a_second_connection_takes_the_session_over(booth: FakeBooth, clock: ManualClock) -> None:
    session = hall_of(booth, clock, grace_s=5).begin(F32).session
    displaced: list[str] = []
    first = session.attach(lambda: displaced.append("first"))
    second = session.attach(lambda: displaced.append("second"))
    assert displaced == ["first"]
    session.detach(first)  # it goes when it likes: the second speaks
    clock.advance(10)
    session.due()
    assert session.reason is None
    session.detach(second)
    clock.advance(10)
    session.due()
    assert session.reason == "expired"


@pytest.mark.parametrize(
    ("limits", "reason"), [({"idle_s": 5}, "idle"), ({"session_s": 5, "idle_s": 100}, "too-long")]
)
def test_a_session_ends_with_what_was_said_settled(
    booth: FakeBooth, clock: ManualClock, limits: dict[str, float], reason: str
) -> None:
    hall = hall_of(booth, clock, **limits)
    session = hall.begin(F32).session
    session.hear(pcm(tone(5)))  # no silence after it
    hall.due()
    assert session.reason is None
    clock.advance(6)
    hall.due()
    assert session.reason == reason
    assert session.hear(pcm(tone(6))) == 0.0
    assert [event.type for event in read_out(session, clock)] == ["caption"]


def test_what_was_said_is_kept_for_the_grace_time_and_then_forgotten(
    booth: FakeBooth, clock: ManualClock
) -> None:
    hall = hall_of(booth, clock, grace_s=30)
    session = hall.begin(F32).session
    session.end("end")
    read_out(session, clock)
    clock.advance(29)
    hall.due()
    assert hall.find(session.names.listen_id) is session
    clock.advance(2)
    hall.due()
    with pytest.raises(ProtocolError, match="no such session"):
        hall.find(session.names.listen_id)
    gone = Resume(session=session.names.secret, last_seq=0, audio_sent_s=0)
    assert refused(hall, replace(F32, resume=gone)) == "unknown-session"


def test_a_hall_that_is_full_or_about_to_close_lets_nobody_in(booth: FakeBooth, clock: ManualClock) -> None:
    hall = hall_of(booth, clock, sessions=1)
    session = hall.begin(F32).session
    assert refused(hall, F32) == "busy"
    session.end("end")
    read_out(session, clock)
    second = hall.begin(F32).session
    hall.end_all("draining")
    assert second.reason == "draining"
    read_out(second, clock)
    assert refused(hall, F32) == "busy"


def test_a_listen_id_does_not_speak_and_a_secret_does_not_listen(
    booth: FakeBooth, clock: ManualClock
) -> None:
    hall = hall_of(booth, clock)
    names = hall.begin(F32).session.names
    taken = Resume(session=names.listen_id, last_seq=0, audio_sent_s=0)
    assert refused(hall, replace(F32, resume=taken)) == "unknown-session"
    with pytest.raises(ProtocolError, match="no such session"):
        hall.find(names.secret)


def test_names_cannot_be_guessed_and_are_not_in_a_repr() -> None:
    made = [fresh_names() for _ in range(100)]
    assert len({name.secret for name in made} | {name.listen_id for name in made}) == 200
    assert min(len(name.secret) for name in made) == 32
    assert all(name.secret not in repr(name) for name in made)


def test_an_unsupported_language_is_refused(booth: FakeBooth, clock: ManualClock) -> None:
    assert refused(hall_of(booth, clock), replace(F32, targets=("fr",))) == "unsupported-language"


def test_a_listener_brings_a_language_and_takes_it_away(booth: FakeBooth, clock: ManualClock) -> None:
    session = hall_of(booth, clock).begin(F32).session
    reader = iter(session.stream)

    def say(word: int) -> set[str]:
        clock.advance(1)
        session.hear(pcm(np.concatenate([tone(word), silence()])))
        caption = next(reader)
        assert isinstance(caption, Caption)
        return set(caption.text)

    before = len(booth.asked)
    assert say(1) == {"en", "pt"}
    for target in ("es", "es", None, "pt", "en"):
        session.listen(target)
    assert session.listeners == 5
    assert say(2) == {"en", "pt", "es"}
    session.leave("es")
    assert say(3) == {"en", "pt", "es"}
    session.leave("es")
    assert say(4) == {"en", "pt"}
    assert len(booth.asked) == before + 2  # it changed twice
    session.end("end")
    assert list(reader) == []


def test_a_burst_is_heard_half_as_fast_again_as_it_was_spoken(booth: FakeBooth, clock: ManualClock) -> None:
    session = hall_of(booth, clock).begin(F32).session
    session.hear(pcm(np.zeros(10 * SAMPLE_RATE, np.float32)))
    assert (session.sound.received_s, session.sound.waiting_s) == (10.0, 9.0)
    waiting = []
    for _ in range(4):
        clock.advance(1.0)
        session.due()
        waiting.append(session.sound.waiting_s)
    assert waiting == [7.5, 6.0, 4.5, 3.0]
    session.end("draining")
    assert session.sound.waiting_s == 0.0
    read_out(session, clock)


def test_more_than_could_be_spoken_is_refused(booth: FakeBooth, clock: ManualClock) -> None:
    session = hall_of(booth, clock, ahead_s=5).begin(F32).session
    session.hear(pcm(np.zeros(7 * SAMPLE_RATE, np.float32)))
    with pytest.raises(ProtocolError) as caught:
        session.hear(pcm(np.zeros(100, np.float32)))
    assert caught.value.code == "too-fast"
    assert session.sound.received_s == 7.0  # what was refused was not taken
    clock.advance(3)
    session.hear(pcm(np.concatenate([tone(5), silence()])))
    session.end("end")
    (caption,) = read_out(session, clock)
    assert caption.start == 7.0


def test_a_server_that_stops_drops_nothing_of_what_waits(booth: FakeBooth, clock: ManualClock) -> None:
    session = hall_of(booth, clock).begin(F32).session
    words = np.concatenate([speech([word], 2.0).samples for word in range(1, 53)])
    session.hear(pcm(words))  # 109 s, where a stream drops from 60 s on
    session.end("draining")
    reader = iter(session.stream)
    texts = []
    for event in reader:
        if isinstance(event, OverloadChanged):
            continue
        assert isinstance(event, Caption), event
        texts.append(event.text["en"])
        session.due()
    assert texts == [f"word {word}" for word in range(1, 53)]


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_flush_takes_what_the_resampler_holds(booth: FakeBooth, clock: ManualClock, rate: int) -> None:
    session = hall_of(booth, clock).begin(replace(F32, sample_rate=rate)).session
    for _ in range(3):
        session.hear(pcm(np.full(rate // 10, 0.5, np.float32)))
        session.flush()
        assert session.sound.heard_s == pytest.approx(session.sound.received_s, abs=1e-9)
    session.end("draining")


def test_a_session_may_be_away_for_its_grace_time_however_idle(booth: FakeBooth, clock: ManualClock) -> None:
    session = hall_of(booth, clock, grace_s=60, idle_s=10).begin(F32).session
    session.detach(session.attach(lambda: None))
    clock.advance(50)
    session.due()
    assert session.reason is None
    clock.advance(11)
    session.due()
    assert session.reason == "expired"


def test_a_session_that_breaks_ends_alone_and_says_that_it_is_not_whole(
    booth: FakeBooth, clock: ManualClock
) -> None:
    hall = hall_of(booth, clock)
    broken, whole = hall.begin(F32).session, hall.begin(F32).session
    broken.hear(pcm(tone(5)))
    broken.break_off("a defect")
    for session in (broken, whole):
        session.end("end")
        read_out(session, clock)
    assert (broken.flushed, whole.flushed) == (False, True)


def test_a_flush_waits_for_the_sound_before_it(booth: FakeBooth, clock: ManualClock) -> None:
    session = hall_of(booth, clock).begin(F32).session
    session.hear(pcm(np.concatenate([silence(3.0), tone(5)])))
    session.flush()
    session.hear(pcm(tone(5)))
    session.end("end")
    places = [(round(event.start, 3), round(event.end, 3)) for event in read_out(session, clock)]
    assert places == [(3.0, 3.2), (3.2, 3.4)]


def test_being_late_is_told_until_it_is_over() -> None:
    clock, gate = ManualClock(), Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    booth = FakeBooth(PipelineRuntime(blueprint, RuntimeOptions(asr_deadline_s=1e6), clock=clock))
    session = hall_of(booth, clock).begin(F32).session
    session.hear(pcm(np.concatenate([tone(5), silence()])))
    gate.wait_inside(1)

    def shed() -> tuple[str, ...]:
        session.due()
        return session.overload().shedding

    assert shed() == ()
    clock.advance(4.4)  # 1.5 s is usual, 3 s more is late
    assert shed() == ()
    clock.advance(0.2)
    assert shed() == ("partials",)
    assert session.stats().behind_s == pytest.approx(0.3 + 4.6 - 0.2 - 1.5)
    gate.open()
    session.end("end")
    read_out(session, clock)
    assert shed() == ()
    booth.runtime.close()


def rejected(index: int) -> Rejected:
    return Rejected(index, float(index), index + 1.0, "no-speech")


def partial(index: int, revision: int) -> Partial:
    return Partial(index, revision, 0.0, 1.0, "en", {"en": "a"}, {"en": 0})


def test_a_reader_gets_what_it_missed_and_of_the_partials_the_newest() -> None:
    replay = Replay()
    for event in (
        partial(0, 0),
        partial(0, 1),
        partial(1, 0),
        rejected(0),
        partial(1, 1),
        SpeechStarted(1.0),
    ):
        replay.add(event)
    assert [(each.seq, each.event.type) for each in replay.after(0)] == [
        (4, "rejected"),
        (5, "partial"),
        (6, "speech_started"),
    ]
    assert [each.seq for each in replay.after(4)] == [5, 6]
    assert [each.seq for each in replay.after(0, partials=False)] == [4, 6]
    assert replay.after(6) == []


def test_what_is_kept_has_a_bound_and_a_reader_is_told_that_it_lost_something() -> None:
    replay = Replay(kept=3)
    for index in range(5):
        replay.add(rejected(index))
    assert [each.seq for each in replay.after(0)] == [3, 4, 5]
    assert replay.lost_seq == 2
    assert [each.seq for each in replay.after(replay.cursor_before(2))] == [4, 5]
    assert replay.cursor_before(9) == 0


def test_sessions_hold_nothing_of_each_other(booth: FakeBooth, clock: ManualClock) -> None:
    hall = hall_of(booth, clock)
    sessions: list[Session] = [hall.begin(F32).session for _ in range(8)]
    for turn in range(3):
        for number, session in enumerate(sessions):
            session.hear(pcm(np.concatenate([tone(100 * (number + 1) + turn), silence()])))
    for session in sessions:
        session.end("end")
    for number, session in enumerate(sessions):
        texts = [event.text["en"] for event in read_out(session, clock) if isinstance(event, Caption)]
        assert texts == [f"word {100 * (number + 1) + turn}" for turn in range(3)]
