"""What the actors of a Ray runtime are: how many calls a node has room for, and how one is made there."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from decalage.config import ClusterOptions
from decalage.contracts import StageBlueprint
from decalage.errors import NoRoomError
from decalage.runtimes.deadlines import START_LIMIT_S
from decalage.runtimes.ray_actor import Actor, Needs, Node
from decalage.runtimes.ray_cluster import Connection
from decalage.runtimes.ray_services import RecognizerService
from decalage.runtimes.remote import TranslatorService

logger = logging.getLogger(__name__)

_TRANSLATOR_CPUS = 0.2
"""Of what a runtime takes of a node; the recognizer has the rest."""


@dataclass(frozen=True, slots=True)
class Recognizers:
    """``ray_fleet.Crew`` that recognizes."""

    connection: Connection
    blueprint: StageBlueprint
    workers: int
    """Recognitions at a time on a node."""
    share: ClusterOptions
    stage: str = "recognition"

    def seats(self, node: Node) -> int:
        if self.share.gpu and node.gpus < 1:
            return 0
        if self.connection.local:
            return self.workers
        room = int(node.cpus // self.share.threads)
        return room if self.share.fill else min(self.workers, room)

    def hire(self, node: Node) -> Actor:
        calls = self.seats(node)
        cpus = 0.0 if self.connection.local else calls * self.share.threads - _TRANSLATOR_CPUS
        return self.connection.actor("recognizer", node, Needs(cpus, float(self.share.gpu), calls))

    def load(self, actor: Actor, node: Node) -> int:
        """Where a node is to be filled and has less memory than processors, its memory says how far."""
        seats = wanted = self.seats(node)
        while True:
            try:
                actor.load(RecognizerService, self.blueprint, seats, limit_s=START_LIMIT_S)
            except NoRoomError as full:
                if not self.share.fill or not 0 < full.fits < seats:
                    raise
                seats = full.fits
            else:
                break
        if seats < wanted:
            told = "%s has memory for %d of %d recognitions at a time: it is given so many"
            logger.warning(told, node.host, seats, wanted)
        return seats


@dataclass(frozen=True, slots=True)
class Translators:
    """``ray_fleet.Crew`` that translates, wherever there is a recognizer."""

    recognizers: Recognizers
    stage: str = "translation"

    def seats(self, node: Node) -> int:
        return min(1, self.recognizers.seats(node))

    def hire(self, node: Node) -> Actor:
        connection = self.recognizers.connection
        return connection.actor("translator", node, Needs(0 if connection.local else _TRANSLATOR_CPUS, 0, 1))

    def load(self, actor: Actor, node: Node) -> int:
        actor.load(TranslatorService, self.recognizers.blueprint, limit_s=START_LIMIT_S)
        return self.seats(node)
