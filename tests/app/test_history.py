"""``decalage history``: what was said is listed, searched, written as it was live, and deleted."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from decalage.app.cli import main
from decalage.app.commands.history_tables import cut, hit_lines, local, session_lines
from decalage.app.outputs import open_sinks
from decalage.events import Event, Failure, LanguageChanged, Rejected, Summary, as_json
from decalage.sinks.captions import Show
from decalage.speech import Word
from decalage.store.history_database import history_path
from decalage.store.history_upkeep import damaged_path
from decalage.store.history_values import Found, Hit, Listed
from decalage.store.journal_folders import journal_folder
from decalage.store.journal_reader import read_journal
from tests.app.test_cli import refused
from tests.store.history_kit import said, session
from tests.store.journal_kit import GAP, START, shut, sound

FIRST, SECOND, THIRD = (f"2026010{day}T030405Z-{day:08x}" for day in (1, 2, 3))
LONG = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of "
    "foolishness, it was the epoch of belief, it was the epoch of incredulity."
)
WORDS = tuple(
    Word(word, round(5 + 0.02 * 12 * number, 4), round(5.2 + 0.02 * 12 * number, 4))
    for number, word in enumerate(LONG.split())
)
EVENTS: tuple[Event, ...] = (
    said(0, en="The country is large.", pt="O país é grande.", es="El país es grande."),
    GAP,
    Failure(2, 4.0, 4.5, "mt", "pt: out of memory", {"en": "It was lost."}),
    Rejected(3, 4.5, 5.0, "loop"),
    replace(said(4, en=LONG, pt=f"Foi: {LONG}", es=f"Fue: {LONG}"), start=5.0, end=14.0, words=WORDS),
    LanguageChanged(5, "pt", "en"),
    replace(said(5, pt="Adeus, <b>amigo</b> --> {fim}.", es="Adiós."), source="pt", start=14.0, end=15.0),
    replace(said(6, en="Only this."), start=15.0, end=16.0, errors={"pt": "no memory", "es": "no memory"}),
    Summary(7, 4, 1, 1, 1, 16.0, 16.0, None, 0.1, None, None, 0.0, None, None, 1.0),
)


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DECALAGE_DATA", str(tmp_path / "data"))
    return journal_folder()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``decalage history``."""
    with pytest.raises(SystemExit) as stop:
        main(["history", *arguments])
    told = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, told.out, told.err


def test_without_a_session_it_says_how_there_would_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys)
    assert (code, out) == (0, "")
    assert "decalage live" in err
    for command in (["show"], ["export", "-o", "-"], ["translate", "--to", "pt"], ["delete", "--yes"]):
        assert refused(capsys, "history", *command, "last") == (2, err.strip())


def test_a_folder_that_cannot_be_written_names_the_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DECALAGE_DATA", str(tmp_path / "file"))
    code, line = refused(capsys, "history")
    assert code == 2
    assert "or set DECALAGE_DATA to another folder" in line


