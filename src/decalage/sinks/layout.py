"""Text of a caption as subtitle cues: where it is cut, how it is broken into lines, when each stands. Pure.

The rules are those of broadcasters (BBC Subtitle Guidelines; Netflix Timed Text Style Guide): lines of 42
columns, two at most, up to 20 characters a second, five sixths of a second to seven seconds, breaks where
a phrase ends. A wide letter (UAX #11) takes two columns. All cues stand within the caption's own time, and
captions do not overlap, so no two cues do.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from rich.cells import cell_len

from decalage.speech import Word

_SENTENCE = (".", "!", "?", "…", "。", "！", "？")
_CLAUSE = (",", ";", ":", "—", "–", "，", "、", "；", "：")
_CLOSERS = "\"'”’»)]」』）"
_NOT_FIRST = frozenset("，、。！？；：」』）…ー々")
"""Letters that no line begins with, though each of its script is a word by itself."""


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_OPENS_PHRASE = _listed(
    "and or but because that which who when where while if so as than with for from in on at to into about "
    "e ou mas porque que quem quando onde enquanto se como com para por em no na nos nas de"
)
_HOLDS_ON = _listed(
    "a an the of to in on at by with for from my your his her its our their this these those very "
    "o a os as um uma de do da dos das em no na nos nas por pelo pela com para ao à seu sua"
)
"""Words that belong to the one after them."""
_AT_SENTENCE, _AT_CLAUSE, _AT_PHRASE, _ANYWHERE, _INSIDE = 0.0, 0.35, 0.6, 1.0, 1.6


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle. Times are seconds."""

    start: float
    end: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How much a reader is shown at a time."""

    columns: int = 42
    lines: int = 2
    columns_per_s: float = 20.0
    least_s: float = 5 / 6
    most_s: float = 7.0
    gap_s: float = 0.08
    """Between two cues that follow each other: two frames, so that the change is seen."""


RULES = Rules()
_PAUSE_S = 0.6
"""A speaker who is silent for longer leaves the cue, rather than have the next words told early."""


@dataclass(frozen=True, slots=True)
class _Token:
    """What is never cut: a word, or a letter of a script without spaces."""

    text: str
    spaced: bool
    """Whether a space stands before it."""
    start: float = 0.0
    end: float = 0.0


def cues(text: str, start: float, end: float, words: Sequence[Word] = (), rules: Rules = RULES) -> list[Cue]:
    """``text``, said from ``start`` to ``end``, as cues in order.

    ``words`` are those of the speech with their times; of a translation too, whose words are then taken
    to be spread as those of the speech are.
    """
    tokens = _timed(list(_tokens(text, rules.columns)), start, end, words)
    if not tokens:
        return []
    parts = _parts(tokens, end, rules)
    return [
        _cue(part, after[0].start if after else end, rules, last=not after)
        for part, after in pairwise([*parts, []])
    ]


def both(
    source: str, target: str, start: float, end: float, words: Sequence[Word] = (), rules: Rules = RULES
) -> list[Cue]:
    """Source above target: a line of each, two where a language needs more room."""
    single = replace(rules, lines=1)
    above = cues(source, start, end, words, single)
    below = _timed(list(_tokens(target, rules.columns)), start, end, words)
    found: list[Cue] = []
    for number, cue in enumerate(above):
        until = above[number + 1].start if number + 1 < len(above) else float("inf")
        taken = [token for token in below if token.start < until]
        below = below[len(taken) :]
        found.append(replace(cue, lines=(*cue.lines, *_wrapped(taken, rules.columns))))
    return found


def _tokens(text: str, columns: int) -> Iterator[_Token]:
    for word in text.split():
        for number, piece in enumerate(_pieces(word, columns)):
            yield _Token(piece, spaced=number == 0)


def _pieces(word: str, columns: int) -> Iterator[str]:
    """``word`` itself; letter by letter where it is wide; cut where it is longer than a line."""
    if any(cell_len(letter) > 1 for letter in word):
        piece = ""
        for letter in word:
            if piece and (letter not in _NOT_FIRST or cell_len(piece + letter) > columns):
                yield piece
                piece = ""
            piece += letter
        yield piece
        return
    while cell_len(word) > columns:
        yield word[:columns]
        word = word[columns:]
    if word:
        yield word


def _timed(tokens: list[_Token], start: float, end: float, words: Sequence[Word]) -> list[_Token]:
    """``tokens`` with the times at which as much of the speech had been said."""
    spans = [(len(word.text), word.start, word.end) for word in words if word.text] or [(1, start, end)]
    said, total = 0, sum(len(token.text) for token in tokens)
    timed = []
    for token in tokens:
        begun, said = said, said + len(token.text)
        timed.append(
            replace(
                token,
                start=_time(spans, begun / total, before=False),
                end=_time(spans, said / total, before=True),
            )
        )
    return timed


def _time(spans: Sequence[tuple[int, float, float]], share: float, *, before: bool) -> float:
    """When ``share`` of the letters had been said; at the edge of two words the end of the one before."""
    place = share * sum(length for length, _, _ in spans)
    for length, start, end in spans:
        if place < length or (before and place <= length):
            return start + (end - start) * max(0.0, place) / length
        place -= length
    return spans[-1][2]


def _parts(tokens: Sequence[_Token], end: float, rules: Rules) -> list[Sequence[_Token]]:
    """The cheapest way to cut ``tokens``, by what each cut and each cue costs."""
    run = _Run(tokens, end, rules)
    best = [0.0, *[float("inf")] * len(tokens)]
    cut = [0] * (len(tokens) + 1)
    for stop in range(1, len(tokens) + 1):
        for first in range(stop - 1, -1, -1):
            cost = best[first] + run.cost(first, stop)
            if cost < best[stop]:
                best[stop], cut[stop] = cost, first
            if max(run.columns(first, stop), stop - first) > rules.columns * rules.lines:
                break
    parts: list[Sequence[_Token]] = []
    stop = len(tokens)
    while stop:
        parts.append(tokens[cut[stop] : stop])
        stop = cut[stop]
    return parts[::-1]


class _Run:
    """Tokens one after the other, with what is asked of any part of them added up once."""

    def __init__(self, tokens: Sequence[_Token], end: float, rules: Rules) -> None:
        self._tokens = tokens
        self._end = end
        self._rules = rules
        sizes = (token.spaced + cell_len(token.text) for token in tokens)
        self._columns = [0, *accumulate(sizes)]  # of the tokens before each, spaces included
        self._cuts = [0.0, *(_cut_cost(token, after) for token, after in pairwise(tokens)), 0.0]
        pauses = (max(0.0, after.start - before.end - _PAUSE_S) for before, after in pairwise(tokens))
        self._pauses = [0.0, *accumulate(pauses)]  # up to each token

    def columns(self, first: int, stop: int) -> int:
        """Of the tokens from ``first`` to before ``stop`` on one line."""
        return self._columns[stop] - self._columns[first] - self._tokens[first].spaced

    def cost(self, first: int, stop: int) -> float:
        """Of these tokens as a cue; infinite where they do not fit."""
        broken = self.broken(first, stop)
        if broken is None:
            return float("inf")
        rules, begins = self._rules, self._tokens[first].start
        last = stop == len(self._tokens)
        room_s = max(0.04, (self._end if last else self._tokens[stop].start) - begins)
        spoken_s = self._tokens[stop - 1].end - begins
        cost = 1.0 + 2 * self._cuts[stop] + broken[0]
        cost += 2 * max(0.0, self.columns(first, stop) / room_s / rules.columns_per_s - 1)
        cost += 2 if room_s < rules.least_s else 0
        cost += self._pauses[stop - 1] - self._pauses[first]
        cost += 3 + 2 * (spoken_s - rules.most_s) if spoken_s > rules.most_s and stop - first > 1 else 0
        return cost

    def broken(self, first: int, stop: int) -> tuple[float, int] | None:
        """What the break of a cue costs, and where its second line begins; None where it does not fit."""
        columns = self._rules.columns
        whole = self.columns(first, stop)
        if whole <= columns:
            return 0.0, stop
        if self._rules.lines < 2:
            return None
        best: tuple[float, int] | None = None
        least = self._columns[stop] - columns - 1  # before it the second line is too long
        for at in range(bisect_left(self._columns, least, first + 1, stop), stop):
            above, below = self.columns(first, at), self.columns(at, stop)
            if above > columns:
                break
            if below <= columns:
                cost = 0.5 * self._cuts[at] + 0.3 * abs(above - below) / columns
                best = min(best or (cost, at), (cost, at))
        return best


def _cut_cost(token: _Token, after: _Token) -> float:
    """What it costs a reader that a line or a cue ends between two tokens."""
    bare = token.text.rstrip(_CLOSERS)
    if bare.endswith(_SENTENCE):
        return _AT_SENTENCE
    if bare.endswith(_CLAUSE):
        return _AT_CLAUSE
    if token.text.lower() in _HOLDS_ON:
        return _INSIDE
    return _AT_PHRASE if after.text.lower() in _OPENS_PHRASE else _ANYWHERE


def _wrapped(tokens: Sequence[_Token], columns: int) -> Iterator[str]:
    """``tokens`` in as few lines as hold them."""
    line: list[_Token] = []
    for token in tokens:
        if line and _columns([*line, token]) > columns:
            yield _joined(line)
            line = []
        line.append(token)
    if line:
        yield _joined(line)


def _cue(part: Sequence[_Token], until: float, rules: Rules, *, last: bool) -> Cue:
    """Shown from its first word on, as long as it takes to read, if the next one leaves the time."""
    start = part[0].start
    wanted = max(part[-1].end, start + rules.least_s, start + _columns(part) / rules.columns_per_s)
    room = until if last else until - rules.gap_s
    end = max(min(wanted, start + rules.most_s, room), start + min(0.04, max(0.0, until - start)))
    broken = _Run(part, until, rules).broken(0, len(part))
    if broken is None:
        return Cue(start, end, tuple(_wrapped(part, rules.columns)))
    return Cue(start, end, tuple(_joined(line) for line in (part[: broken[1]], part[broken[1] :]) if line))


def _columns(part: Sequence[_Token]) -> int:
    return cell_len(_joined(part))


def _joined(part: Sequence[_Token]) -> str:
    return "".join((" " if token.spaced and number else "") + token.text for number, token in enumerate(part))
