"""Whether every sample of a stream is answered for once: counted while it runs."""

from __future__ import annotations


class Conservation:
    """in = captioned + failed + rejected + dropped + non-speech, each sample once.

    Pieces are told as they are given out and once more as they are answered; what lies between them is
    non-speech. The first thing that does not add up stays in ``breach``: it is a defect of this program.
    Pure.
    """

    def __init__(self) -> None:
        self.heard = 0
        """Samples that came."""
        self.breach: str | None = None
        """What does not add up; None: all does."""
        self._claimed = 0  # samples in pieces
        self._covered = 0  # number of the first sample after the last piece
        self._open: dict[int, int] = {}  # index → samples, of those in flight

    @property
    def non_speech(self) -> int:
        """Samples that came and are in no piece; those that may still become one are among them."""
        return self.heard - self._claimed

    def issue(self, index: int, first: int, length: int, *, captured: bool = True) -> None:
        """Samples ``first`` … ``first + length`` are piece ``index``; ``captured``: they came."""
        if first < self._covered:
            self._break(f"utterance {index} begins at sample {first}, the last one ended at {self._covered}")
        self._covered = first + length
        if captured:
            self._claimed += length
            self._open[index] = length
        else:
            self._open[index] = 0
        if self._claimed > self.heard:
            self._break(f"up to utterance {index} {self._claimed} samples were given out, {self.heard} came")

    def answer(self, index: int, samples: int) -> None:
        """Piece ``index`` was answered by an event about so many samples that came."""
        if (issued := self._open.pop(index, None)) is None:
            self._break(f"utterance {index} was answered and never given out")
        elif issued != samples:
            self._break(f"utterance {index} has {issued} samples, its answer {samples}")

    def end(self) -> None:
        """The stream has ended."""
        if self._open:
            self._break(f"{len(self._open)} utterances have no answer, the first is {min(self._open)}")

    def _break(self, told: str) -> None:
        self.breach = self.breach or told
