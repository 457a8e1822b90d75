"""Fakes, gates and a manual clock for tests of decalage and of programs built on it."""

from decalage.testing.clock import ManualClock

__all__ = ["ManualClock"]
