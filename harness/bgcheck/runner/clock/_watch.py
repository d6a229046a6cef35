"""What the clock sees of an event loop, and how long it lets real time run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Protocol


class Rest(IntEnum):
    """How far an event loop is from having nothing to do until virtual time moves."""

    ASLEEP = 0
    """Everything in it waits for virtual time."""
    BUSY = 1
    """Something in it runs, can run, or waits for something real."""
    UNKNOWN = 2
    """It has run since it was looked at."""


class LoopWatch(Protocol):
    """One event loop as the clock sees it; the clock's lock guards it."""

    rest: Rest
    blocked: bool
    """Whether its thread is inside a virtual `time.sleep`, so that nothing in it can run."""
    thread: int

    def live(self) -> bool:
        """Whether it runs now and has tasks that take virtual time."""
        ...

    def poke(self) -> None:
        """Have it look again how far it is from rest; called from any thread."""

    def notify(self, callback: Callable[[], object]) -> None:
        """Call back in the loop's thread; called from any thread."""

    def blockers(self) -> list[str]:
        """Describe what in it keeps time from moving."""
        ...

    def restore(self) -> None:
        """Put back what was replaced in the loop itself."""


class Patience:
    """How long a wait may last in real time before it counts as one for virtual time."""

    def __init__(self, seconds: float, again: Callable[[], None]) -> None:
        """Start at rest.

        Args:
            seconds: of real time.
            again: called once they have passed, to look again.
        """
        self._seconds = seconds
        self._again = again
        self._since: float | None = None

    def reset(self) -> None:
        """The wait is over; the next one has the whole time."""
        self._since = None

    def over(self) -> bool:
        """Whether the wait, which begins with the first question, has lasted long enough."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
            after_real_time(self._seconds, self._again)
        return now - self._since >= self._seconds


def after_real_time(seconds: float, callback: Callable[[], None]) -> threading.Timer:
    """Call back after seconds of real time, whatever time the loops take."""
    timer = threading.Timer(seconds, callback)
    timer.daemon = True
    timer.start()
    return timer
