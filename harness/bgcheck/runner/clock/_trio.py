"""Virtual time in runs of trio.

trio asks two objects of a run for the time: its clock, and the list of deadlines. Both are wrapped,
so that cancel scopes entered by tasks in virtual time have virtual deadlines, and the others real
ones, in one run.
"""

from __future__ import annotations

import contextlib
import math
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import trio
import trio.testing

from bgcheck.runner.clock._errors import mock_clock
from bgcheck.runner.clock._sleeps import sleep_site
from bgcheck.runner.clock._state import MARK, running
from bgcheck.runner.clock._timers import DIGITS, Timer
from bgcheck.runner.clock._trio_waits import Waits
from bgcheck.runner.clock._trio_wraps import TaskClock, TaskDeadlines, current_task
from bgcheck.runner.clock._waits import WORDS, Wait, module_of
from bgcheck.runner.clock._watch import Patience, Rest

if TYPE_CHECKING:
    from bgcheck.runner.clock._core import Core
    from bgcheck.runner.clock._threads import Job


class TrioWatch(trio.abc.Instrument):
    """One run of trio: its tasks in virtual time, and how far it is from rest.

    trio announces the moment at which no task can run any more: `before_io_wait`.
    """

    def __init__(self, core: Core, runner: Any) -> None:
        self.core: Core = core
        self.runner = runner
        self.rest = Rest.UNKNOWN
        self.blocked = False
        self.thread = threading.get_ident()
        self.jobs: WeakKeyDictionary[Any, Job] = WeakKeyDictionary()
        self.real_clock: Any = runner.clock
        self._base: float | None = None
        self._real_deadlines: Any = runner.deadlines
        self._scheduled: set[Any] = set()
        self._under_way = 0
        self._poked = False
        self._over = False
        self._patience = Patience(core.patience, self.poke)
        self.waits = Waits(self, self._scheduled, self.jobs)
        self.deadlines = TaskDeadlines(runner.deadlines, self)
        runner.clock = TaskClock(runner.clock, self)
        runner.deadlines = self.deadlines
        runner.instruments.add_instrument(self)

    def __contains__(self, task: Any) -> bool:
        """Whether a task takes virtual time."""
        if running.core is not self.core:
            return False
        if self.core.scope == "all":
            return not self._is_system(task)
        mark = task.context.get(MARK)
        return mark is not None and mark.core is self.core

    def _is_system(self, task: Any) -> bool:
        """Whether a task is one that trio runs for itself."""
        frame = getattr(task.coro, "cr_frame", None)
        return task.parent_nursery is None or (
            frame is not None and module_of(frame).startswith("trio._core.")
        )

    def tasks(self, *, virtual: bool) -> list[Any]:
        """Return the tasks that take virtual time, or the others; without trio's own."""
        return [
            task
            for task in list(self.runner.tasks)
            if not self._is_system(task) and (task in self) is virtual
        ]

    def live(self) -> bool:
        """Whether the run goes on and has tasks that take virtual time."""
        return not self._over and bool(self.tasks(virtual=True))

    def poke(self) -> None:
        """Have trio come by its idle point again."""
        with self.core.lock:
            if not self._poked:
                self._poked = True
                self.notify(self._unpoke)

    def _unpoke(self) -> None:
        self._poked = False

    def notify(self, callback: Callable[[], object]) -> None:
        """Call back in trio's thread; until that is done, the run is not at rest."""
        with self.core.lock:
            self._under_way += 1
            self.rest = Rest.UNKNOWN
        try:
            self.runner.entry_queue.run_sync_soon(self._call, callback)
        except trio.RunFinishedError:
            self._over = True

    def _call(self, callback: Callable[[], object]) -> None:
        with self.core.lock:
            self._under_way -= 1
        callback()

    # --- what trio announces ---

    def task_scheduled(self, task: Any) -> None:
        """A task will run: the loop is not at rest."""
        with self.core.lock:
            self._scheduled.add(task)
            self.waits.forget(task)
            if task in self:
                self.rest = Rest.UNKNOWN
                self._patience.reset()

    def before_task_step(self, task: Any) -> None:
        """A task runs."""
        self._scheduled.discard(task)

    def before_io_wait(self, timeout: float) -> None:
        """Nothing can run, or only tasks in real time: look how far it is from rest."""
        with self.core.lock:
            self.thread = threading.get_ident()
            if running.core is not self.core or not self.core.restless:
                return
            self.rest = Rest.BUSY if self._under_way else self._look()
        self.core.step()

    def after_run(self) -> None:
        """The run is over."""
        self._over = True
        self.core.step()

    # --- rest ---

    def _look(self) -> Rest:
        worst = max(map(self.waits.of, self.tasks(virtual=True)), default=Wait.VIRTUAL)
        if worst >= Wait.REAL:
            return Rest.BUSY
        if worst is Wait.PROGRAM and self._outside() and not self._patience.over():
            return Rest.BUSY
        return Rest.ASLEEP

    def _outside(self) -> bool:
        return any(self.waits.of(task) >= Wait.REAL for task in self.tasks(virtual=False))

    def blockers(self) -> list[str]:
        """Describe the tasks that keep time from moving."""
        waits = [(task, self.waits.of(task)) for task in self.tasks(virtual=True)]
        return sorted(f"{task.name}: {WORDS[wait]}" for task, wait in waits if wait in WORDS)

    # --- timers ---

    def time(self) -> float:
        """Return trio's time as tasks in virtual time see it."""
        return self.base + self.core.now

    @property
    def base(self) -> float:
        """Trio's time at the beginning of virtual time: a whole number, so that sums are exact."""
        if self._base is None:
            self._base = float(math.floor(self.real_clock.current_time()))
        return self._base

    def set_deadline(
        self, deadline: float, scope: Any, expire: Callable[[Any, Timer], None]
    ) -> Timer:
        """Have a cancel scope of the running task expire in virtual time."""
        is_sleep = _is_sleep()
        timer = Timer(
            deadline - self.base,
            lambda: self.notify(partial(expire, scope, timer)),
            lambda left: self._here_or_soon(
                partial(self.deadlines.hand_over, scope, timer, 0.0 if is_sleep else left)
            ),
        )
        if is_sleep:
            self.core.record("trio.sleep", round(timer.when - self.core.now, DIGITS), sleep_site())
        with self.core.lock:
            self.rest = Rest.UNKNOWN
        self.core.add(timer)
        return timer

    def restore(self) -> None:
        """Put the run's own clock and deadlines back, in trio's thread."""
        if not self._over:
            self._here_or_soon(self._restore)

    def _restore(self) -> None:
        self.runner.clock = self.real_clock
        self.runner.deadlines = self._real_deadlines
        with contextlib.suppress(KeyError):
            self.runner.instruments.remove_instrument(self)

    def _here_or_soon(self, callback: Callable[[], object]) -> None:
        if threading.get_ident() == self.thread and current_task() is not None:
            callback()
        else:
            self.notify(callback)


def _is_sleep() -> bool:
    """Whether the scope that is being entered is the one of `trio.sleep`."""
    frame: Any = sys._getframe(1)  # noqa: SLF001
    while frame is not None and frame.f_globals.get("__name__", "").startswith(
        ("trio._core", "bgcheck.", "contextlib")
    ):
        frame = frame.f_back
    return (
        frame is not None
        and frame.f_globals.get("__name__") == "trio._timeouts"
        and frame.f_code.co_name == "sleep_until"
    )


def watch_here(core: Core) -> TrioWatch:
    """Return what the clock knows of the current run; a new run is noted."""
    from trio._core._run import GLOBAL_RUN_CONTEXT

    runner = GLOBAL_RUN_CONTEXT.runner
    if isinstance(runner.clock, trio.testing.MockClock):
        raise mock_clock()
    with core.lock:
        for watch in core.watches:
            if isinstance(watch, TrioWatch) and watch.runner is runner:
                return watch
        watch = TrioWatch(core, runner)
        core.watches.append(watch)
    return watch
