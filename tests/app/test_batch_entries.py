"""What is to be captioned: files, folders, patterns and lists, each file once."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from decalage.app.batch.entries import Entry, common_root, gather
from decalage.app.batch.lists import read_list
from decalage.errors import DecalageError, InputError, UsageError
from tests.app.batch_kit import refuse


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"sound")


def found(folder: Path, *given: str, results: str = "out") -> list[str]:
    entries = gather([str(folder / each) for each in given], [], results=folder / results)
    return [entry.path.relative_to(folder).as_posix() for entry in entries]


def test_a_folder_is_all_in_it_but_for_hidden_files_and_the_results(tmp_path: Path) -> None:
    touch(tmp_path, "b.wav", "a/c.wav", "a/b/d.wav", ".e.wav", ".git/f.wav", "out/g.mkv", "out/h/i.mkv")
    assert found(tmp_path, ".") == ["b.wav", "a/c.wav", "a/b/d.wav"]
    assert found(tmp_path, "a") == ["a/c.wav", "a/b/d.wav"]


def test_results_beside_the_files_hide_none_of_them(tmp_path: Path) -> None:
    touch(tmp_path, "b.wav", ".decalage/done/b.json")
    assert found(tmp_path, ".", results=".") == ["b.wav"]


def test_a_pattern_reaches_into_folders_and_is_refused_where_nothing_matches(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.mp4", "x/y/b.mp4", "x/c.txt")
    assert found(tmp_path, "**/*.mp4") == ["x/a.mp4", "x/y/b.mp4"]
    with pytest.raises(InputError, match="nothing matches"):
        found(tmp_path, "*.ogg")


@pytest.mark.parametrize("pattern", ["**/*.mkv", "*/*", "*", "o*/*.mkv"])
def test_a_pattern_does_not_reach_into_the_results(tmp_path: Path, pattern: str) -> None:
    touch(tmp_path, "in/a.mkv", "out/b.mkv", "out/c/d.mkv", "other/e.mkv")
    assert not [path for path in found(tmp_path, pattern) if path.startswith("out")]


def test_a_pattern_that_begins_in_the_results_is_what_it_says(tmp_path: Path) -> None:
    touch(tmp_path, "out/b.mkv", "out/c/d.mkv")
    assert found(tmp_path, "out/*.mkv") == ["out/b.mkv"]
    assert found(tmp_path, "out/c/*") == ["out/c/d.mkv"]


def test_a_file_is_named_by_its_name_alone(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav", "c/d.wav")
    given = [str(tmp_path / each) for each in ("a.wav", "*.wav", "c")]
    entries = gather(given, [], results=tmp_path / "out")
    assert {each.path.name: each.named for each in entries} == {
        "a.wav": True,
        "b.wav": False,
        "d.wav": False,
    }


def test_a_name_with_the_marks_of_a_pattern_is_a_file_first(tmp_path: Path) -> None:
    touch(tmp_path, "talk [1].wav", "talk 1.wav")
    assert found(tmp_path, "talk [1].wav") == ["talk [1].wav"]


def test_a_file_given_in_several_ways_is_one(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b/c.wav")
    assert found(tmp_path, "a.wav", ".", "b/../a.wav", "*/*.wav") == ["a.wav", "b/c.wav"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("nothing.wav", "does not exist"),
        ("-", "standard input is no file"),
        ("https://radio.example/live", "download it first"),
        ("/dev/null", "no regular file"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path: Path, given: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        gather([given], [], results=tmp_path)


def test_what_may_not_be_looked_at_is_refused_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="file name too long"):
        found(tmp_path, "a" * 300)
    with pytest.raises(InputError, match="nothing matches"):
        found(tmp_path, f"{'a' * 300}*")
    touch(tmp_path, "closed/a.wav")
    refuse(monkeypatch, tmp_path / "closed")
    with pytest.raises(InputError, match=r"a\.wav cannot be looked into: permission denied"):
        found(tmp_path, "closed/a.wav")


def test_a_file_that_may_not_be_looked_at_is_told_of_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.wav", "closed/b.wav")
    refuse(monkeypatch, tmp_path / "closed")
    entries = gather([str(tmp_path)], [], results=tmp_path / "out")
    assert {entry.path.name: entry.lack for entry in entries} == {
        "a.wav": None,
        "b.wav": "cannot be looked into: permission denied",
    }


def test_a_pattern_may_go_up_again(tmp_path: Path) -> None:
    touch(tmp_path, "a/x/c.mp4", "b/d.mp4", "e.mp4")
    given = [str(tmp_path / each) for each in ("a/*/../../b/*.mp4", "a/*/../../*.mp4")]
    entries = gather(given, [], results=tmp_path / "out")
    assert [each.path.relative_to(tmp_path).as_posix() for each in entries] == ["b/d.mp4", "e.mp4"]
    assert common_root(entries) == tmp_path
    assert all(each.path.is_relative_to(each.root) for each in entries)


def test_nothing_to_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no file with sound in {tmp_path};"):
        gather([str(tmp_path)], [], results=tmp_path / "out")


def test_a_folder_that_may_not_be_looked_into_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.wav", "closed/b.wav")
    look = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return look(path)

    monkeypatch.setattr(os, "scandir", refuse)
    entries = gather([str(tmp_path)], [], results=tmp_path / "out")
    assert {entry.path.name: entry.lack for entry in entries} == {
        "a.wav": None,
        "closed": "cannot be looked into: permission denied",
    }


def test_names_are_from_the_folder_that_holds_all(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.wav", "y/b.wav", "x/z/c.wav")
    alone = gather([str(tmp_path / "x")], [], results=tmp_path / "out")
    both = gather([str(tmp_path / "x"), str(tmp_path / "y" / "*.wav")], [], results=tmp_path / "out")
    assert common_root(alone) == tmp_path / "x"
    assert common_root(both) == tmp_path


def rows(path: Path, text: str) -> list[Entry]:
    path.write_text(text, "utf-8")
    return read_list(path)


def test_a_manifest_says_path_languages_and_name(tmp_path: Path) -> None:
    lines = [
        {"path": "a.wav", "from": "pt", "to": "en,es", "name": "week 1/a"},
        {"path": "b/c.wav", "language": "pt-BR", "to": ["en"]},
        {"path": "d.wav", "language": "mixed", "transcript": "passed over"},
        {"transcript": "text alone", "translation": "texto", "id": "t"},
    ]
    first, second, third = rows(tmp_path / "m.jsonl", "\n\n".join(map(json.dumps, lines)))
    assert (first.path, first.source, first.targets, first.name) == (
        tmp_path / "a.wav",
        "pt",
        ("en", "es"),
        "week 1/a",
    )
    assert (second.path, second.source, second.targets) == (tmp_path / "b" / "c.wav", "pt", ("en",))
    assert (third.source, third.targets, third.name) == (None, (), None)
    assert third.place == "m.jsonl, line 5"


def test_a_manifest_may_name_a_file_twice_and_have_ids_of_any_kind(tmp_path: Path) -> None:
    lines = [
        {"path": "a.wav", "to": "pt", "name": "one", "id": 1},
        {"path": "a.wav", "to": "es", "name": "two", "id": 1, "segments": "of another program"},
        {"text": "text alone", "translation": "texto", "path": None},
    ]
    first, second = rows(tmp_path / "m.jsonl", "\n".join(map(json.dumps, lines)))
    assert first.path == second.path
    assert [(each.targets, each.name) for each in (first, second)] == [(("pt",), "one"), (("es",), "two")]


def test_a_table_says_the_same(tmp_path: Path) -> None:
    text = 'name,path,to,speaker\n"a, the first",a.wav,"en, es",Ann\n,b.wav,,Bob\n'
    first, second = rows(tmp_path / "m.csv", text)
    assert (first.path.name, first.targets, first.name) == ("a.wav", ("en", "es"), "a, the first")
    assert (second.path.name, second.targets, second.name) == ("b.wav", (), None)


def test_a_plain_list_is_a_path_a_line(tmp_path: Path) -> None:
    text = "# talks\na.wav\n\n /archive/b c.wav \r\n"
    assert [entry.path for entry in rows(tmp_path / "m.txt", text)] == [
        tmp_path / "a.wav",
        Path("/archive/b c.wav"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("m.jsonl", '{"path": "a.wav", "name": 7}', r"m\.jsonl, line 1: name is 7, not text"),
        ("m.jsonl", '{"path": "a.wav", "to": ["pt", 7]}', "line 1: to is"),
        ("m.jsonl", '{"path": "a.wav"', "line 1 is not JSON"),
        ("m.jsonl", '{"file": "a.wav", "transcript": "a"}', "line 1 has no path"),
        ("m.jsonl", '{"path": "a.wav", "language": 7}', "line 1: language is 7, not text"),
        ("m.jsonl", '{"path": "\\ud83d.wav"}', "half a letter"),
        ("m.jsonl", '{"path": "a.wav", "name": "../b"}', "no name inside the folder"),
        ("m.jsonl", '{"path": "a.wav", "name": "/b"}', "no name inside the folder"),
        ("m.jsonl", '{"path": "a.wav", "name": ".decalage/b"}', "no name inside the folder"),
        ("m.jsonl", '{"path": "a.wav", "name": "b\\\\..\\\\c"}', "no name inside the folder"),
        ("m.jsonl", '{"path": "a\\u0000.wav"}', "a zero byte"),
        ("m.csv", "file,to\na.wav,pt\n", "line 1 has to name the columns"),
        ("m.csv", "path,to\na.wav\n", "line 2 has not as many columns"),
        ("m.csv", "path,to\na.wav,pt,es\n", "line 2 has not as many columns"),
        ("m.csv", "path,to\n,pt\n", "line 2 has no path"),
        ("m.txt", "# nothing\n", "names no file"),
    ],
)
def test_a_list_with_a_mistake_is_refused_with_its_line(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    with pytest.raises(DecalageError, match=told):
        rows(tmp_path / name, text)
