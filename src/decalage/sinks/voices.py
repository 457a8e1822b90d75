"""Voices: Piper's, the system's, and the loudspeaker."""

from __future__ import annotations

import io
import shutil
import subprocess
import threading
import wave
from pathlib import Path
from typing import Any

import numpy as np

from decalage.errors import MissingPartError, OutputError, one_line
from decalage.flow.renewal import PORTAUDIO
from decalage.sinks.speech import Sound

_BLOCK_S = 0.1
_PIPER = "for a better one: python -m pip install piper-tts, then name a voice with --voice"
_WORDS_A_MINUTE = 175
"""Of espeak-ng at its own pace."""
_TIMEOUT_S = 60.0


class PiperVoice:
    """A voice of Piper, https://github.com/OHF-Voice/piper1-gpl: a model's ``.onnx`` with its ``.onnx.json``.

    Raises ``MissingPartError`` without Piper or for a file it does not load.
    """

    def __init__(self, model: Path) -> None:
        try:
            from piper import PiperVoice as Piper  # noqa: PLC0415 - an extra, and a large library
            from piper import SynthesisConfig  # noqa: PLC0415 - the same
        except ImportError as error:
            raise MissingPartError("Piper is not installed; run: python -m pip install piper-tts") from error
        try:
            self._voice = Piper.load(model)
        except Exception as error:  # its errors share no root
            raise MissingPartError(f"{model} does not load as a voice: {one_line(error)}") from error
        self._options: Any = SynthesisConfig
        self._name = model.stem

    def __repr__(self) -> str:
        return f"<PiperVoice {self._name}>"

    def say(self, text: str, speed: float) -> Sound:
        try:
            options = self._options(length_scale=self._voice.config.length_scale / speed)
            chunks = list(self._voice.synthesize(text, syn_config=options))
        except Exception as error:  # as above
            raise OutputError(f"the voice failed: {one_line(error)}") from error
        parts = [np.asarray(chunk.audio_float_array, np.float32) for chunk in chunks]
        rate = int(chunks[0].sample_rate) if chunks else int(self._voice.config.sample_rate)
        return Sound(np.concatenate(parts) if parts else np.zeros(0, np.float32), rate)


class SystemVoice:
    """espeak-ng: worse than Piper's voices, and in most languages. Raises ``MissingPartError`` without it."""

    def __init__(self, language: str) -> None:
        found = shutil.which("espeak-ng")
        if found is None:
            raise MissingPartError(f"this system has no voice; {_PIPER}, or install espeak-ng")
        self._program = found
        self._language = "pt-br" if language == "pt" else language
        known = self._run(f"--voices={language}", text="").decode(errors="replace").splitlines()
        if len(known) < 2:  # the first line is the head of a table
            raise MissingPartError(f"espeak-ng has no voice for {language}; {_PIPER}")

    def __repr__(self) -> str:
        return f"<SystemVoice {self._program} {self._language}>"

    def say(self, text: str, speed: float) -> Sound:
        pace = str(round(_WORDS_A_MINUTE * speed))
        return _read_wave(self._run("--stdout", "-v", self._language, "-s", pace, text=text))

    def _run(self, *options: str, text: str) -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 - found above; the text goes to its standard input
                [self._program, *options],
                input=text.encode(),
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=True,
                start_new_session=True,  # a Ctrl-C is ours to answer
            )
        except subprocess.CalledProcessError as error:
            told = one_line(error.stderr.decode(errors="replace"))
            raise OutputError(f"the voice failed: {told}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OutputError(f"the voice failed: {one_line(error)}") from error
        return done.stdout


class LoudSpeaker:
    """The output device, by PortAudio. Raises ``MissingPartError`` where there is none."""

    def __init__(self) -> None:
        try:
            import sounddevice  # noqa: PLC0415 - looks for the system's library
        except (ImportError, OSError) as error:
            told = f"no sound can be played: {one_line(error)}; install libportaudio2"
            raise MissingPartError(told) from error
        self._library: Any = sounddevice
        try:
            sounddevice.query_devices(kind="output")
        except (sounddevice.PortAudioError, ValueError) as error:
            told = f"no device to play sound ({one_line(error)}); connect one or leave out --speak"
            raise MissingPartError(told) from error
        self._stopped = threading.Event()

    def play(self, sound: Sound) -> None:
        block = round(_BLOCK_S * sound.rate)
        device, opened = None, -1
        try:
            for first in range(0, len(sound.samples), block):
                with PORTAUDIO.using() as times:
                    if self._stopped.is_set():
                        return
                    if device is None or opened != times:
                        device, opened = self._opened(sound.rate), times
                    device.write(np.ascontiguousarray(sound.samples[first : first + block, None]))
            with PORTAUDIO.using() as times:
                if device is not None and opened == times:
                    device.stop()  # when what it holds has been heard
        except (self._library.PortAudioError, ValueError) as error:
            raise OutputError(f"no sound can be played: {one_line(error)}") from error
        finally:
            with PORTAUDIO.using() as times:
                if device is not None and opened == times:
                    device.close()

    def stop(self) -> None:
        self._stopped.set()

    def _opened(self, rate: int) -> Any:
        device = self._library.OutputStream(samplerate=rate, channels=1, dtype="float32")
        device.start()
        return device


def _read_wave(data: bytes) -> Sound:
    """16-bit mono; espeak-ng writes to a pipe, where it does not know how long the sound becomes."""
    if not data:
        return Sound(np.zeros(0, np.float32), 1)
    try:
        with wave.open(io.BytesIO(data)) as file:
            rate = file.getframerate()
            raw = file.readframes(len(data) // 2)
    except (wave.Error, EOFError) as error:
        raise OutputError(f"the voice gave no sound: {one_line(error)}") from error
    return Sound(np.frombuffer(raw[: len(raw) // 2 * 2], "<i2").astype(np.float32) / np.float32(32768), rate)
