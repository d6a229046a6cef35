"""The two objects that a run of trio asks for the time, with virtual time for some of its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from bgcheck.runner.clock._timers import Timer
    from bgcheck.runner.clock._trio import TrioWatch


def current_task() -> Any:
    """Return the trio task that runs in this thread, or None."""
    try:
        return trio.lowlevel.current_task()
    except RuntimeError:
        return None


class TaskClock(trio.abc.Clock):
    """A run's clock that shows virtual time to tasks that take it."""

    def __init__(self, real: Any, watch: TrioWatch) -> None:
        self._real = real
        self._watch = watch

    def start_clock(self) -> None:
        self._real.start_clock()

    def current_time(self) -> float:
        task = current_task()
        if task is not None and task in self._watch:
            return self._watch.time()
        return self._real.current_time()  # type: ignore[no-any-return]

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return self._real.deadline_to_sleep_time(deadline)  # type: ignore[no-any-return]


class TaskDeadlines:
    """A run's deadlines: virtual ones go to the virtual clock, the others where they belong."""

    def __init__(self, real: Any, watch: TrioWatch) -> None:
        self._real = real
        self._watch = watch
        self._timers: dict[Any, Timer] = {}

    def add(self, deadline: float, scope: Any) -> None:
        task = current_task()
        if task is None or task not in self._watch:
            self._real.add(deadline, scope)
            return
        self._timers[scope] = self._watch.set_deadline(deadline, scope, self._expire)

    def remove(self, deadline: float, scope: Any) -> None:
        timer = self._timers.pop(scope, None)
        if timer is None:
            self._real.remove(deadline, scope)
        else:
            timer.cancelled = True

    def next_deadline(self) -> float:
        return self._real.next_deadline()  # type: ignore[no-any-return]

    def expire(self, now: float) -> bool:
        return self._real.expire(now)  # type: ignore[no-any-return]

    def _expire(self, scope: Any, timer: Timer) -> None:
        if self._timers.get(scope) is timer and not timer.cancelled:
            scope.cancel()

    def hand_over(self, scope: Any, timer: Timer, left: float) -> None:
        """Give the scope what is left of its time as real time."""
        if self._timers.pop(scope, None) is timer:
            deadline = self._real_time() + left
            scope._deadline = scope._registered_deadline = deadline  # noqa: SLF001
            self._real.add(deadline, scope)

    def _real_time(self) -> float:
        return float(self._watch.real_clock.current_time())
