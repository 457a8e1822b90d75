"""Several outputs of a run: what becomes of the others when one fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from decalage.errors import OutputError
from decalage.events import Event
from decalage.sinks.output import ReaderGoneError
from decalage.sinks.together import Together
from tests.sinks.events import caption

EVENTS: list[Event] = [caption(number, en=f"word {number}") for number in range(4)]


class Kept:
    """Keeps what it is given; fails from event ``until`` on, or when it is closed."""

    def __init__(self, until: int | None = None, error: OutputError | None = None, *, closes: bool = True):
        self.events: list[Event] = []
        self.closed = 0
        self._until, self._error, self._closes = until, error or OutputError("disk full"), closes

    def write(self, event: Event) -> None:
        if self._until is not None and len(self.events) >= self._until:
            raise self._error
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1
        if not self._closes:
            raise self._error


def write_all(together: Together) -> None:
    for event in EVENTS:
        together.write(event)
    together.close()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_that_fails_is_told_once_and_the_others_get_every_event(place: int) -> None:
    told: list[str] = []
    sinks = [Kept(2 if number == place else None) for number in range(3)]
    write_all(Together(sinks, told.append))
    assert [len(sink.events) for sink in sinks] == [2 if number == place else 4 for number in range(3)]
    assert told == ["disk full; it ends there, the other outputs go on"]
    assert [sink.closed for sink in sinks] == [0 if number == place else 1 for number in range(3)]


def test_a_reader_that_goes_after_another_output_has_failed_is_an_error() -> None:
    told: list[str] = []
    sinks = [Kept(1), Kept(2, ReaderGoneError("gone"))]
    with pytest.raises(OutputError, match="gone, and the other outputs have failed") as caught:
        write_all(Together(sinks, told.append))
    assert caught.value.exit_code == 2
    assert told == ["disk full; it ends there, the other outputs go on"]


def test_a_reader_that_has_gone_is_told_nobody() -> None:
    told: list[str] = []
    file = Kept()
    write_all(Together([Kept(1, ReaderGoneError("gone")), file], told.append))
    assert (len(file.events), told) == (4, [])


@pytest.mark.parametrize("error", [OutputError("disk full"), ReaderGoneError("gone")])
def test_what_the_last_of_them_raises_is_raised(error: OutputError) -> None:
    told: list[str] = []
    together = Together([Kept(1, ReaderGoneError("left")), Kept(2, error)], told.append)
    with pytest.raises(type(error), match=str(error)):
        write_all(together)
    assert told == []
    together.close()


@pytest.mark.parametrize("place", [0, 1])
def test_one_that_cannot_be_closed_keeps_no_other_open(place: int) -> None:
    told: list[str] = []
    sinks = [Kept(closes=number != place) for number in range(2)]
    write_all(Together(sinks, told.append))
    assert [sink.closed for sink in sinks] == [1, 1]
    assert len(told) == 1


FILLS = """
import resource, sys
from decalage.errors import OutputError
from decalage.sinks.output import TextOutput

output = TextOutput.to_path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    while True:
        output.line("Olá, João! " * 4)
except OutputError as error:
    print(error)
output.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows bounds no size of files")
def test_a_file_for_which_there_is_no_more_room_ends_with_a_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "captions.txt"
    done = subprocess.run(
        [sys.executable, "-c", FILLS, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"cannot write {path}: file too large\n"
    line = "Olá, João! " * 4 + "\n"
    size = len(line.encode())
    assert 1000 % size, "a line is broken off at the limit"
    assert path.read_text("utf-8") == line * (1000 // size)
