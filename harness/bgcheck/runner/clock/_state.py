"""Which code takes virtual time: the running clock, and the context variable that marks a task."""

from __future__ import annotations

from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bgcheck.runner.clock._core import Core


class Mark(NamedTuple):
    """What marks a context as virtual."""

    core: Core
    label: str


class _Running:
    core: Core | None = None


running = _Running()
"""The clock whose block is entered; one per process, because `time.sleep` is one per process."""

MARK: ContextVar[Mark | None] = ContextVar("bgcheck_virtual_time", default=None)


def core_here(context: Context | None = None) -> Core | None:
    """Return the clock that the calling code, or `context`, takes its time from; None: real time.

    A mark of a clock that is over counts for nothing, so a task that outlives its block goes on in
    real time, and so does a wrapper that somebody saved.
    """
    core = running.core
    if core is None or core.scope == "all":
        return core
    mark = MARK.get() if context is None else context.get(MARK)
    return core if mark is not None and mark.core is core else None


def label_here() -> str:
    """Return the label of the task whose context this is; empty outside tasks."""
    mark = MARK.get()
    return mark.label if mark is not None else ""
