"""Virtual `time.sleep`, and the worker threads that count as busy."""

from __future__ import annotations

import inspect
import operator
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from bgcheck.instrument.captured import holders
from bgcheck.runner.clock._patching import ClockPatches, replace_captured
from bgcheck.runner.clock._sleeps import sleep_site
from bgcheck.runner.clock._state import MARK, Mark, core_here, running

if TYPE_CHECKING:
    from bgcheck.runner.clock._core import Core


class Job:
    """A call in a thread that takes virtual time.

    It counts as busy from its first line to its last, except while it sleeps in virtual time or
    waits for something that virtual time may have to bring about.
    """

    def __init__(self, core: Core, mark: Mark, pool: object = None) -> None:
        """Describe a call that was handed over and has not started."""
        self.core = core
        self.mark = mark
        self.pool = pool
        self.thread: int | None = None
        self.outer: Job | None = None
        """The job inside which it runs, in the same thread."""
        self.ended = False
        self.asleep = False
        self.answered: Callable[[], bool] | None = None
        """Tells whether what the thread waits for is there; None while it waits for nothing."""

    @property
    def running(self) -> bool:
        """Whether its first line was reached, and its last was not."""
        return self.thread is not None and not self.ended

    def __str__(self) -> str:
        state = "running in a worker thread" if self.running else "waiting for a worker thread"
        return f"{self.mark.label or 'a call'}: {state}"

    def bind(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, made to report when it starts and ends."""

        def call(*args: Any, **kwargs: Any) -> Any:
            before = MARK.set(self.mark)
            self.core.job_started(self)
            try:
                return function(*args, **kwargs)
            finally:
                self.core.job_ended(self)
                MARK.reset(before)

        return call

    def finish(self, _future: object = None) -> None:
        """Note that it will never run (it was cancelled), or has run."""
        if not self.running:
            self.core.job_ended(self)


class Threads:
    """The jobs of one clock; the clock's lock guards them."""

    def __init__(self) -> None:
        self.jobs: set[Job] = set()
        self.of_thread: dict[int, Job] = {}
        self.of_future: WeakKeyDictionary[Future[Any], Job] = WeakKeyDictionary()
        self._sent: WeakSet[Future[Any]] = WeakSet()

    def start(self, job: Job, thread: int) -> None:
        """Note that a job begins in a thread, inside the one that runs there already, if any."""
        job.thread = thread
        job.outer = self.of_thread.get(thread)
        self.of_thread[thread] = job

    def end(self, job: Job) -> None:
        """Note that a job is over."""
        job.ended = True
        self.jobs.discard(job)
        if job.thread is None or self.of_thread.get(job.thread) is not job:
            return
        if job.outer is None:
            del self.of_thread[job.thread]
        else:
            self.of_thread[job.thread] = job.outer

    def busy(self, runs_loop: Callable[[int], bool]) -> list[Job]:
        """Return the jobs that time must wait for.

        Args:
            runs_loop: tells whether a thread is in an event loop, which is looked at by itself.
        """
        return [job for job in self.jobs if not self._idle(job, runs_loop)]

    def _idle(self, job: Job, runs_loop: Callable[[int], bool]) -> bool:
        if job.ended or job.asleep:
            return True
        if job.thread is not None and self.of_thread.get(job.thread) is not job:
            return True  # it stands on the job inside it
        if job.thread is None:
            return job.pool is None or self._full(job.pool)
        if job.answered is not None:
            return not job.answered()
        return runs_loop(job.thread)

    def _full(self, pool: Any) -> bool:
        """Whether every thread of the pool is taken by jobs, which are looked at by themselves."""
        taken = sum(job.running for job in self.jobs if job.pool is pool)
        return taken >= getattr(pool, "_max_workers", taken + 1)

    def sent(self, callback: object, args: tuple[Any, ...]) -> None:
        """Note that a thread hands a call to a loop: its answers take virtual time."""
        cells = getattr(callback, "__closure__", None) or ()
        held = [*args, *(cell.cell_contents for cell in cells)]
        nested = (item for one in held if isinstance(one, tuple) for item in one)
        self._sent.update(item for item in (*held, *nested) if isinstance(item, Future))

    def accounts_for(self, future: Future[Any]) -> bool:
        """Whether a job, or a loop that a job has called, will resolve a future."""
        return future in self.of_future or future in self._sent

    def unfinished_in(self, pool: object) -> bool:
        """Whether jobs of a pool are left."""
        return any(job.pool is pool and not job.ended for job in self.jobs)


_REAL = (time.sleep,)
"""In a tuple, where `replace_captured` leaves it alone."""
_BUILT_IN = (inspect.unwrap(time.sleep),)


def virtual_sleep(seconds: Any, /) -> None:
    """Sleep: in virtual time inside tasks, in real time elsewhere."""
    core = core_here()
    try:
        asked = seconds if isinstance(seconds, float) else float(operator.index(seconds))
    except (TypeError, OverflowError):
        asked = -1.0  # the real sleep knows what is wrong with it
    if core is None or not 0 <= asked <= threading.TIMEOUT_MAX:
        _REAL[0](seconds)
    else:
        core.sleep_thread(asked, sleep_site())


virtual_sleep.__name__ = virtual_sleep.__qualname__ = "sleep"


_lasting = 0
"""How many blocks keep the virtual sleep in place."""


def patch_sleep() -> None:
    """Put the virtual sleep wherever `time.sleep` is held.

    Where it is kept in place, only modules are looked at: a test that had replaced a function there
    before, and has put it back since, has put back the real one. What it replaces now is its own.
    """
    global _REAL
    if _lasting and inspect.unwrap(time.sleep) is not _BUILT_IN[0]:
        for module, name in list(holders(_REAL)):
            setattr(module, name, virtual_sleep)
        return
    if time.sleep is not virtual_sleep:
        _REAL = (time.sleep,)
    replace_captured(_REAL[0], virtual_sleep, keep=(globals(),))


def restore_sleep() -> None:
    """Put the real sleep back."""
    if not _lasting:
        replace_captured(virtual_sleep, _REAL[0], keep=(globals(),))


@contextmanager
def lasting_sleep() -> Iterator[None]:
    """Keep the virtual sleep in place for a block, where it is real until a clock starts.

    To find all that hold `time.sleep` takes long; the clocks that start in the block need not.
    """
    global _lasting
    patch_sleep()
    _lasting += 1
    try:
        yield
    finally:
        _lasting -= 1
        restore_sleep()


def patch_threads(patches: ClockPatches) -> None:
    """Have thread pools carry virtual time along, and tell who waits for whom."""
    patches.override(ThreadPoolExecutor, "submit", _make_submit)
    patches.override(ThreadPoolExecutor, "shutdown", _make_shutdown)
    patches.override(Future, "result", _make_wait)
    patches.override(Future, "exception", _make_wait)


def _make_submit(original: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    def submit(
        self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        core = core_here()
        if core is None:
            return original(self, fn, *args, **kwargs)
        job = core.new_job(self)
        try:
            future = original(self, job.bind(fn), *args, **kwargs)
        except BaseException:
            job.finish()
            raise
        core.threads.of_future[future] = job
        future.add_done_callback(job.finish)
        return future

    return submit


def _job_here() -> Job | None:
    core = running.core
    return core.threads.of_thread.get(threading.get_ident()) if core is not None else None


def _make_wait(original: Callable[..., Any]) -> Callable[..., Any]:
    def wait(self: Future[Any], timeout: float | None = None) -> Any:
        job = _job_here()
        if job is None or self.done() or not job.core.threads.accounts_for(self):
            return original(self, timeout)
        with job.core.waiting(job, self.done):
            return original(self, timeout)

    wait.__name__ = original.__name__
    return wait


def _make_shutdown(original: Callable[..., None]) -> Callable[..., None]:
    def shutdown(self: ThreadPoolExecutor, wait: bool = True, **kwargs: Any) -> None:
        job = _job_here()
        if job is None or not wait:
            return original(self, wait, **kwargs)
        threads = job.core.threads
        with job.core.waiting(job, lambda: not threads.unfinished_in(self)):
            return original(self, wait, **kwargs)

    return shutdown
