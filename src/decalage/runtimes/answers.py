"""The utterances of one stream from their index to their answer.

::

    give() ─▶ index, credit ─▶ start() ─▶ answer() ─▶ reorderer ─▶ outbox
                                  └─ too late under overload: a gap
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from decalage.config import StreamOptions
from decalage.events import Failure, Gap, Partial, Settled
from decalage.flow.overload import Overload
from decalage.runtimes.foresight import Foresight
from decalage.runtimes.job import Job
from decalage.runtimes.ledger import Ledger
from decalage.runtimes.outbox import Outbox
from decalage.speech import MissingSound

logger = logging.getLogger(__name__)


class Answers:
    """Each index is answered once, in order. Its stream guards it with a lock; ``now``: stream clock."""

    def __init__(
        self,
        name: str,
        options: StreamOptions,
        outbox: Outbox,
        *,
        credit: int,
        mark: Callable[[str, str], None] | None = None,
    ) -> None:
        """``mark(name, detail)`` is told of each gap."""
        self.overload = Overload(options)
        self.ledger = Ledger(
            credit=credit, realtime=options.pace == "realtime", max_lag_s=self.overload.max_lag_s
        )
        self._name = name
        self._mark = mark
        self._outbox = outbox
        self._foresight = Foresight(options.stability if options.partials else None)

    def __repr__(self) -> str:
        return f"<Answers {self.ledger!r}>"

    def give(self, job: Job, now: float) -> Job | None:
        """An utterance has been cut: ``job``, if it needs work.

        A final one whose provisional has been worked on, or is being, needs no more.
        """
        utterance = job.utterance
        if not utterance.final:
            self._foresight.give(utterance)
            return None if self.overload.spares(utterance) else job
        self.ledger.issue(utterance)
        adopted = self._foresight.adopt(job)
        if isinstance(adopted, bool):
            return None if adopted else job
        self.settle(adopted, now)
        return None

    def miss(self, missing: MissingSound, now: float) -> None:
        """Sound that will not come takes an index too."""
        self.ledger.issue(missing)
        gap = Gap(missing.index, missing.start, missing.end, missing.cause, captured=missing.captured)
        self.settle(gap, now)

    def wants(self, job: Job) -> bool:
        """Whether ``job`` still waits for its answer."""
        if job.utterance.final:
            return self.ledger.is_open(job.utterance.index)
        return not self._outbox.closed and self._foresight.wants(job.utterance)

    def start(self, job: Job, now: float) -> bool:
        """``wants``; the recognition of ``job`` begins now, unless overload takes it away: a gap."""
        utterance = job.utterance
        if not self.wants(job) or self.overload.spares(utterance):
            return False
        if utterance.final and self.overload.too_late(utterance, now):
            self.settle(Gap(utterance.index, utterance.start, utterance.end, "overload"), now)
            return False
        self._foresight.start(utterance)
        return True

    def answer(self, job: Job, event: Settled, now: float) -> bool:
        """As ``RuntimeStream.answer``."""
        if job.utterance.final:
            return self.settle(event, now)
        if self._outbox.closed or self.ledger.is_answered(event.index):
            return False  # too late
        outcome = self._foresight.conclude(job.utterance, event)
        if isinstance(outcome, Partial):
            self._outbox.show(outcome)
            return True
        return outcome is not None and self.settle(outcome, now)

    def fail_open(self, error: str, now: float) -> None:
        """What is in flight becomes failures."""
        for utterance in self.ledger.unanswered:
            self.settle(Failure(utterance.index, utterance.start, utterance.end, "asr", error), now)

    def settle(self, event: Settled, now: float) -> bool:
        """The answer to an index; False if it has one already, or nobody asks any more."""
        if self._outbox.closed or self.ledger.is_answered(event.index):
            return False
        for ready in self.ledger.answer(self._foresight.settle(event), now):
            if isinstance(ready, Gap) and self._mark is not None:
                self._mark("gap", f"{self._name}: {ready.start:.1f}-{ready.end:.1f} s ({ready.cause})")
            self._outbox.put(ready)
        return True

    def look(self, now: float, behind_s: float) -> None:
        """The stream is so late; what is given up or taken back because of that is told."""
        changed = self.overload.observe(now, behind_s)
        if changed is not None and not self._outbox.closed:
            logger.info("%s is %.1f s behind; given up: %s", self._name, behind_s, changed.shedding)
            self._outbox.tell(changed)

    def close_if_balanced(self) -> None:
        """No utterance comes any more: end once all have been answered."""
        if self.ledger.balanced and not self._outbox.closed:
            if (breach := self.ledger.end()) is not None:
                logger.error("%s does not add up: %s", self._name, breach)
            self._outbox.close()
