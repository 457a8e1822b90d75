"""The interpreter's booth: one set of loaded models, and what each stream may ask of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from decalage.app.compose import ModelBlueprint, make_blueprint, make_runtime, start_event, stream_options
from decalage.app.directions import Directions, find_directions
from decalage.app.settings import AUTO, Settings
from decalage.config import Pace, Stability, StreamOptions
from decalage.contracts import AudioSource
from decalage.errors import UnsupportedPairError, UsageError
from decalage.events import Start
from decalage.languages import primary
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.stream import RuntimeStream
from decalage.store.models import available_pairs, find_recognizer, find_translator, recognizer_languages

_ENGLISH = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one stream asks for; None: as the server was started."""

    source: str | None = None
    targets: tuple[str, ...] | None = None
    partials: bool | None = None
    stability: Stability | None = None
    prompt: str | None = None
    pace: Pace = "realtime"
    words: bool = False


class Booth:
    """Serves any number of streams from one runtime, each with languages of its own.

    ``languages`` limits the pairs that are loaded to those between them; None: all that are installed.
    Raises as ``make_blueprint`` and ``make_runtime`` do.
    """

    def __init__(self, settings: Settings, languages: Collection[str] | None = None) -> None:
        self.settings = settings
        self._heard = recognizer_languages(find_recognizer(settings.model, offline=settings.offline))
        self._blueprint = make_blueprint(settings, directions=_directions(languages))
        self._check()
        self.runtime: LocalRuntime = make_runtime(settings, self._blueprint)

    def __repr__(self) -> str:
        return f"<Booth {self.runtime!r} {len(self._blueprint.directions)} directions>"

    @property
    def blueprint(self) -> ModelBlueprint:
        """What the runtime was made of."""
        return self._blueprint

    def targets_of(self, source: str) -> list[str]:
        """The languages that speech in ``source``, a code or ``auto``, can be told in."""
        into = {target for _, target in self._blueprint.directions}
        known = {source, _ENGLISH, *into} - {AUTO}
        return sorted(target for target in known if self._leads(source, target))

    def languages(self) -> Mapping[str, Sequence[object]]:
        """``from`` and ``to``: codes; ``pairs``: each [from, to] that can be had."""
        heard = [*self._heard, *([AUTO] if len(self._heard) > 1 else [])]
        pairs = [[source, target] for source in heard for target in self.targets_of(source)]
        return {"from": heard, "to": sorted({target for _, target in pairs}), "pairs": pairs}

    def options(self, wish: Wish) -> StreamOptions:
        """The options of a stream. Raises ``UnsupportedPairError`` and ``UsageError``."""
        settings = self._settings(wish)
        if settings.detects and len(self._heard) == 1:
            raise UsageError(f"this server hears {self._heard[0]} only: from auto is of no use")
        source = AUTO if settings.detects else primary(settings.source)
        if source not in (AUTO, *self._heard):
            known = ", ".join(self._heard) if len(self._heard) < 10 else f"{len(self._heard)} others"
            raise UnsupportedPairError(f"this server does not hear {source!r}; it hears {known}")
        options = stream_options(settings, self._blueprint)
        for target in options.targets:
            if not self._leads(source, target):
                raise UnsupportedPairError(
                    f"this server does not translate {source} to {target}; it has {source} to "
                    f"{', '.join(self.targets_of(source))}"
                )
        return options

    def start_event(self, wish: Wish, given: str) -> Start:
        """The settings in force for a stream, as its first event; of a model's path only the name is told."""
        start = start_event(self._settings(wish), self._blueprint, given, self.runtime.options.workers)
        return replace(start, model=Path(start.model).name)

    def open(self, options: StreamOptions) -> RuntimeStream:
        """A stream to feed."""
        return self.runtime.open(options)

    def run(self, source: AudioSource, options: StreamOptions) -> RuntimeStream:
        """A stream that hears ``source``."""
        return self.runtime.run(source, options)

    def close(self) -> None:
        """Stop everything and free the models. Idempotent."""
        self.runtime.close()

    def _check(self) -> None:
        """What who chooses nothing gets is refused now rather than for each who comes."""
        try:
            self.options(Wish())
        except UnsupportedPairError:
            wanted = self.settings.stream_options()
            find_directions(wanted.source, wanted.targets, hears_others=len(self._heard) > 1)
            raise  # unless that has told how the missing model is added

    def _settings(self, wish: Wish) -> Settings:
        base = self.settings
        return replace(
            base,
            source=wish.source or base.source,
            targets=base.targets if wish.targets is None else wish.targets,
            partials=base.partials if wish.partials is None else wish.partials,
            stability=wish.stability or base.stability,
            prompt=wish.prompt or base.prompt,
            pace=wish.pace,
            words=wish.words,
        )

    def _leads(self, source: str, target: str) -> bool:
        """Straight, or by the English that the recognizer itself tells."""
        directions = self._blueprint.directions
        if target == source or (source, target) in directions:
            return True
        if len(self._heard) == 1 or source == _ENGLISH:
            return False
        return target == _ENGLISH or (_ENGLISH, target) in directions


def _directions(languages: Collection[str] | None) -> Directions:
    within = None if languages is None else {primary(language) for language in languages}
    pairs = [pair for pair in available_pairs() if within is None or within.issuperset(pair)]
    return {pair: find_translator(*pair) for pair in pairs}
