"""Errors of the runner: each says what happened and what to do."""

from __future__ import annotations


class GateError(RuntimeError):
    """A gate was used in a way that cannot work."""


class HoldRefusedError(GateError):
    """A task cannot be held, because its client waits for it."""


class DrainLimitError(GateError):
    """Draining did not come to an end: tasks keep scheduling tasks."""


class GateTimeoutError(GateError):
    """A released task did not end in time."""
