"""Files that end early, have holes or a longer picture: what is told of it, and the time of the sound."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from decalage.audio import SAMPLE_RATE, Samples
from decalage.errors import DamagedInputError, InputError
from decalage.sinks.video import _sound_begins, check_recording
from decalage.sources.file import FileSource
from decalage.sources.frame_clock import FrameClock

TONE = (np.sin(np.arange(6 * SAMPLE_RATE) / 20) / 2).astype(np.float32)
PIECE_S = 0.02
CODECS = {
    "mkv": "libopus",
    "webm": "libopus",
    "mp3": "libmp3lame",
    "flac": "flac",
    "mp4": "aac",
    "aiff": "pcm_s16be",
}


def written(
    path: Path,
    pieces: Sequence[tuple[float, Samples]],
    *,
    codec: str,
    picture_s: float = 0.0,
    options: dict[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Path:
    """``pieces`` of sound, each from its second on, and a grey picture of ``picture_s``.

    ``tags`` of the sound, beside what the muxer writes.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        if picture_s:
            video = container.add_stream("mpeg4", rate=10)
            video.width = video.height = 32
        rate = 48_000 if codec in ("libopus", "ac3") else SAMPLE_RATE
        sound = container.add_stream(codec, rate=rate)
        sound.layout = "mono"
        sound.metadata.update(tags or {})
        for _ in range(round(picture_s * 10)):
            grey = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 99, np.uint8), format="rgb24")
            container.mux(video.encode(grey))
        if picture_s:
            container.mux(video.encode(None))
        fit = av.AudioResampler(format=sound.format, layout="mono", rate=rate)
        for at_s, samples in pieces:
            frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, None
            begun = round(at_s * rate)
            for made in fit.resample(frame):
                made.pts, begun = begun, begun + made.samples
                container.mux(sound.encode(made))
        container.mux(sound.encode(None))
    return path


def pieces(*spans: tuple[float, float]) -> list[tuple[float, Samples]]:
    """Sound in pieces of 20 ms, from one second to another of each span."""
    length = round(PIECE_S * SAMPLE_RATE)
    return [
        (number * PIECE_S, TONE[number * length : (number + 1) * length])
        for begin, end in spans
        for number in range(round(begin / PIECE_S), round(end / PIECE_S))
    ]


def heard(path: Path) -> tuple[float, list[tuple[float, float]], str]:
    """Where its sound ends, its holes from one second to another, and what is told of damage."""
    end, holes, told = 0, [], ""
    try:
        for chunk in FileSource(str(path)):
            if chunk.first != end:
                holes.append((end / SAMPLE_RATE, chunk.first / SAMPLE_RATE))
            end = chunk.first + len(chunk.samples)
    except DamagedInputError as damage:
        told = str(damage)
    return end / SAMPLE_RATE, holes, told


@pytest.mark.parametrize("form", CODECS)
def test_a_file_that_was_cut_off_is_told_and_a_whole_one_is_not(tmp_path: Path, form: str) -> None:
    options = {"movflags": "faststart"} if form == "mp4" else {}
    whole = written(tmp_path / f"whole.{form}", [(0, TONE)], codec=CODECS[form], options=options)
    assert heard(whole)[1:] == ([], "")
    assert heard(whole)[0] == pytest.approx(6, abs=0.1)
    cut = tmp_path / f"cut.{form}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    end, holes, told = heard(cut)
    assert 2 < end < 4.5
    assert holes == []
    assert told.startswith((f"{cut} ends early: it says 6.0 s and holds ", f"{cut} is damaged: 1 piece"))


