"""What the head of an MP3 and the boxes of an MP4 say, wherever the file ends and whatever stands in it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given
from hypothesis import strategies as st

from decalage.sources.isom import lacks_index
from decalage.sources.promised import _counts_frames

BOXES = st.lists(st.tuples(st.sampled_from([b"mdat", b"free", b"uuid"]), st.binary(max_size=20)), max_size=4)
FTYP = struct.pack(">I", 16) + b"ftypisom" + bytes(4)


def told(ask: Callable[[Path], bool], content: bytes) -> bool:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(content)
        return ask(path)


def boxes(made: list[tuple[bytes, bytes]], *, long: bool) -> bytes:
    """Each with its length in 32 bits, or in 64."""
    return b"".join(
        struct.pack(">I4sQ", 1, kind, 16 + len(body)) + body
        if long
        else struct.pack(">I4s", 8 + len(body), kind) + body
        for kind, body in made
    )


@given(BOXES, BOXES, st.booleans(), st.data())
def test_the_index_is_missing_where_the_file_ends_before_it_does(
    before: list[tuple[bytes, bytes]], after: list[tuple[bytes, bytes]], long: bool, data: st.DataObject
) -> None:
    head = FTYP + boxes(before, long=long)
    index = head + boxes([(b"moov", b"tables")], long=long)
    whole = index + boxes(after, long=long)
    assert not told(lacks_index, whole)
    assert told(lacks_index, head)
    assert not told(lacks_index, whole[: data.draw(st.integers(len(index), len(whole)))])
    assert told(lacks_index, index[: data.draw(st.integers(len(head), len(index) - 1))])


@given(st.binary(max_size=60), st.booleans())
@example(struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1), True)
@example(struct.pack(">I4s", 0, b"mdat"), True)
def test_any_bytes_have_an_index_or_not(content: bytes, behind: bool) -> None:
    assert told(lacks_index, FTYP + content if behind else content) in (True, False)


@given(st.binary(max_size=60), st.integers(0, 3000))
@example(b"ID3\4\0\0\x7f\x7f\x7f\x7f", 0)
def test_frames_are_counted_where_the_first_one_says_so(content: bytes, tag: int) -> None:
    size = bytes(tag >> shift & 0x7F for shift in (21, 14, 7, 0))
    head = b"ID3\4\0\0" + size + bytes(tag)
    frame = b"\xff\xfb\x90\0" + bytes(32)
    counted = b"\0\0\0\1\0\0\1\0"
    assert told(_counts_frames, head + frame + b"Xing" + counted + content)
    assert told(_counts_frames, frame + b"Info" + counted + content)
    assert told(_counts_frames, head + frame + b"VBRI" + content)
    assert not told(_counts_frames, head + frame)
    assert not told(_counts_frames, head + frame + b"Info" + bytes(8))
    assert told(_counts_frames, content) in (True, False)
