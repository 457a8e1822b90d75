"""Settled translations read aloud, one after the other, faster where they pile up."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from decalage.clock import Clock, SystemClock
from decalage.errors import one_line
from decalage.events import Caption, Event
from decalage.flow.channel import Channel, ChannelClosed, ChannelFinished

LETTERS_PER_S = 15.0
"""Read aloud at the voice's own pace, about."""
_CALM_S, _HURRIED_S = 2.0, 8.0
"""Waiting to be read: from the one on the voice hurries, at the other it cannot hurry more."""
_FASTEST = 1.4
"""Faster than this few can follow."""
_LONGEST_S = 90.0
"""More than what can wait takes."""
_MOST_S = 30.0
"""With more waiting than this the next caption is not read."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What a voice says."""

    samples: NDArray[np.float32]
    """Mono."""
    rate: int
    """Hertz."""


class Voice(Protocol):
    """Reads text aloud."""

    def say(self, text: str, speed: float) -> Sound:
        """``text`` at ``speed`` times the voice's own pace. Raises ``OutputError``."""
        ...


class Player(Protocol):
    """Where it is heard."""

    def play(self, sound: Sound) -> None:
        """Returns when it has been heard, or after ``stop``. Raises ``OutputError``."""
        ...

    def stop(self) -> None:
        """End what is heard now, and all that comes, from any thread."""
        ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    text: str
    seconds: float
    lag: float | None
    """Of the caption."""
    written: float
    """When it came, on the clock."""


@dataclass(slots=True)
class Spoken:
    """How a run was read aloud."""

    captions: int = 0
    skipped: int = 0
    """Captions that were not read, for too much was waiting."""
    voice_lag: list[float] = field(default_factory=list)
    """From the end of each utterance to the first sound of its translation, seconds; at speaking pace."""
    failure: str | None = None
    """What ended it."""


def speed(waiting_s: float) -> float:
    """How fast to read with ``waiting_s`` waiting: 1 up to a point, then more, up to what can be followed."""
    hurry = (waiting_s - _CALM_S) / (_HURRIED_S - _CALM_S)
    return 1.0 + (_FASTEST - 1.0) * min(1.0, max(0.0, hurry))


class SpokenSink:
    """Reads translations into ``language`` aloud on a thread of its own; never two at once.

    With ``waits`` a caption waits for room, as a reader of files does; else what is too much is not read.
    A voice that fails ends the reading, not the captions: ``spoken.failure`` says why.
    """

    def __init__(
        self, voice: Voice, player: Player, language: str, *, waits: bool, clock: Clock | None = None
    ) -> None:
        self.spoken = Spoken()
        self._voice = voice
        self._player = player
        self._language = language
        self._waits = waits
        self._clock = clock or SystemClock()
        self._waiting: Channel[_Waiting] = Channel(_MOST_S)
        self._thread = threading.Thread(target=self._read, name="voice", daemon=True)
        self._thread.start()

    def write(self, event: Event) -> None:
        if not isinstance(event, Caption) or event.source == self._language:
            return
        text = event.text.get(self._language)
        if not text:
            return
        waiting = _Waiting(text, len(text) / LETTERS_PER_S, event.lag, self._clock.now())
        with suppress(ChannelClosed):  # stopped, or failed, which is told at the end
            if self._waits:
                self._waiting.put(waiting, waiting.seconds)
            elif not self._waiting.offer(waiting, waiting.seconds):
                self.spoken.skipped += 1

    def close(self) -> None:
        """Wait until all has been read, but not for a device that hangs. Idempotent."""
        self._waiting.close()
        self._thread.join(_LONGEST_S)
        if self._thread.is_alive():
            self.spoken.failure = self.spoken.failure or "the voice does not end"

    def complaints(self) -> list[str]:
        """What a person must know of how it was read."""
        told = [self.spoken.failure] if self.spoken.failure else []
        if self.spoken.skipped:
            told.append(f"{self.spoken.skipped} captions were not read aloud: too much was waiting")
        return told

    def stop(self) -> None:
        """Read no more, from any thread."""
        self._waiting.cancel()
        self._player.stop()

    def _read(self) -> None:
        try:
            while True:
                self._speak(self._waiting.get())
        except ChannelFinished:
            return
        except Exception as error:  # the edge of a thread: whatever a voice or a device raises is told
            self.spoken.failure = f"not read aloud any more: {one_line(error)}"
            self._waiting.cancel()

    def _speak(self, waiting: _Waiting) -> None:
        sound = self._voice.say(waiting.text, speed(self._waiting.statistics().weight))
        if not len(sound.samples):
            return
        if waiting.lag is not None:
            self.spoken.voice_lag.append(waiting.lag + self._clock.now() - waiting.written)
        self._player.play(sound)
        self.spoken.captions += 1
