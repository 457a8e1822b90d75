"""What the tests of the server share: a booth whose engines are fakes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from decalage.app.server.booth import Wish
from decalage.app.server.hall import Hall
from decalage.app.server.protocol import Config, Limits
from decalage.app.server.session import Session
from decalage.config import RecognizerOptions, RuntimeOptions, StreamOptions
from decalage.errors import UnsupportedPairError
from decalage.events import Settled, Start
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.runtimes.stream import RuntimeStream
from decalage.testing import ManualClock
from decalage.testing.engines import FakeBlueprint

PAIRS = {"en": ("en", "pt", "es"), "pt": ("pt", "en")}


@dataclass
class FakeBooth:
    """Implements ``hall.Interpreting`` over a real runtime; ``asked`` keeps the targets of each options."""

    runtime: LocalRuntime
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def options(self, wish: Wish) -> StreamOptions:
        source, targets = wish.source or "en", wish.targets or ("pt",)
        for target in targets:
            if target not in PAIRS.get(source, ()):
                raise UnsupportedPairError(f"no {source} to {target}")
        self.asked.append(targets)
        return StreamOptions(
            targets=targets,
            recognizer=RecognizerOptions(language=source),
            pace="realtime",
            partials=bool(wish.partials),
        )

    def start_event(self, wish: Wish, given: str) -> Start:
        return Start(
            source=wish.source or "en",
            targets=wish.targets or ("pt",),
            runtime="pipeline",
            workers=1,
            threads=1,
            model="fake",
            beam=1,
            engine="fake",
            encoder_window="auto",
            end_silence=0.5,
            partials=bool(wish.partials),
            stability="balanced",
            pace="realtime",
            input=given,
        )

    def open(self, options: StreamOptions) -> RuntimeStream:
        return self.runtime.open(options)

    def languages(self) -> dict[str, object]:
        pairs = [[source, target] for source, targets in PAIRS.items() for target in targets]
        return {"from": list(PAIRS), "to": ["en", "es", "pt"], "pairs": pairs}


def fake_booth(blueprint: FakeBlueprint | None = None, **options: int) -> FakeBooth:
    return FakeBooth(PipelineRuntime(blueprint or FakeBlueprint(), RuntimeOptions(**options)))


def read_out(session: Session, clock: ManualClock) -> list[Settled]:
    """Everything the stream of ``session`` has to say, told to it; for a session that has ended."""
    clock.advance(60)
    session.due()  # what came in a burst has been heard by now
    for event in session.stream:
        session.told(event)
    session.over()
    return [event for event in session.replay.settled() if isinstance(event, Settled)]


def hall_of(booth: FakeBooth, clock: ManualClock, **limits: float) -> Hall:
    return Hall(booth, replace(Limits(), **limits), clock=clock)  # type: ignore[arg-type]


CONFIG = Config(source="en", targets=("pt",))
