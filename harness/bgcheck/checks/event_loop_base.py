"""What the checks of BG5 share."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from bgcheck.checks.base import Check

if TYPE_CHECKING:
    from bgcheck.recorder.record import ScheduledTask


class LoopCheck(Check):
    """A check that must know which thread runs the event loop of a task."""

    def is_on_loop(self, task: ScheduledTask) -> bool:
        """Whether this thread is the one that runs the event loop of a task."""
        return task.loop_thread == threading.get_ident()


class Once:
    """Tells the first time of something in each task."""

    def __init__(self) -> None:
        self._seen: weakref.WeakKeyDictionary[ScheduledTask, set[object]] = (
            weakref.WeakKeyDictionary()
        )

    def is_first(self, task: ScheduledTask, thing: object = None) -> bool:
        """Whether this thing comes for the first time in a task. Things are text and numbers."""
        seen = self._seen.setdefault(task, set())
        known = thing in seen
        seen.add(thing)
        return not known
