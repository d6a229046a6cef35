"""Virtual time in asyncio and uvloop loops."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from bgcheck.runner.clock._asyncio_waits import (
    Waits,
    foreign_threads,
    open_transports,
    real_timer_within,
)
from bgcheck.runner.clock._sleeps import sleep_site
from bgcheck.runner.clock._state import running
from bgcheck.runner.clock._timers import Timer
from bgcheck.runner.clock._waits import WORDS, Wait
from bgcheck.runner.clock._watch import Patience, Rest

if TYPE_CHECKING:
    from bgcheck.runner.clock._core import Core
    from bgcheck.runner.clock._threads import Job

ORIGINAL = "__bgcheck_original__"
"""Attribute of a patched method that holds the one below it."""


def unpatched(loop: Any, name: str) -> Callable[..., Any]:
    """Return the loop's own method, below the one that takes virtual time."""
    method = getattr(type(loop), name)
    return getattr(method, ORIGINAL, method).__get__(loop)  # type: ignore[no-any-return]


class Quiet:
    """A call of the clock's own, which is no activity of the loop."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback = callback

    def __call__(self) -> None:
        self.callback()


class VirtualHandle(asyncio.TimerHandle):
    """A call that is due in virtual time."""

    timer: Timer

    def cancel(self) -> None:
        """Cancel the call."""
        self.timer.cancelled = True
        asyncio.Handle.cancel(self)

    def fire(self) -> None:
        """Call, unless it was cancelled meanwhile."""
        if not self.cancelled():
            self._run()


class AsyncioWatch:
    """One loop: its tasks in virtual time, and how far it is from rest.

    The loop is looked at by a call put at the end of its queue: where nothing else was queued
    until that call ran, nothing can run any more by itself.
    """

    def __init__(self, core: Core, loop: asyncio.AbstractEventLoop) -> None:
        self.core = core
        self.loop = loop
        self.rest = Rest.UNKNOWN
        self.blocked = False
        self.thread = threading.get_ident()
        self.tasks: WeakSet[Any] = WeakSet()
        self.jobs: WeakKeyDictionary[Any, Job] = WeakKeyDictionary()
        self.base = float(math.floor(unpatched(loop, "time")()))
        self._sleeping: WeakSet[Any] = WeakSet()
        self._turn = 0
        self._probing = False
        self._watching = False
        self._patience = Patience(core.patience, self.poke)
        self._known_threads = frozenset(threading.enumerate())
        self.waits = Waits(self, self._sleeping, self.jobs, core.threads.of_future)

    def __contains__(self, task: object) -> bool:
        """Whether a task takes virtual time."""
        if self.core.scope == "all":
            return isinstance(task, asyncio.Task)
        return task in self.tasks

    def virtual_tasks(self) -> list[Any]:
        """Return the tasks that take virtual time and are not done."""
        tasks = asyncio.all_tasks(self.loop) if self.core.scope == "all" else list(self.tasks)
        return [task for task in tasks if not task.done()]

    def live(self) -> bool:
        """Whether the loop has tasks that take virtual time, and runs, or stands still to go on."""
        if self.loop.is_closed() or not (self.core.pausing or self.loop.is_running()):
            return False
        tasks = asyncio.all_tasks(self.loop) if self.core.scope == "all" else self.tasks
        return any(not task.done() for task in tasks)

    def add_task(self, task: Any) -> None:
        """Note a task that takes virtual time."""
        with self.core.lock:
            self.tasks.add(task)
        self.activated()

    # --- activity ---

    def activated(self) -> None:
        """Note that something was queued."""
        with self.core.lock:
            self._turn += 1
            self.rest = Rest.UNKNOWN
            self._patience.reset()
            if self.core.restless:
                self.poke()

    def outside_activity(self) -> None:
        """Note that a task in real time was queued, which a task in virtual time may wait for."""
        if self._watching:
            self.poke()

    def poke(self) -> None:
        """Look again, after what is queued by now."""
        with self.core.lock:
            if self._probing or self.loop.is_closed():
                return
            self._probing = True
            self.notify(partial(self._probe, self._turn))

    def notify(self, callback: Callable[[], object]) -> None:
        """Call back in the loop's thread."""
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            unpatched(self.loop, "call_soon_threadsafe")(Quiet(callback), context=Context())

    def _probe(self, turn: int) -> None:
        with self.core.lock:
            self.thread = threading.get_ident()
            self._probing = False
            if running.core is not self.core:
                return
            if turn != self._turn:
                self.poke()
                return
            self.rest = self._look()
        self.core.step()

    # --- rest ---

    def _look(self) -> Rest:
        waits = [self.waits.of(task) for task in self.virtual_tasks()]
        worst = max(waits, default=Wait.VIRTUAL)
        self._watching = worst in (Wait.PROGRAM, Wait.REAL)
        if worst >= Wait.REAL:
            return Rest.BUSY
        if worst is Wait.PROGRAM and self._outside() and not self._patience.over():
            return Rest.BUSY
        return Rest.ASLEEP

    def _outside(self) -> bool:
        """Whether code in real time could wake a task of this loop soon."""
        return (
            any(self.waits.of(task) >= Wait.REAL for task in self._real_tasks())
            or real_timer_within(self.loop, self.core.patience)
            or open_transports(self.loop)
            or foreign_threads(self._known_threads, {d.thread for d in self.core.watches})
        )

    def _real_tasks(self) -> list[Any]:
        return [task for task in asyncio.all_tasks(self.loop) if task not in self]

    def blockers(self) -> list[str]:
        """Describe the tasks that keep time from moving."""
        described = [(task, self.waits.of(task)) for task in self.virtual_tasks()]
        return [f"{task.get_name()}: {WORDS[wait]}" for task, wait in described if wait in WORDS]

    # --- timers ---

    def time(self) -> float:
        """Return the loop's time as tasks in virtual time see it."""
        return self.base + self.core.now

    def call_in(
        self, delay: float, callback: Any, args: tuple[Any, ...], context: Context | None
    ) -> VirtualHandle:
        """Set a call that is due after `delay` seconds of virtual time."""
        when = self.core.now + delay
        context = context if context is not None else copy_context()
        handle = VirtualHandle(self.base + when, callback, args, self.loop, context)
        is_sleep = getattr(callback, "__name__", "") == "_set_result_unless_cancelled"
        handle.timer = Timer(
            when,
            lambda: self._fire(handle),
            lambda left: self._release(handle, 0.0 if is_sleep else left),
            group=self,
        )
        if is_sleep:
            self._sleeping.add(args[0])
            self.core.record("asyncio.sleep", delay, sleep_site())
        self.activated()
        self.core.add(handle.timer)
        return handle

    def _fire(self, handle: VirtualHandle) -> None:
        self._turn += 1
        self.rest = Rest.UNKNOWN
        self.notify(handle.fire)
        self.poke()

    def _release(self, handle: VirtualHandle, left: float) -> None:
        self.notify(partial(self.loop.call_later, left, handle.fire))

    def restore(self) -> None:
        """Nothing was replaced in the loop itself."""


def watch_of(core: Core, loop: asyncio.AbstractEventLoop) -> AsyncioWatch:
    """Return what the clock knows of a loop; new loops are noted."""
    with core.lock:
        for watch in core.watches:
            if isinstance(watch, AsyncioWatch) and watch.loop is loop:
                return watch
        watch = AsyncioWatch(core, loop)
        core.watches.append(watch)
    from bgcheck.runner.clock._anyio import patch_anyio

    patch_anyio(core.patches)
    return watch


def known_watch(loop: object) -> AsyncioWatch | None:
    """Return what the running clock knows of a loop."""
    core = running.core
    for watch in core.watches if core is not None else ():
        if isinstance(watch, AsyncioWatch) and watch.loop is loop:
            return watch
    return None
