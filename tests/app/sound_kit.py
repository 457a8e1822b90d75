"""A sound server whose output is an input device: what the tests and trials of `live` listen to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from decalage.errors import MissingPartError
from decalage.sources.portaudio import devices

SAMPLES = Path(__file__).parents[2] / "samples"
ASK_NOT = SAMPLES / "ask-not.flac"
ALSA = "pcm.!default { type pulse }\nctl.!default { type pulse }\npcm.pulse { type pulse }\n"
MEND = "apt-get install pulseaudio pulseaudio-utils libportaudio2 libasound2-plugins"

PULSEAUDIO = ("pulseaudio", "-n", "--exit-idle-time=-1", "--daemonize=no", "--use-pid-file=no")


class SoundServer:
    """A PulseAudio of its own, with a sink that nobody hears."""

    def __init__(self, folder: Path) -> None:
        (folder / ".asoundrc").write_text(ALSA)
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_CONFIG_HOME": str(folder),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        }
        for name in ("PULSE_SERVER", "PULSE_SOURCE", "DISPLAY", "DECALAGE_DATA", "DECALAGE_JOURNAL"):
            self.environment.pop(name, None)
        self.journals = folder / "data" / "decalage" / "journal"
        """Where a program keeps them that is started with this environment."""
        self._process = subprocess.Popen(
            [*PULSEAUDIO, "-L", "module-native-protocol-unix"],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()
        self.plug()

    def _wait(self) -> None:
        pause = threading.Event()
        for _ in range(100):
            if (
                subprocess.run(
                    ["pactl", "info"], env=self.environment, capture_output=True, check=False
                ).returncode
                == 0
            ):
                return
            pause.wait(0.1)
        raise TimeoutError("pulseaudio does not start")

    def plug(self) -> None:
        self._module = self.control("load-module", "module-null-sink", "sink_name=speech").strip()
        self.control("set-default-source", "speech.monitor")

    def unplug(self) -> None:
        self.control("unload-module", self._module)

    def control(self, *words: str) -> str:
        return subprocess.run(
            ["pactl", *words], env=self.environment, capture_output=True, text=True, check=True
        ).stdout

    def play(self, path: Path) -> None:
        subprocess.run(["paplay", "--device=speech", str(path)], env=self.environment, check=True)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def sound_server(folder: Path, require: Callable[[bool, str, str], None]) -> Iterator[SoundServer]:
    """One that is closed at the end; ``require`` is told of what is missing for it."""
    missing = [name for name in ("pulseaudio", "pactl", "paplay") if shutil.which(name) is None]
    require(not missing, "a sound server", MEND)
    try:
        devices()
    except MissingPartError as error:
        require(False, "PortAudio", str(error))
    server = SoundServer(folder)
    try:
        yield server
    finally:
        server.close()


def live(server: SoundServer, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "decalage", "live", "--offline", *arguments],
        env=server.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def next_event(process: subprocess.Popen[str], *kinds: str) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["type"] in kinds:
            return event
    raise AssertionError(process.communicate()[1])
