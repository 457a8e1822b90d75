"""How much of a WAV file is missing, wherever it ends and whatever stands in it."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from decalage.sources.riff import missing_bytes

CHUNKS = st.lists(st.tuples(st.sampled_from([b"LIST", b"JUNK", b"fact"]), st.binary(max_size=9)), max_size=4)


def told(content: bytes) -> int:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        path.write_bytes(content)
        return missing_bytes(path)


def recording(samples: int, chunks: list[tuple[bytes, bytes]]) -> tuple[bytes, int]:
    """A file with ``chunks`` before its sound, and where the sound begins."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(2 * samples))
    whole = file.getvalue()
    padded = (name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for name, body in chunks)
    between = b"".join(padded)
    return whole[:36] + between + whole[36:], 44 + len(between)


@given(st.integers(1, 200), CHUNKS, st.data())
def test_exactly_what_was_cut_off_of_the_sound_is_missing(
    samples: int, chunks: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    whole, begins = recording(samples, chunks)
    assert told(whole) == 0
    end = data.draw(st.integers(begins, len(whole)))
    assert told(whole[:end]) == len(whole) - end
    assert told(whole[: data.draw(st.integers(0, begins - 1))]) == 0


@given(st.binary(max_size=80))
def test_of_any_other_bytes_nothing_is(content: bytes) -> None:
    assert told(content) == 0
    assert 0 <= told(b"RIFF\0\0\0\0WAVE" + content) < 2**32


def test_a_file_of_empty_chunks_is_not_read_to_its_end() -> None:
    endless = b"RIFF\0\0\0\0WAVE" + bytes(80_000) + b"data" + struct.pack("<I", 1_000)
    assert told(endless) == 0
