"""Devices by PortAudio, with a library that fails when a test says so."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from decalage.errors import MissingPartError
from decalage.sources.portaudio import PortAudioDevice, find_device

ABOUT = {"name": "desk", "max_input_channels": 1, "default_samplerate": 16_000.0, "index": 0}


class PortAudioError(Exception):
    """As sounddevice has it."""


class Stream:
    def __init__(self, **_settings: object) -> None:
        self.closed = False

    def start(self) -> None: ...

    def close(self, ignore_errors: bool = False) -> None:
        self.closed = ignore_errors


class Library(ModuleType):
    """sounddevice, as far as it is used."""

    PortAudioError = PortAudioError
    InputStream = Stream

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.default = type("Default", (), {"device": (0, 0)})
        self.plugged, self.starts, self.running = True, True, True

    def query_devices(self, number: int | None = None) -> Any:
        if not self.running:
            raise PortAudioError("PortAudio not initialized")
        return ABOUT if number is not None else [ABOUT] if self.plugged else []

    def _terminate(self) -> None:
        if not self.running:
            raise PortAudioError("PortAudio not initialized")
        self.running = False

    def _initialize(self) -> None:
        if not self.starts:
            raise PortAudioError("Error initializing PortAudio")
        self.running = True


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    monkeypatch.setitem(sys.modules, "sounddevice", made)
    monkeypatch.setenv("PATH", "")  # no sound server behind it
    return made


def opened(device: PortAudioDevice) -> None:
    device.open(lambda _samples, _overflowed: None).close()


def test_a_device_that_was_unplugged_is_found_when_it_is_back(library: Library) -> None:
    device = find_device("desk")
    opened(device)
    library.plugged = False
    with pytest.raises(MissingPartError, match="desk is not connected"):
        opened(device)
    library.plugged = True
    opened(device)


def test_a_sound_system_that_does_not_start_is_tried_again(library: Library) -> None:
    device = find_device(None)
    opened(device)
    library.starts = False
    for _ in range(2):
        with pytest.raises(MissingPartError, match=r"desk cannot be listened to: .*PortAudio"):
            opened(device)
    library.starts = True
    opened(device)


def test_blocks_are_handed_over_channel_by_channel(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {}

    class Noting(Stream):
        def __init__(self, **given: Any) -> None:
            super().__init__()
            settings.update(given)

    monkeypatch.setattr(library, "InputStream", Noting)
    blocks: list[tuple[tuple[int, ...], bool]] = []
    find_device("0").open(lambda samples, overflowed: blocks.append((samples.shape, overflowed)))
    status = type("Status", (), {"input_overflow": True})
    settings["callback"](np.zeros((800, 1), np.float32), 800, None, status)
    assert (settings["samplerate"], settings["channels"]) == (16_000, 1)
    assert blocks == [((1, 800), True)]
