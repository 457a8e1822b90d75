"""What is evaluated: rows read and refused, sets, the held-out third, what the options choose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from decalage.app.evaluate.choose import Choice, choose, read_ids
from decalage.app.evaluate.manifest import Recording, Span, held_out, read_manifest
from decalage.errors import InputError, UsageError
from tests.app.evaluate_kit import recording
from tests.app.test_cli import SAMPLES


def written(folder: Path, *rows: dict[str, Any] | str, name: str = "manifest.jsonl") -> Path:
    path = folder / name
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), "utf-8")
    return path


def chosen(rows: list[Recording], **asked: Any) -> list[str]:
    return [row.id for row in choose(rows, Choice(source="en", targets=("pt",), **asked))[0]]


def test_a_manifest_gives_rows_with_references_and_times() -> None:
    talk, ask = read_manifest(SAMPLES / "manifest.jsonl", "en")
    assert (talk.id, talk.path, talk.language, talk.gold) == ("talk", "talk.flac", "en", True)
    assert talk.speech[1] == Span(21.791, 32.791)
    assert talk.reference(("pt",)) == "pt"
    assert ask.reference(("es", "pt")) == "pt"
    assert ask.reference(("es",)) is None


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("{", "line 2 is not JSON"),
        ("[1]", "line 2 is not a JSON object"),
        ({"id": "b", "transcript": "One."}, "line 2 has no path"),
        ({"path": 7}, "line 2: path is 7, not text"),
        ({"path": "b.wav", "seconds": "long"}, "line 2: seconds is 'long'"),
        ({"path": "b.wav", "seconds": float("nan")}, "line 2: seconds is nan"),
        ({"path": "b.wav", "seconds": 10**400}, "line 2: seconds is 1000000"),
        ({"path": "b\ud800.wav"}, "line 2: path has half a letter in it"),
        ('{"path":' + "[" * 5000, "line 2 is not JSON"),
        ({"path": "b.wav", "segments": "all"}, "line 2: segments is not a list of objects"),
        ({"path": "b.wav", "segments": [{"start": 3, "end": 2}]}, "line 2: a segment needs start and end"),
        ({"id": "a", "path": "c.wav"}, "line 2: the id 'a' stands in manifest.jsonl, line 1 too"),
    ],
)
def test_a_row_that_cannot_be_understood_is_refused_with_its_line(
    tmp_path: Path, row: dict[str, Any] | str, words: str
) -> None:
    path = written(tmp_path, {"id": "a", "path": "a.wav"}, row)
    with pytest.raises(InputError, match=words.replace("[", r"\[")):
        read_manifest(path, "en")


def test_a_table_with_two_columns_of_one_language_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "id\ten\tpt_br\tpt-BR", "1\tAsk.\tPergunte.\tPergunta.", name="a.tsv")
    with pytest.raises(InputError, match="line 1 names two columns in pt-BR"):
        read_manifest(path, "en")


def test_a_manifest_without_rows_or_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no rows"):
        read_manifest(written(tmp_path, ""), "en")
    (tmp_path / "manifest.jsonl").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="not text in UTF-8"):
        read_manifest(tmp_path / "manifest.jsonl", "en")


def test_a_table_gives_each_line_once_for_each_translation(tmp_path: Path) -> None:
    path = written(
        tmp_path, "id\tdoc\ten\tpt_br\tpt_pt", "1\tx\tOne.\tUm.\tUm!", "2\tx\tTwo.\tDois.\t", name="m.tsv"
    )
    rows = read_manifest(path, "en")
    assert [(row.id, row.set_name, row.translation) for row in rows] == [
        ("1", "text en→pt-BR", "Um."),
        ("1", "text en→pt-PT", "Um!"),
        ("2", "text en→pt-BR", "Dois."),
    ]
    assert all(row.path is None for row in rows)
    back = read_manifest(path, "pt")
    assert (back[0].transcript, back[0].translation, back[0].set_name) == ("Um.", "One.", "text pt→en")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("id\ttext", "1\tOne."), "line 1 names the columns id, text; there must be one in en"),
        (("id\ten", "1\tOne."), "one in another language"),
        (("id\ten\tpt", "1\tOne."), "line 2 has 2 columns, the first line 3"),
    ],
)
def test_a_table_that_cannot_be_understood_is_refused(
    tmp_path: Path, lines: tuple[str, ...], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read_manifest(written(tmp_path, *lines, name="m.tsv"), "en")


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "en read speech"),
        ({"kind": "speech, 1961"}, "en speech"),
        ({"kind": "long recording: rejoined"}, "en long recording"),
        ({"kind": "read sentence (Harvard)"}, "en read sentence"),
        ({"kind": ""}, "en"),
        ({"expect": "empty", "language": None}, "no speech"),
        ({"path": None}, "text en→pt-BR"),
    ],
)
def test_a_set_is_language_and_the_beginning_of_the_kind(changed: dict[str, Any], name: str) -> None:
    assert recording("a", **changed).set_name == name


def test_the_held_out_third_is_that_of_the_rule_and_never_moves() -> None:
    names = ("talk.flac", "ask-not.flac", "a", "b", "c", "d", "e")
    assert [name for name in names if held_out(name)] == ["b"]
    third = sum(held_out(f"audio/en/{number}.flac") for number in range(3000))
    assert 900 < third < 1100


def test_what_cannot_be_evaluated_is_left_out_and_counted() -> None:
    rows = [
        recording("a"),
        recording("b", expect="error"),
        recording("c", language="pt"),
        recording("d", gold=False),
        recording("e", expect="empty", language=None, transcript=None, translation=None, gold=False),
        recording("f", path=None, translation_language="es"),
        recording("g", language=None),
    ]
    found, left = choose(rows, Choice(source="en", targets=("pt",)))
    assert [row.id for row in found] == ["a", "e"]
    assert left == {
        "neither with a transcript nor to stay empty": 1,
        "not in en": 2,
        "with uncertain references (--references all takes them)": 1,
        "without a translation into pt": 1,
    }
    assert chosen(rows, trust="all") == ["a", "d", "e"]


def test_options_choose_by_set_kind_id_split_and_number() -> None:
    rows = [recording("a"), recording("b", kind="spoken question"), recording("c", kind="speech, 1961")]
    assert chosen(rows, sets=("en speech", "en read speech")) == ["a", "c"]
    assert chosen(rows, kinds=("QUESTION", "1961")) == ["b", "c"]
    assert chosen(rows, ids=("c", "a")) == ["a", "c"]
    assert chosen(rows, limit=2) == ["a", "b"]
    many = [recording(f"a{number}") for number in range(30)]
    held = chosen(many, split="held-out")
    assert set(held) | set(chosen(many, split="tuning")) == {row.id for row in many}
    assert held == [row.id for row in many if held_out(row.path or "")]


def test_a_recording_taken_as_text_is_of_the_same_third() -> None:
    rows = [recording(f"a{number}") for number in range(30)]
    for split in ("tuning", "held-out"):
        assert chosen(rows, split=split, text=True) == chosen(rows, split=split) != []


def test_text_alone_is_asked_of_recordings_with_both_references() -> None:
    rows = [recording("a"), recording("b", translation=None), recording("c", expect="empty", transcript=None)]
    found, left = choose(rows, Choice(source="en", targets=("pt",), text=True))
    assert [(row.id, row.path, row.set_name) for row in found] == [("a", None, "text en→pt-BR")]
    assert sum(left.values()) == 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"sets": ("en song",)}, "no set 'en song'; there are: en read speech"),
        ({"kinds": ("song",)}, "no recording is of kind 'song'"),
        ({"ids": ("z",)}, "has no 'z'"),
        ({"ids": ()}, "nothing to evaluate: the options leave none"),
    ],
)
def test_a_choice_of_nothing_is_refused(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        chosen([recording("a")], **asked)


def test_ids_are_lines_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("a\n\n b \n")
    assert read_ids(tmp_path / "ids") == ("a", "b")
    with pytest.raises(InputError, match="cannot read"):
        read_ids(tmp_path / "nothing")
