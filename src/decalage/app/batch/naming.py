"""What result sets are called: as their files, as far as that tells one from the other.

::

    week1/talk.mp4  ─▶  week1/talk          .srt .txt .jsonl, with several languages .pt.srt .es.srt
                        week1/talk.mp4      if something else has that name
                        week1/talk.mp4-3f2a9c01, and so on
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import PurePosixPath

from decalage.errors import InputError
from decalage.sinks.captions import Show
from decalage.sinks.subtitles import FORMS
from decalage.sinks.video import FORM as VIDEO

_LONGEST = 180
"""Bytes of a name; file systems hold 255, with what is added to it."""
_BY_LANGUAGE = (*FORMS, VIDEO)


@dataclass(frozen=True, slots=True)
class Output:
    """One file of a result set."""

    form: str
    """``srt`` and so on."""
    language: str | None
    """The target that it holds; None: whatever there is."""

    @property
    def suffix(self) -> str:
        """What is added to the name; tells one from the others of its set."""
        return self.form if self.language is None else f"{self.language}.{self.form}"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to have a name."""

    relative: str
    """The path of its file, in the folder that all are in, with ``/``."""
    asked: str | None
    """The name that a person gave it."""
    place: str
    identity: str
    """Tells it from all others: path and languages."""
    outputs: tuple[Output, ...]

    def candidates(self) -> Iterator[str]:
        """Names from the plainest to ones that nothing else can have."""
        path = PurePosixPath(self.relative)
        if self.asked is not None:
            yield _short(self.asked)
        else:
            yield _short(str(path.with_suffix("")) if path.stem else self.relative)
            yield _short(self.relative)
        unlike = f"{self.asked or self.relative}-{hashlib.sha256(_bytes(self.identity)).hexdigest()[:8]}"
        yield _short(unlike)
        yield from (_short(f"{unlike}-{number}") for number in count(2))


def outputs_of(forms: Sequence[str], targets: Sequence[str], show: Show | None) -> tuple[Output, ...]:
    """The files of a set: subtitles one a language where there are several, of the rest one."""
    several = tuple(targets) if len(targets) > 1 and show != "source" else (None,)
    return tuple(
        Output(form, language)
        for form in dict.fromkeys(forms)
        for language in (several if form in _BY_LANGUAGE else (None,))
    )


def key(path: str) -> str:
    """The same for names that some file system takes for one."""
    return unicodedata.normalize("NFC", path).casefold()


def files_of(name: str, outputs: Sequence[Output]) -> dict[str, str]:
    """Suffix of each output → its path in the folder of the results."""
    return {output.suffix: f"{name}.{output.suffix}" for output in outputs}


def assign(wishes: Sequence[Wish], kept: Mapping[int, str], held: Callable[[int, str], bool]) -> list[str]:
    """A name for each of ``wishes``, no two of which share a file, whatever the case of the letters.

    ``kept``: which of them have one already, which differ. ``held(number, path)``: whether that file of
    wish ``number``, or its record ``NAME.json``, is something else's. Raises ``InputError`` where two were
    given one name.
    """
    _refuse_twins(wishes)
    names = {number: name for number, name in kept.items() if wishes[number].asked in (None, name)}
    for asked in (True, False):  # who was given a name comes first
        seeking = {
            number: wish.candidates()
            for number, wish in enumerate(wishes)
            if number not in names and (wish.asked is not None) == asked
        }
        names |= _settled(wishes, seeking, names, held)
    return [names[number] for number in range(len(wishes))]


def _settled(
    wishes: Sequence[Wish],
    seeking: Mapping[int, Iterator[str]],
    others: Mapping[int, str],
    held: Callable[[int, str], bool],
) -> dict[int, str]:
    """Names of those ``seeking``, none of which is in the way of another or of ``others``."""
    names: dict[int, str] = {}
    left = list(seeking)
    while left:
        names |= {number: next(seeking[number]) for number in left}
        everybody = {**others, **names}
        claims = Counter(c for number, name in everybody.items() for c in _claims(name, wishes[number]))
        folders = {key(str(each)) for name in everybody.values() for each in PurePosixPath(name).parents}
        left = [
            number
            for number, name in names.items()
            if any(claims[c] > 1 or c in folders for c in _claims(name, wishes[number]))
            or any(held(number, path) for path in _paths(name, wishes[number]))
        ]
    return names


def _claims(name: str, wish: Wish) -> set[str]:
    """What nothing else may have: its files, and its record."""
    return {key(path) for path in _paths(name, wish)}


def _paths(name: str, wish: Wish) -> list[str]:
    return [*files_of(name, wish.outputs).values(), f"{name}.json"]


def _refuse_twins(wishes: Sequence[Wish]) -> None:
    """A name that a person gave twice is a mistake."""
    given: dict[str, Wish] = {}
    for wish in wishes:
        if wish.asked is not None:
            other = given.setdefault(key(wish.asked), wish)
            if other is not wish:
                raise InputError(f"{wish.place}: the name {wish.asked!r} stands in {other.place} too")


def _short(name: str) -> str:
    """``name``, of which no part is longer than file systems hold."""
    return "/".join(part if len(_bytes(part)) <= _LONGEST else _cut(part) for part in name.split("/"))


def _cut(part: str) -> str:
    unlike = hashlib.sha256(_bytes(part)).hexdigest()[:8]
    return f"{_bytes(part)[: _LONGEST - 9].decode('utf-8', 'ignore')}-{unlike}"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