def test_sessions_are_listed_the_newest_last(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    session(root, [said(0, en="Good morning.", pt="Bom dia.")], SECOND, ended=False)
    session(root, EVENTS, FIRST)
    code, out, err = run(capsys)
    assert code == 0
    head, first, second = out.splitlines()
    assert head.split("  ")[0] == "name"
    began = local("2026-01-01T03:04:05Z")
    told = f"20260101T030405Z {began} 00:16 en, pt → pt, es 4 The country is large."
    assert first.split() == told.split()
    assert re.search(r"  en → pt +1  Good morning\.$", second)
    assert f"{SECOND} was cut off; decalage resume" in err
    assert "\x1b" not in out


def test_a_program_gets_one_object(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    session(root, EVENTS, FIRST)
    code, out, _ = run(capsys, "--json")
    (listed,) = json.loads(out)["sessions"]
    assert code == 0
    assert (listed["name"], listed["duration_s"], listed["captions"]) == (FIRST, 16.0, 4)
    assert (listed["source"], listed["targets"], listed["ending"]) == (["en", "pt"], ["pt", "es"], "closed")
    code, out, _ = run(capsys, "search", "pais", "--json")
    body = json.loads(out)
    assert body["total"] == 1
    assert body["hits"][0]["matched"] == {"pt": [[2, 6]], "es": [[3, 7]]}
    assert body["hits"][0]["text"]["es"][3:7] == "país"


def test_a_search_tells_where_in_all_languages(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    session(root, EVENTS, FIRST)
    session(root, EVENTS[:1], SECOND)
    code, out, err = run(capsys, "search", "PAIS", "grand*", "--limit", "1")
    assert code == 0
    assert out.splitlines() == [
        f"{SECOND}  {local('2026-01-02T03:04:05Z')}",
        "  00:00  en: The country is large.",
        "         pt: O país é grande.",
        "         es: El país es grande.",
    ]
    assert "the newest 1 of 2; --limit 2" in err
    assert run(capsys, "search", "grande", "--language", "es-MX")[1].count("grande") == 4
    assert run(capsys, "search", "large", "--language", "es") == (0, "", "decalage: nothing found\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "!"], "no word to search for"),
        (["search"], "WORDS"),
        (["search", "a", "--language", "spanish"], "is not a language code"),
        (["show", "2026"], f"beginning of {FIRST}, {SECOND}"),
        (["show", "2027"], "no session '2027' is kept"),
        (["show", ""], "no session '' is kept"),
        (["search", "a", "--language", "fr"], "nothing is kept in fr (only in en, es, pt)"),
        (
            ["show", "last", "--to", "fr-CA"],
            f"{SECOND} has no captions in fr (it has en, pt, es): "
            f"decalage history translate {SECOND} --to fr",
        ),
        (
            ["export", "last", "-o", "-", "--to", "es,de"],
            f"{SECOND} has no captions in de (it has en, pt, es)",
        ),
        (["export", "last", "-o", "talk.fr.srt"], f"decalage history translate {SECOND} --to fr"),
        (
            ["export", "last", "-o", "talk.pt.srt", "--to", "es"],
            "talk.pt.srt takes pt, which --to leaves out",
        ),
        (["export", "last"], "-o talk.srt"),
        (["export", "last", "-o", "talk.pdf"], ".srt, .vtt, .ass, .mkv can be written"),
        (["export", "last", "-o", "/nowhere/talk.srt"], "the folder does not exist"),
        (["translate", "last"], "--to"),
        (["translate", "last", "--to", "xx"], "no model translates en→xx"),
        (["delete"], "name the sessions to delete"),
        (["delete", FIRST, "--all"], "name the sessions to delete"),
        (["delete", "--all"], f"nobody can be asked whether to delete {FIRST}, {SECOND}; add --yes"),
        (["delete", "2027", "--yes"], "no session '2027'"),
        (["--json", "show", "last"], "--json goes behind show"),
        (["dance"], "dance"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    capsys: pytest.CaptureFixture[str], root: Path, arguments: list[str], words: str
) -> None:
    session(root, EVENTS, FIRST)
    session(root, EVENTS[:1], SECOND)
    code, line = refused(capsys, "history", *arguments)
    assert code == 2
    assert words in line
    assert len(list(root.iterdir())) == 2


def test_a_name_is_its_beginning_or_its_folder_or_last(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    session(root, [said(0, en="one")], FIRST)
    folder = session(root, [said(0, en="two")], SECOND)
    names = [FIRST, FIRST[:10], str(root / FIRST), "last", f"{folder}/"]
    assert [run(capsys, "show", name)[1].split() for name in names] == [
        ["00:00", "one", "+0.7", "s"],
        ["00:00", "one", "+0.7", "s"],
        ["00:00", "one", "+0.7", "s"],
        ["00:00", "two", "+0.7", "s"],
        ["00:00", "two", "+0.7", "s"],
    ]


def written_live(folder: Path, names: list[str], show: Show | None) -> dict[str, bytes]:
    """What the sinks of a run write of ``EVENTS``."""
    folder.mkdir()
    sinks = open_sinks("text", [str(folder / name) for name in names], show=show, live=True)
    for event in (START, *EVENTS):
        for sink in sinks:
            sink.write(event)
    for sink in sinks:
        sink.close()
    return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.parametrize("show", [None, "source", "target", "both"])
def test_an_export_is_to_the_byte_what_was_written_live(
    capsys: pytest.CaptureFixture[str], root: Path, tmp_path: Path, show: Show | None
) -> None:
    names = ["a.srt", "a.vtt", "a.ass", "a.txt", "a.jsonl", "a.pt.srt", "a.es.vtt"]
    live = written_live(tmp_path / "live", names, show)
    session(root, EVENTS, FIRST)
    out = tmp_path / "out"
    out.mkdir()
    asked = [part for name in names for part in ("-o", str(out / name))]
    assert run(capsys, "export", "last", *asked, *(["--show", show] if show else [])) == (0, "", "")
    exported = {name: (out / name).read_bytes() for name in names}
    assert exported == live
    assert all(live.values())


def test_a_name_that_asks_for_no_language_is_not_missed(
    capsys: pytest.CaptureFixture[str], root: Path, tmp_path: Path
) -> None:
    session(root, [], SECOND)  # in which nothing was said
    assert run(capsys, "show", "last", "--to", "fr") == (0, "", "")
    session(root, EVENTS[:1], THIRD)
    paths = [str(tmp_path / name) for name in ("talk.2.srt", "talk.fr.jsonl", "talk.en.srt", "new.talk.srt")]
    asked = [part for path in paths for part in ("-o", path)]
    assert run(capsys, "export", "last", *asked) == (0, "", "")
    assert all(Path(path).stat().st_size for path in paths)


def test_where_nothing_is_left_to_translate_that_is_said(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    session(root, [], FIRST)
    session(root, EVENTS[:1], SECOND)
    for language, again, why in (
        ("pt", [], f"{SECOND} is in pt already; --again replaces it"),
        ("en", [], f"en is what was spoken in {SECOND}"),
        ("en-GB", ["--again"], f"en is what was spoken in {SECOND}"),
    ):
        told = run(capsys, "translate", "last", "--to", language, *again)
        assert told == (0, "", f"decalage: {why}\n")
    assert "nothing was said" in run(capsys, "translate", FIRST, "--to", "pt")[2]


def test_standard_output_gets_it_in_any_form(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    session(root, EVENTS, FIRST)
    _, out, _ = run(capsys, "export", "last", "-o", "-", "--format", "srt", "--to", "es", "--show", "target")
    assert out.startswith("1\n00:00:00,000 --> ")
    assert "El país es grande." in out
    _, out, _ = run(capsys, "show", "last", "--format", "txt", "--to", "pt-BR")
    assert out.splitlines()[:2] == ["en: The country is large.", "pt: O país é grande."]


def test_sound_goes_along_where_it_is_kept(
    capsys: pytest.CaptureFixture[str], root: Path, tmp_path: Path
) -> None:
    import av  # noqa: PLC0415 - loads FFmpeg

    folder = session(root, [said(0, en="Hello.", pt="Olá.")], FIRST)
    (folder / "sound-000000000000.flac").rename(folder / "sound-000000032000.flac")  # two seconds without
    path = tmp_path / "talk.mkv"
    assert run(capsys, "export", "last", "-o", str(path)) == (0, "", "")
    with av.open(str(path)) as made:
        samples = [value for frame in made.decode(audio=0) for value in frame.to_ndarray()[0]]
    assert len(samples) == 48_000
    assert not any(samples[:32_000])
    assert samples[32_000:] == (sound(0, 16_000) * 32_768).tolist()
    with av.open(str(path)) as made:
        assert [stream.type for stream in made.streams] == ["audio", "subtitle"]
        (packet,) = [packet for packet in made.demux(subtitles=0) if packet.size]
    assert bytes(packet) == "Olá.".encode()
    run(capsys, "history")
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    path.unlink()
    code, line = refused(capsys, "history", "export", "last", "-o", str(path))
    assert (code, path.exists()) == (2, False)
    assert "not kept any more; write a .srt" in line


def test_sessions_are_deleted_with_their_sound(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    for name in (FIRST, SECOND, THIRD):
        session(root, [said(0, en=f"zanzibar {name[:8]}")], name)
    run(capsys)
    assert run(capsys, "delete", FIRST[:9], "last", "--yes") == (
        0,
        "",
        f"decalage: deleted: {FIRST}, {THIRD}\n",
    )
    assert [folder.name for folder in root.iterdir()] == [SECOND]
    assert run(capsys, "search", "zanzibar")[1].count("zanzibar") == 1
    assert b"20260101" not in history_path().read_bytes()
    assert run(capsys, "delete", "--all", "--yes")[0] == 0
    assert list(root.iterdir()) == []
    assert b"zanzibar" not in history_path().read_bytes()
    assert run(capsys, "delete", "--all", "--yes") == (0, "", "decalage: nothing to delete\n")


def test_a_transcript_that_stays_is_named(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    folder = root.parent / "transcripts"
    folder.mkdir(parents=True)
    first, second, third = said(0, en="Hello."), said(0, en="Good night."), said(0, en="Thirdly.")
    second = replace(second, start=0.12345678, words=WORDS[:2])
    for name, event in ((FIRST, first), (SECOND, second), (THIRD, third)):
        session(root, [GAP, event], name)
    for name, event in (("a", first), ("b", second)):
        lines = [json.dumps(as_json(each), ensure_ascii=False) for each in (START, GAP, event)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "c.jsonl").write_bytes(b"\xff[]")
    (folder / "d.jsonl").write_text("[]\n")
    (folder / "e.jsonl").touch()
    assert "transcript" not in run(capsys, "delete", THIRD, "--yes")[2]
    told = run(capsys, "delete", SECOND, "--yes")[2]
    assert told.splitlines()[1:] == [f"decalage: its transcript stays: {folder / 'b.jsonl'}"]
    for name in "cde":
        (folder / f"{name}.jsonl").write_bytes((folder / "a.jsonl").read_bytes())
    assert f"4 transcripts of these stay in {folder}" in run(capsys, "delete", "--all", "--yes")[2]
    assert len(list(folder.iterdir())) == 5


def test_old_sessions_are_deleted_by_age(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    session(root, EVENTS[:1], "20200101T000000Z-00000001")
    session(root, EVENTS[:1], "29990101T000000Z-00000002")
    run(capsys, "delete", "--older-than", "365", "--yes")
    assert [folder.name for folder in root.iterdir()] == ["29990101T000000Z-00000002"]


@pytest.mark.parametrize("days", ["400000", "1000000", "inf", "nan", "-1"])
def test_an_age_that_nothing_has_deletes_nothing(
    capsys: pytest.CaptureFixture[str], root: Path, days: str
) -> None:
    session(root, EVENTS[:1], FIRST)
    code, line = refused(capsys, "history", "delete", "--older-than", days, "--yes")
    assert (code, "older-than" in line, len(list(root.iterdir()))) == (2, True, 1)
    assert run(capsys, "delete", "--older-than", "36500", "--yes")[2] == "decalage: nothing to delete\n"


class Answering(io.StringIO):
    """A person at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "left"), [("n\n", 1), ("\n", 1), ("y\n", 0)])
def test_a_person_is_asked_before_anything_is_deleted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, root: Path, answer: str, left: int
) -> None:
    session(root, EVENTS[:1], FIRST)
    monkeypatch.setattr(sys, "stdin", Answering(answer))
    code, _, err = run(capsys, "delete", "last")
    began = local("2026-01-01T03:04:05Z")
    assert f"Delete one session for good: {FIRST} ({began}, The country is large.)? [y/N]" in err
    assert (code, len(list(root.iterdir()))) == (0, left)


def test_a_session_that_goes_on_is_told_and_not_deleted(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    session(root, EVENTS[:1], FIRST)
    folder = session(root, EVENTS[:1], SECOND, ended=False)
    os.utime(folder / "session.json")  # as if it had just begun
    code, out, err = run(capsys)
    assert (code, len(out.splitlines())) == (0, 2)
    assert f"{SECOND} goes on" in err
    assert "is being written" in refused(capsys, "history", "show", SECOND)[1]
    assert "is being written; end it first" in refused(capsys, "history", "delete", SECOND, "--yes")[1]
    assert run(capsys, "delete", "--all", "--yes")[0] == 1
    assert [each.name for each in root.iterdir()] == [SECOND]


def test_a_damaged_journal_is_told_and_hinders_nothing(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    broken = session(root, EVENTS, FIRST)
    (broken / "session.json").write_text("{")
    os.utime(broken / "session.json", (0, 0))
    session(root, EVENTS[:1], SECOND)
    code, out, err = run(capsys, "search", "pais")
    assert (code, out.count("país")) == (0, 2)
    assert err.count("\n") == 1
    assert f"decalage history delete {FIRST}" in err
    assert run(capsys, "delete", FIRST, "--yes")[0] == 0
    assert run(capsys, "search", "pais")[2] == ""


def test_a_damaged_history_says_how_it_is_made_again(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    session(root, EVENTS, FIRST)
    history_path().write_bytes(b"no database" * 1000)
    code, line = refused(capsys, "history", "search", "pais")
    assert code == 2
    assert line.endswith("decalage history rebuild")
    code, out, err = run(capsys, "rebuild")
    assert (code, out) == (0, "")
    assert "1 sessions are in the history" in err
    assert str(damaged_path(history_path())) in err
    assert run(capsys, "search", "pais")[1].count("país") == 2
    assert "may hold it still" in run(capsys, "delete", "last", "--yes")[2]
    run(capsys, "delete", "--all", "--yes")
    assert not damaged_path(history_path()).exists()


def test_a_reader_that_leaves_ends_it_without_a_word(root: Path) -> None:
    session(root, [said(index, en="word " * 100) for index in range(2000)], FIRST)
    command = [sys.executable, "-m", "decalage", "history", "show", "last", "--format", "txt"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        assert shown.stdout.readline().startswith("word")
        shown.stdout.close()
        assert shown.stderr.read() == ""
        assert shown.wait(60) == 0


@pytest.mark.parametrize(
    "arguments", [("history",), ("history", "--json"), ("history", "search", "word"), ("resume", "--list")]
)
def test_a_list_that_nobody_reads_ends_without_a_word(root: Path, arguments: tuple[str, ...]) -> None:
    session(root, [said(0, en="word")], FIRST, ended=False)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "decalage", *arguments]
    with subprocess.Popen(command, stdout=writing, stderr=subprocess.PIPE, text=True) as listing:
        os.close(writing)
        assert listing.stderr is not None
        assert listing.stderr.read() == ""
        assert listing.wait(60) == 0


def test_journals_that_cannot_be_looked_into_hinder_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    session(root, EVENTS, FIRST, ended=False)
    closed = session(root, EVENTS[:1], SECOND)
    with monkeypatch.context() as patch:
        shut(patch, closed)
        code, out, err = run(capsys, "search", "pais")
        assert (code, out.count("país")) == (0, 2)
        assert err.count("\n") == 1
        assert f"{closed} cannot be read: Permission denied" in err
    shut(monkeypatch, root)
    code, out, err = run(capsys)
    assert (code, len(out.splitlines())) == (0, 2)
    assert f"the journals in {root} cannot be read: Permission denied" in err


LISTED = Listed(
    name=FIRST,
    began="2026-01-01T03:04:05Z",
    duration_s=4000.0,
    source=("en",),
    targets=("pt", "es"),
    model="base",
    ending="closed",
    captions=1234,
    failures=0,
    rejected=0,
    gaps=0,
    first_words="It was the best of times, it was the worst of times, and nobody could have said which.",
)


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_table_fits_the_terminal(width: int) -> None:
    wide = replace(LISTED, name=SECOND, first_words="你好世界" * 30, targets=())
    lines = [click.unstyle(line) for line in session_lines([LISTED, wide], width)]
    taken = [sum(2 if letter in "你好世界" else 1 for letter in line) for line in lines]
    assert max(taken) <= width
    assert len(lines) == 3
    assert lines[0].index("first words") == lines[1].index("It was") == lines[2].index("你好")


def test_it_is_told_when_a_session_began_here() -> None:
    began = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert local("2026-01-02T03:04:05Z") == began.astimezone().strftime("%Y-%m-%d %H:%M")
    assert local("in the morning\x1b") == "in the morning"  # a damaged file


def test_names_are_told_whole_where_two_began_in_the_same_second() -> None:
    twin = replace(LISTED, name=f"{FIRST[:-1]}9")
    lines = list(session_lines([LISTED, twin, replace(LISTED, name=SECOND)], None))
    assert [line.split()[0] for line in lines[1:]] == [FIRST, twin.name, SECOND.partition("-")[0]]


def test_an_ellipsis_stands_for_what_does_not_fit() -> None:
    assert [cut("It was the best", width) for width in (15, 14, 5)] == [
        "It was the best",
        "It was the be…",
        "It w…",
    ]


def test_what_was_found_is_set_off_and_control_characters_are_not_obeyed() -> None:
    hit = Hit(FIRST, "", 0, 61.0, 62.0, {"en": "a \x1b[2J best\nof all"}, {"en": ((7, 11),)})
    _, line = hit_lines(Found((hit,), 1))
    marked = click.style("best", fg="yellow", bold=True)
    assert line == f"  {click.style('01:01', dim=True)}  a [2J {marked} of all"


def test_the_journal_is_only_read(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    folder = session(root, EVENTS, FIRST)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    for arguments in ((), ("search", "pais"), ("show", "last"), ("rebuild",)):
        run(capsys, *arguments)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert read_journal(folder).ending == "closed"
