"""A recording with its captions in it: sound and picture as they were, the captions at their times."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from decalage.errors import OutputError, UsageError
from decalage.events import Caption
from decalage.sinks.video import VideoSink, _copied, check_recording
from tests.sinks.test_subtitles import caption

RATE = 16_000


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Three seconds of a grey picture and a tone."""
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=RATE)
        sound.layout = "mono"
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * number, np.uint8), format="rgb24")
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        tone = np.sin(np.arange(3 * RATE) / 20).astype(np.float32)
        for at in range(0, len(tone), 1024):
            block = av.AudioFrame.from_ndarray(tone[None, at : at + 1024], format="fltp", layout="mono")
            block.sample_rate, block.pts = RATE, at
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    return path


def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        (stream,) = [each for each in container.streams if each.type == kind]
        return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(stream) if p.pts is not None]


def written(path: Path, film: Path, *captions: Caption) -> Path:
    sink = VideoSink(str(path), str(film), "target")
    for each in captions:
        sink.write(each)
    sink.close()
    sink.close()
    return path


def test_picture_and_sound_are_copied_and_captions_stand_at_their_times(film: Path, tmp_path: Path) -> None:
    made = written(
        tmp_path / "made.mkv",
        film,
        caption(0, 0.5, 1.2, en="Hi.", pt="Olá."),
        caption(1, 1.5, 2.6, en="Bye.", pt="Adeus."),
    )
    for kind in ("video", "audio"):
        assert [data for _, data in packets(made, kind)] == [data for _, data in packets(film, kind)]
    # Matroska has no times before zero: all streams are moved by as much.
    moved = packets(made, "audio")[0][0] - packets(film, "audio")[0][0]
    assert packets(made, "video")[0][0] == pytest.approx(packets(film, "video")[0][0] + moved, abs=0.002)
    told = packets(made, "subtitle")
    assert [data.decode() for _, data in told] == ["Olá.", "Adeus."]
    assert [at - moved for at, _ in told] == pytest.approx([0.5, 1.5], abs=0.002)
    with av.open(str(made)) as container:
        assert container.streams.subtitles[0].metadata["language"] == "por"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "made.mkv"]


def test_without_a_caption_it_is_a_copy(film: Path, tmp_path: Path) -> None:
    made = written(tmp_path / "made.mkv", film)
    assert len(packets(made, "video")) == len(packets(film, "video"))


def test_what_cannot_be_copied_leaves_the_captions(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no film")
    with pytest.raises(OutputError, match=r"cannot write .*captions are in (.*)") as told:
        written(tmp_path / "made.mkv", tmp_path / "film.mp4", caption(0, 0.5, 1.2, en="Hi.", pt="Olá."))
    left = Path(str(told.value).rpartition("captions are in ")[2])
    assert "Olá." in left.read_text("utf-8")
    assert not (tmp_path / "made.mkv").exists()


def test_captions_follow_the_sound_where_it_begins_late(film: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.ts"
    with av.open(str(film)) as source, av.open(str(late), "w", format="mpegts") as container:
        (sound,) = source.streams.audio
        copied = container.add_stream_from_template(sound)
        for packet in source.demux(sound):
            if packet.size:
                packet.pts += round(5 / packet.time_base)
                packet.dts += round(5 / packet.time_base)
                packet.stream = copied
                container.mux(packet)
    made = written(tmp_path / "made.mkv", late, caption(0, 0.5, 1.2, en="Hi.", pt="Olá."))
    with av.open(str(made)) as container:
        first = next(container.decode(audio=0))
        begins = float(first.pts * first.time_base)
    ((at, _),) = packets(made, "subtitle")
    assert at - begins == pytest.approx(0.5, abs=0.002)


class Container:
    """Holds no subtitles; ``streams`` of these kinds."""

    def __init__(self, *kinds: str) -> None:
        self.streams = [SimpleNamespace(type=kind, index=number) for number, kind in enumerate(kinds)]

    def add_stream_from_template(self, stream: SimpleNamespace, opaque: bool) -> str:
        assert opaque
        if stream.type != "audio":
            raise ValueError(f"matroska does not hold {stream.type}")
        return "a copy"


def test_titles_that_matroska_cannot_hold_are_left_out_and_a_picture_is_refused() -> None:
    assert _copied(Container("data", "audio", "subtitle"), Container()) == {1: "a copy"}
    with pytest.raises(ValueError, match="does not hold video"):
        _copied(Container("video", "audio"), Container())


def test_what_is_no_film_is_refused_before_it_is_captioned(film: Path, tmp_path: Path) -> None:
    check_recording(str(film))
    (tmp_path / "none.mp4").write_bytes(b"no film")
    with pytest.raises(UsageError, match=r"cannot be copied into Matroska: .*write a \.srt"):
        check_recording(str(tmp_path / "none.mp4"))
