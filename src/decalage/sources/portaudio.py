"""Input devices by PortAudio, and by name those of PulseAudio and PipeWire behind it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decalage.errors import MissingPartError, UsageError, one_line
from decalage.flow.renewal import PORTAUDIO

_BLOCK_S = 0.05
_PULSE = "PULSE_SOURCE"
"""The environment variable by which libpulse takes another source than the default one."""
_INSTALL = {
    "linux": "install it: apt-get install libportaudio2, or your system's package of PortAudio",
    "darwin": "reinstall sounddevice: python -m pip install --force-reinstall sounddevice",
}


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A device that can be listened to."""

    name: str
    channels: int
    rate: int
    """Hertz, its own."""
    number: int | None = None
    """PortAudio's; None for a source of the sound server behind it."""
    default: bool = False
    monitor: bool = False
    """Hears what the machine plays."""


def devices() -> list[InputDevice]:
    """What can be listened to now. Raises ``MissingPartError`` without PortAudio."""
    sounddevice = _library()
    chosen = sounddevice.default.device[0]
    found = [
        InputDevice(
            name=each["name"],
            channels=int(each["max_input_channels"]),
            rate=int(each["default_samplerate"]),
            number=int(each["index"]),
            default=each["index"] == chosen,
            monitor="monitor" in each["name"].lower(),
        )
        for each in sounddevice.query_devices()
        if each["max_input_channels"] > 0
    ]
    return found + _served({device.name for device in found})


def find_device(wanted: str | None) -> PortAudioDevice:
    """The device of this number or name, of a part of its name if only one has it; None: the default one.

    Raises ``UsageError`` with what there is, ``MissingPartError`` where there is none at all.
    """
    known = devices()
    if not known:
        raise MissingPartError("no device to listen to; connect a microphone, then run: decalage devices")
    if wanted is None:
        default = next((device for device in known if device.default), known[0])
        return PortAudioDevice(default)
    exact = [device for device in known if wanted in (device.name, str(device.number))]
    partly = [device for device in known if wanted.lower() in device.name.lower()]
    fits = exact or partly
    if len(fits) == 1 or exact:
        return PortAudioDevice(fits[0])
    told = ", ".join(device.name for device in partly or known)
    why = "several devices have that in their name" if partly else "no such device"
    raise UsageError(f"{wanted!r}: {why}: {told}")


class PortAudioDevice:
    """Implements ``microphone.Device``."""

    def __init__(self, device: InputDevice) -> None:
        self.name = device.name
        self._device = device
        self._opened = False

    def __repr__(self) -> str:
        return f"<PortAudioDevice {self.name!r}>"

    def open(self, deliver: Callable[[NDArray[np.float32], bool], None]) -> PortAudioRecording:
        sounddevice = _library()
        try:
            if self._opened:
                self._renew(sounddevice)
            self._opened = True
            number = self._device.number
            if number is None:
                os.environ[_PULSE] = self.name
                number = _bridge(sounddevice)
            else:
                number = self._now(sounddevice)
            return PortAudioRecording(sounddevice, number, deliver)
        except (sounddevice.PortAudioError, ValueError) as error:
            told = f"{self.name} cannot be listened to: {one_line(error)}; see: decalage devices"
            raise MissingPartError(told) from error

    @staticmethod
    def _renew(sounddevice: Any) -> None:
        """PortAudio sees what was plugged in since only when it starts anew."""
        with PORTAUDIO.renewing():
            with suppress(sounddevice.PortAudioError):  # the last time it did not start
                sounddevice._terminate()
            sounddevice._initialize()

    def _now(self, sounddevice: Any) -> int:
        """Its number may have changed with what was plugged in."""
        for each in sounddevice.query_devices():
            if each["name"] == self.name and each["max_input_channels"] > 0:
                return int(each["index"])
        raise MissingPartError(f"{self.name} is not connected; see: decalage devices")


class PortAudioRecording:
    """A device that is open, at its own rate."""

    def __init__(
        self, sounddevice: Any, number: int, deliver: Callable[[NDArray[np.float32], bool], None]
    ) -> None:
        about = sounddevice.query_devices(number)
        self.channels = min(2, int(about["max_input_channels"]))
        self.rate = int(about["default_samplerate"])

        def callback(data: NDArray[np.float32], _frames: int, _time: object, status: Any) -> None:
            deliver(np.ascontiguousarray(data.T), bool(status.input_overflow))

        self._stream = sounddevice.InputStream(
            device=number,
            channels=self.channels,
            samplerate=self.rate,
            dtype="float32",
            blocksize=int(_BLOCK_S * self.rate),
            callback=callback,
        )
        self._stream.start()

    def close(self) -> None:
        self._stream.close(ignore_errors=True)


def _library() -> Any:
    try:
        import sounddevice  # noqa: PLC0415 - starts PortAudio
    except ImportError as error:
        raise MissingPartError("sounddevice is not installed: python -m pip install sounddevice") from error
    except OSError as error:
        mend = _INSTALL.get(sys.platform, "reinstall sounddevice")
        raise MissingPartError(f"PortAudio is not here; {mend}") from error
    return sounddevice


def _bridge(sounddevice: Any) -> int:
    """PortAudio's device that reaches the sound server."""
    for name in ("pulse", "pipewire", "default"):
        for each in sounddevice.query_devices():
            if each["name"] == name and each["max_input_channels"] > 0:
                return int(each["index"])
    raise MissingPartError("PortAudio does not reach the sound server: apt-get install libasound2-plugins")


def _served(known: set[str]) -> list[InputDevice]:
    """The sources of PulseAudio or PipeWire, as ``pactl`` lists them: monitors of outputs among them."""
    program = shutil.which("pactl")
    if program is None:
        return []
    try:
        listed = subprocess.run(  # noqa: S603 - a program of the system, no words of a user
            [program, "list", "short", "sources"], capture_output=True, text=True, timeout=5, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    found = []
    for line in listed.splitlines():
        parts = line.split("\t")
        if len(parts) < 4 or parts[1] in known:
            continue
        form = parts[3].split()  # s16le 2ch 44100Hz
        channels, rate = int(form[1].removesuffix("ch")), int(form[2].removesuffix("Hz"))
        found.append(InputDevice(parts[1], channels, rate, monitor=parts[1].endswith(".monitor")))
    return found
