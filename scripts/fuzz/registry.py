"""All that is fuzzed."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.fuzz import addresses, archive, captions, files, forms, journal, messages, models, sound
from scripts.fuzz.target import Target

_MODULES = (messages, addresses, forms, sound, files, archive, journal, models, captions)

TARGETS: Mapping[str, Target] = {target.name: target for module in _MODULES for target in module.TARGETS}
"""By name."""
