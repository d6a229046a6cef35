"""Deadlines in virtual time, earliest first, and in the order they were set where they tie."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

DIGITS = 9
"""Deadlines are kept to the nanosecond, so that 0.1 + 0.2 and 0.3 are one moment."""


class Timer:
    """A call that is due at a moment of virtual time."""

    __slots__ = ("cancelled", "fire", "group", "release", "when")

    def __init__(
        self,
        when: float,
        fire: Callable[[], object],
        release: Callable[[float], object],
        group: object = None,
    ) -> None:
        """Describe the call.

        Args:
            when: the moment, in seconds since the clock began.
            fire: wakes whoever waits for it.
            release: hands the rest of the wait over to real time, when the clock ends first.
            group: the loop that keeps the order of its timers by itself, so that those of one
                moment fire together.
        """
        self.when = round(when, DIGITS)
        self.fire = fire
        self.release = release
        self.group = group
        self.cancelled = False


class Timers:
    """A heap of timers; not thread-safe, the clock's lock guards it."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()

    def add(self, timer: Timer) -> None:
        """Keep a timer until it is popped or cancelled."""
        heapq.heappush(self._heap, (timer.when, next(self._order), timer))

    def first(self) -> Timer | None:
        """Return the earliest timer that is not cancelled."""
        while self._heap and self._heap[0][2].cancelled:
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def pop(self) -> list[Timer]:
        """Remove and return the earliest timer, and those of its group that follow at once."""
        due = [heapq.heappop(self._heap)[2]]
        while due[0].group is not None:
            following = self.first()
            if following is None or (following.when, following.group) != (
                due[0].when,
                due[0].group,
            ):
                break
            due.append(heapq.heappop(self._heap)[2])
        return due

    def clear(self) -> list[Timer]:
        """Remove all timers and return the live ones in order."""
        timers = [timer for _, _, timer in sorted(self._heap) if not timer.cancelled]
        self._heap.clear()
        return timers
