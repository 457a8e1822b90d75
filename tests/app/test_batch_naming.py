"""What result sets are called: plainly, and never as anything else."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.app.batch.naming import Wish, assign, files_of, key, outputs_of
from decalage.errors import InputError

FORMS = ("srt", "txt", "jsonl")


def wish(relative: str, asked: str | None = None, targets: tuple[str, ...] = ("pt",)) -> Wish:
    outputs = outputs_of(FORMS, targets, None)
    return Wish(relative, asked, f"list, {relative}", f"{relative} {targets}", outputs)


def free(_number: int, _path: str) -> bool:
    return False


def named(*wishes: Wish, kept: dict[int, str] | None = None) -> list[str]:
    return assign(wishes, kept or {}, free)


def test_a_set_is_called_as_its_file_in_the_same_folder() -> None:
    assert named(wish("week1/talk.mp4"), wish("week2/talk.mp4"), wish("no ending")) == [
        "week1/talk",
        "week2/talk",
        "no ending",
    ]


def test_files_that_differ_by_their_ending_keep_it() -> None:
    assert named(wish("talk.mp4"), wish("talk.wav"), wish("other.wav")) == ["talk.mp4", "talk.wav", "other"]


def test_one_file_in_two_languages_has_two_names() -> None:
    first, second = named(wish("talk.mp4"), wish("talk.mp4", targets=("es",)))
    assert first != second
    assert first.startswith("talk.mp4-")
    assert second.startswith("talk.mp4-")


def test_a_name_that_was_given_goes_before_one_that_follows() -> None:
    assert named(wish("talk.mp4"), wish("b.mp4", asked="talk")) == ["talk.mp4", "talk"]


def test_a_name_that_was_given_twice_is_refused_with_both_places() -> None:
    with pytest.raises(InputError, match=r"list, b\.mp4: the name 'Talk' stands in list, a\.mp4 too"):
        named(wish("a.mp4", asked="talk"), wish("b.mp4", asked="Talk"))


def test_a_name_that_a_file_has_is_left_to_it() -> None:
    assert named(wish("talk.mp4"), wish("talk.wav"), kept={0: "talk"}) == ["talk", "talk.wav"]


def test_what_is_something_else_is_passed_over() -> None:
    assert assign([wish("talk.mp4")], {}, lambda _number, path: path == "talk.txt") == ["talk.mp4"]


def test_languages_of_subtitles_tell_sets_apart_too() -> None:
    several = wish("talk.mp4", targets=("pt", "es"))
    assert files_of("talk", several.outputs) == {
        "pt.srt": "talk.pt.srt",
        "es.srt": "talk.es.srt",
        "txt": "talk.txt",
        "jsonl": "talk.jsonl",
    }
    names = named(several, wish("talk.pt.mp4"))
    assert names == ["talk.mp4", "talk.pt.mp4"]


def test_the_source_shown_alone_needs_one_file_for_all_languages() -> None:
    assert [each.suffix for each in outputs_of(("srt", "vtt"), ("pt", "es"), "source")] == ["srt", "vtt"]


paths = st.lists(
    st.text(st.sampled_from("abAßéé.\u0301 ٣"), min_size=1, max_size=3)
    .map(lambda text: text.strip(". "))
    .filter(bool),
    min_size=1,
    max_size=3,
).map("/".join)


@given(
    st.lists(st.tuples(paths, st.sampled_from([".mp4", ".srt", ".pt.wav", "", ".jsonl"])), max_size=8),
    st.sampled_from([("pt",), ("pt", "es")]),
)
def test_no_two_sets_share_a_file_and_all_can_be_written(
    files: list[tuple[str, str]], targets: tuple[str, ...]
) -> None:
    wishes = [wish(f"{path}{ending}", targets=targets) for path, ending in dict.fromkeys(files)]
    names = named(*wishes)
    written = [
        path
        for name, each in zip(names, wishes, strict=True)
        for path in files_of(name, each.outputs).values()
    ]
    assert len({key(path) for path in written}) == len(written)
    with tempfile.TemporaryDirectory() as folder:
        for path in [*written, *(f"done/{name}.json" for name in names)]:
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).open("x").close()


@given(
    st.permutations([wish("a.mp4"), wish("a.wav"), wish("A.ogg"), wish("b/a.wav"), wish("c.wav", asked="a")])
)
def test_names_do_not_depend_on_the_order(wishes: Sequence[Wish]) -> None:
    names = dict(zip((each.relative for each in wishes), named(*wishes), strict=True))
    assert names == {
        "a.mp4": "a.mp4",
        "a.wav": "a.wav",
        "A.ogg": "A.ogg",
        "b/a.wav": "b/a",
        "c.wav": "a",
    }


@pytest.mark.parametrize("letter", ["a", "é", "\udcff"])
def test_a_name_that_no_file_system_holds_is_cut_and_still_its_own(letter: str) -> None:
    long = letter * 250
    first, second = named(wish(f"{long}1.wav"), wish(f"{long}2.wav"))
    assert first != second
    assert max(len(f"{name}.pt.jsonl".encode("utf-8", "surrogateescape")) for name in (first, second)) < 256
