"""When virtual time may move, and who wakes when it does."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from bgcheck.runner.clock._patching import ClockPatches
from bgcheck.runner.clock._sleeps import Sleep
from bgcheck.runner.clock._state import MARK, Mark, label_here
from bgcheck.runner.clock._threads import Job, Threads
from bgcheck.runner.clock._timers import DIGITS, Timer, Timers
from bgcheck.runner.clock._watch import LoopWatch, Rest

if TYPE_CHECKING:
    from bgcheck.recorder.record import Site

Scope = Literal["tasks", "all"]


class Core:
    """Timers, loops and threads of one clock; every method may be called from any thread."""

    def __init__(self, scope: Scope, *, auto: bool, patience: float) -> None:
        """Take the options of `VirtualClock`."""
        self.scope: Scope = scope
        self.auto = auto
        self.pausing: bool = False
        self.patience = patience
        self.lock = threading.RLock()
        self.now = 0.0
        self.on = False
        self.threads = Threads()
        self.watches: list[LoopWatch] = []
        self.patches = ClockPatches()
        self.sleeps: list[Sleep] = []
        self.moved: list[Callable[[float], object]] = []
        self._timers = Timers()
        self._target: float | None = None
        self._waiters: list[Callable[[], object]] = []
        self._reached = threading.Condition(self.lock)
        self._stepping = False

    # --- timers ---

    def add(self, timer: Timer) -> None:
        """Set a timer; what is due already fires at the next rest."""
        with self.lock:
            if not self.on:
                timer.release(max(0.0, timer.when - self.now))
                return
            self._timers.add(timer)
            self._poke_unknown()
        self.step()

    def record(self, call: str, seconds: float, site: Site | None) -> None:
        """Keep a sleep that begins now."""
        with self.lock:
            self.sleeps.append(Sleep(label_here(), call, seconds, self.now, site))

    @property
    def restless(self) -> bool:
        """Whether anything waits for time to move."""
        return self._target is not None or self._timers.first() is not None

    def stop(self) -> None:
        """Hand what is left over to real time."""
        with self.lock:
            self.on = False
            left = self._timers.clear()
            self._target = None
            self._tell_reached()
        for timer in left:
            timer.release(max(0.0, timer.when - self.now))

    # --- moving ---

    def step(self) -> None:
        """Move to the next deadline, if everything is at rest."""
        with self.lock:
            if self._stepping:
                return
            self._stepping = True
            try:
                while self.on and self._at_rest() and self._move_once():
                    pass
            finally:
                self._stepping = False

    def _at_rest(self) -> bool:
        if self.threads.busy(self._runs_loop):
            return False
        live = (watch for watch in self.watches if watch.live())
        return all(watch.blocked or watch.rest is Rest.ASLEEP for watch in live)

    def _move_once(self) -> bool:
        timer = self._timers.first()
        target = self._target
        if target is not None and (timer is None or timer.when > target):
            self._move_to(target)
            self._target = None
            self._tell_reached()
            return True
        if timer is None or math.isinf(timer.when):
            return False
        if not self.auto and timer.when > (self.now if target is None else target):
            return False
        self._move_to(timer.when)
        for due in self._timers.pop():
            due.fire()
        return True

    def _move_to(self, moment: float) -> None:
        distance = round(moment - self.now, DIGITS)
        if distance > 0:
            self.now = moment
            for callback in self.moved:
                callback(distance)

    # --- loops ---

    def blockers(self) -> list[str]:
        """Describe what keeps time from moving."""
        with self.lock:
            jobs = [str(job) for job in self.threads.busy(self._runs_loop)]
            live = [watch for watch in self.watches if watch.live()]
            return sorted(jobs) + [line for watch in live for line in watch.blockers()]

    def _runs_loop(self, thread: int) -> bool:
        return any(w.thread == thread and (w.live() or w.blocked) for w in self.watches)

    def _poke_unknown(self) -> None:
        for watch in list(self.watches):
            if watch.rest is Rest.UNKNOWN and watch.live():
                watch.poke()

    def _watch_here(self) -> LoopWatch | None:
        here = threading.get_ident()
        return next((w for w in self.watches if w.thread == here and w.live()), None)

    # --- advance ---

    def head_for(self, seconds: float) -> None:
        """Let time move by `seconds` from where it stands, or from where it is going."""
        with self.lock:
            start = self.now if self._target is None else self._target
            self._target = round(start + seconds, DIGITS)
            self._poke_unknown()
        self.step()

    @property
    def reached(self) -> bool:
        """Whether time has got where it was sent."""
        return self._target is None

    def when_reached(self, callback: Callable[[], object]) -> None:
        """Call back once time has got where it was sent; at once if it has."""
        with self.lock:
            if self._target is not None:
                self._waiters.append(callback)
                return
        callback()

    def wait_reached(self, limit: float) -> bool:
        """Wait `limit` seconds of real time at most; return whether time has got there."""
        with self._reached:
            return self._reached.wait_for(lambda: self.reached, limit)

    def give_up(self) -> None:
        """Let time stand where it is."""
        with self.lock:
            self._target = None
            self._waiters.clear()

    def _tell_reached(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter()
        self._reached.notify_all()

    # --- threads ---

    def sleep_thread(self, seconds: float, site: Site | None) -> None:
        """Sleep in the calling thread until time has moved by `seconds`."""
        woken = threading.Event()
        job = self.threads.of_thread.get(threading.get_ident())
        watch = self._watch_here()

        def wake(_left: float = 0.0) -> None:
            self._sleeping(job, watch, asleep=False)
            woken.set()

        with self.lock:
            timer = Timer(self.now + seconds, wake, wake)
            self.record("time.sleep", seconds, site)
            self._sleeping(job, watch, asleep=True)
            self.add(timer)
        try:
            woken.wait()
        finally:
            timer.cancelled = True
            self._sleeping(job, watch, asleep=False)

    def _sleeping(self, job: Job | None, watch: LoopWatch | None, *, asleep: bool) -> None:
        with self.lock:
            if job is not None:
                job.asleep = asleep
            if watch is not None:
                watch.blocked = asleep
                watch.rest = Rest.UNKNOWN

    def new_job(self, pool: object = None) -> Job:
        """Note that the calling code hands a call to a worker thread."""
        job = Job(self, MARK.get() or Mark(self, ""), pool)
        with self.lock:
            self.threads.jobs.add(job)
        return job

    def job_started(self, job: Job) -> None:
        """Note that a call begins in this thread."""
        with self.lock:
            self.threads.start(job, threading.get_ident())
            self._look_again()

    def job_ended(self, job: Job) -> None:
        """Note that a call is over: its loop will hear of it."""
        with self.lock:
            self.threads.end(job)
            self._look_again()
        self.step()

    def _look_again(self) -> None:
        """What the loops know of their tasks is out of date: a job of theirs has moved on."""
        for watch in self.watches:
            watch.rest = Rest.UNKNOWN
        if self.restless:
            self._poke_unknown()

    @contextmanager
    def waiting(self, job: Job, answered: Callable[[], bool]) -> Iterator[None]:
        """Note that a job waits for something other than its own code."""
        with self.lock:
            before, job.answered = job.answered, answered
        self.step()
        try:
            yield
        finally:
            job.answered = before