@pytest.mark.parametrize("id3", [b"", b"ID3\x04\0\0\0\0\x0f\x50" + bytes(2000)], ids=["no tag", "a tag"])
def test_an_mp3_that_does_not_count_its_frames_promises_nothing(tmp_path: Path, id3: bytes) -> None:
    for counts in ("0", "1"):
        path = written(
            tmp_path / f"{counts}.mp3", [(0, TONE)], codec="libmp3lame", options={"write_xing": counts}
        )
        content = path.read_bytes()
        begins = content.index(b"\xff\xf3")
        path.write_bytes(id3 + content[begins : begins + len(content) // 2])
        assert heard(path)[2].startswith(f"{path} ends early: it says 6.0 s") == (counts == "1")


@pytest.mark.parametrize("form", ["mp4", "mkv"])
def test_sound_that_is_shorter_than_the_picture_is_not_damaged(tmp_path: Path, form: str) -> None:
    film = written(tmp_path / f"film.{form}", [(0, TONE)], codec="aac", picture_s=9)
    assert FileSource(str(film)).duration_s == pytest.approx(9, abs=0.1)
    end, holes, told = heard(film)
    assert end == pytest.approx(6, abs=0.1)
    assert (holes, told) == ([], "")


@pytest.mark.parametrize(
    ("form", "codec"),
    [
        ("mkv", "pcm_s16le"),
        ("mp4", "aac"),
        ("ogg", "libopus"),
        ("ts", "aac"),
        ("flv", "aac"),
        ("asf", "mp2"),
    ],
)
def test_where_sound_is_missing_in_a_file_is_a_hole_and_what_follows_keeps_its_time(
    tmp_path: Path, form: str, codec: str
) -> None:
    path = written(tmp_path / f"hole.{form}", pieces((0, 2), (4, 6)), codec=codec)
    end, holes, told = heard(path)
    assert told == ""
    assert end == pytest.approx(6, abs=0.1)
    ((begin, after),) = holes
    assert begin == pytest.approx(2, abs=0.15)
    assert after == pytest.approx(4, abs=0.15)


def test_the_first_sample_is_at_0_wherever_the_picture_begins(tmp_path: Path) -> None:
    path = written(tmp_path / "late.mkv", pieces((2, 6)), codec="pcm_s16le", picture_s=6)
    end, holes, told = heard(path)
    assert end == pytest.approx(4, abs=0.1)
    assert (holes, told) == ([], "")


@pytest.mark.parametrize(("form", "codec"), [("mp4", "aac"), ("mkv", "pcm_s16le")])
def test_sound_that_begins_late_has_the_length_that_is_said_of_it(
    tmp_path: Path, form: str, codec: str
) -> None:
    options = {"movflags": "faststart"} if form == "mp4" else {}
    late = [(at_s + 14, samples) for at_s, samples in pieces((0, 6))]
    path = written(tmp_path / f"late.{form}", late, codec=codec, picture_s=21, options=options)
    end, holes, told = heard(path)
    assert end == pytest.approx(6, abs=0.15)
    assert (holes, told) == ([], "")
    with av.open(str(path)) as source:
        sound = [packet for packet in source.demux(audio=0) if packet.pos]
        cut = sound[len(sound) * 6 // 10].pos  # between two packets, so that none is damaged
    path.write_bytes(path.read_bytes()[:cut])
    end, _, told = heard(path)
    assert 2 < end < 5
    assert " ends early: it says 6." in told


def test_a_pause_longer_than_the_sound_is_a_hole_where_the_length_is_a_guess(tmp_path: Path) -> None:
    apart = [(0.0, TONE), (60.0, TONE)]
    path = written(tmp_path / "live.mka", apart, codec="ac3", options={"live": "1"})
    end, ((begin, after),), told = heard(path)
    assert (begin, after, end) == pytest.approx((6, 60, 66), abs=0.2)
    assert told == ""


def test_a_flac_that_was_shortened_without_being_encoded_anew_is_whole(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.flac", pieces((0, 6)), codec="flac")
    path = tmp_path / "shortened.flac"
    with av.open(str(whole)) as source, av.open(str(path), "w") as made:
        track = made.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.pts is not None and packet.pts * packet.time_base >= 2:
                packet.stream = track
                made.mux(packet)
    end, _, told = heard(path)
    assert end == pytest.approx(4, abs=0.3)
    assert told == ""


def damaged(whole: Path, number: int) -> Path:
    """A copy with one packet of nothing but ones."""
    with av.open(str(whole)) as source:
        packet = next(itertools.islice(source.demux(audio=0), number, None))
        sound = bytes(packet)
    content = whole.read_bytes()
    assert content.count(sound) == 1
    path = whole.with_name("damaged.mka")
    path.write_bytes(content.replace(sound, b"\xff" * len(sound)))
    return path


@pytest.mark.parametrize("number", range(0, 60, 3))
def test_one_damaged_packet_ends_no_recording(tmp_path: Path, number: int) -> None:
    """FFmpeg's decoder of AAC says several things of damage, that something is not permitted among them."""
    noise = (np.random.default_rng(number).normal(size=len(TONE)) / 5).astype(np.float32)
    whole = written(tmp_path / "whole.mka", [(0, noise)], codec="aac")
    path = damaged(whole, number)
    end, _, told = heard(path)
    assert end == pytest.approx(6, abs=0.3)
    assert told.startswith(f"{path} is damaged: 1 piece could not be decoded, ")
    assert 0 <= _sound_begins(path) < 0.2


def test_silence_that_a_sender_leaves_out_is_silence(tmp_path: Path) -> None:
    """As of discontinuous transmission: a piece of 20 ms every 0.4 s, and between words as it comes."""
    rare = [(at, at + PIECE_S) for at in np.arange(1, 4, 0.4)]
    path = written(tmp_path / "rare.mkv", pieces((0, 1), *rare, (4, 6)), codec="pcm_s16le")
    source = FileSource(str(path))
    sound = np.concatenate([chunk.samples for chunk in source])
    assert heard(path)[1:] == ([], "")
    assert len(sound) / SAMPLE_RATE == pytest.approx(6, abs=0.5)
    loud = np.flatnonzero(np.abs(sound) > 0.1) / SAMPLE_RATE
    assert np.sum((loud > 1.5) & (loud < 3.4)) < 5 * PIECE_S * SAMPLE_RATE
    assert np.sum(loud > 4) > SAMPLE_RATE


def test_an_unfinished_recording_is_refused_with_its_reason(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.mp4", [(0, TONE)], codec="aac")
    for part in (5, 9):
        cut = tmp_path / f"{part}.mp4"
        cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * part // 10])
        with pytest.raises(InputError, match="its index is missing: the recording, or its copy, broke off"):
            FileSource(str(cut))


def test_a_clock_that_begins_anew_has_lost_nothing() -> None:
    clock = FrameClock(sums=True, longest_s=100)
    times = (0.0, 1.0, 0.5, 1.5, 900.0, 901.0, 904.0, 3.0, 4.0, 5.0)
    assert [clock.missing_s(at, 1.0) for at in times[:4]] == [0] * 4
    assert not clock.counts_anew
    assert [clock.missing_s(at, 1.0) for at in times[4:]] == [0, 0, 2, 0, 0, 0]
    assert clock.counts_anew


def test_frames_without_a_time_take_theirs() -> None:
    clock = FrameClock(sums=True)
    assert [
        clock.missing_s(at, 0.2) for at in (None, 0.0, None, None, None, 0.8, None, 3.2)
    ] == pytest.approx([0, 0, 0, 0, 0, 0, 0, 2.0])


@pytest.mark.parametrize("burst", [30, 50, 200])
def test_frames_that_are_stamped_as_they_arrive_have_lost_nothing(burst: int) -> None:
    clock = FrameClock(sums=True)
    times = [number // burst * burst * 0.02 for number in range(2_000)]
    assert sum(clock.missing_s(at, 0.02) for at in times) == 0
    assert clock.missing_s(45.0, 0.02) == pytest.approx(5.0)


@pytest.mark.parametrize(("sums", "leaps"), [(True, [3, 6, 9]), (False, [])])
def test_small_leaps_add_up_where_the_file_leaves_silence_out(sums: bool, leaps: list[int]) -> None:
    clock = FrameClock(sums=sums)
    missing = [clock.missing_s(at, 0.1) for at in np.arange(10) * 0.3]
    assert missing == pytest.approx([0.6 if number in leaps else 0 for number in range(10)])


def test_a_tag_that_says_more_than_the_whole_is_none(tmp_path: Path) -> None:
    path = written(tmp_path / "film.mkv", pieces((0, 6)), codec="pcm_s16le", picture_s=9)
    content = path.read_bytes()
    assert b"00:00:06." in content
    path.write_bytes(content.replace(b"00:00:06.", b"00:59:06."))
    assert heard(path)[1:] == ([], "")


@pytest.mark.parametrize(
    "tags",
    [
        {"DURATION-eng": "00:10:00.000000000"},
        {"DURATION-eng": "9" * 400 + ":00:00"},
        {"DURATION-eng": "9" * 5000 + ":00:00"},
        {"DURATIONS": "00:10:00.000000000"},
        {"DURATION-eng": "as long as it takes"},
    ],
    ids=lambda tags: str(tags)[:40],
)
def test_a_tag_that_was_left_from_elsewhere_makes_no_damage(tmp_path: Path, tags: dict[str, str]) -> None:
    path = written(tmp_path / "tagged.mka", pieces((0, 6)), codec="pcm_s16le", tags=tags)
    assert heard(path) == (6.0, [], "")


@pytest.mark.parametrize("form", ["mkv", "avi", "wav"])
def test_a_title_in_latin_1_is_no_reason_to_refuse_a_talk(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"talk.{form}"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Conference"
        sound = container.add_stream("pcm_s16le", rate=SAMPLE_RATE)
        sound.layout = "mono"
        frame = av.AudioFrame.from_ndarray((TONE[None] * 9_999).astype(np.int16), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        container.mux(sound.encode(frame))
    content = path.read_bytes()
    assert b"Conference" in content
    path.write_bytes(content.replace(b"Conference", "Conferênce".encode("latin-1")))
    assert heard(path) == (6.0, [], "")
    check_recording(str(path))


def test_a_length_that_was_guessed_from_a_bit_rate_is_no_promise(tmp_path: Path) -> None:
    path = written(tmp_path / "piped.mka", [(0, np.tile(TONE, 15))], codec="ac3", options={"live": "1"})
    source = FileSource(str(path))
    end, holes, told = heard(path)
    assert source.duration_s is not None
    assert source.duration_s > end + 1.5
    assert (holes, told) == ([], "")


def test_an_mp3_whose_header_has_no_count_promises_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "whole.mp3", [(0, TONE)], codec="libmp3lame")
    content = path.read_bytes()
    at = next(content.index(mark) for mark in (b"Xing", b"Info") if mark in content)
    for flags, count in ((b"\0\0\0\x0e", b"\0\0\x01\0"), (b"\0\0\0\x0f", bytes(4))):
        path.write_bytes(content[: at + 4] + flags + count + content[at + 12 :])
        source = FileSource(str(path))
        assert source._promise is None
