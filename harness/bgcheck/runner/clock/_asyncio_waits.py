"""What the tasks of an asyncio or uvloop loop wait for."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Container, Mapping
from concurrent.futures import Future
from concurrent.futures import thread as pool_threads
from types import FrameType
from typing import TYPE_CHECKING, Any

from bgcheck.runner.clock._waits import Wait, bare_wait, frames, module_of, worst

if TYPE_CHECKING:
    from bgcheck.runner.clock._threads import Job


class Waits:
    """Judges tasks of one loop."""

    def __init__(
        self,
        virtual: Container[Any],
        sleeping: Container[Any],
        jobs: Mapping[Any, Job],
        job_of_future: Mapping[Future[Any], Job],
    ) -> None:
        """Take what is known about the loop.

        Args:
            virtual: the tasks that take virtual time, each looked at by itself.
            sleeping: the futures of `asyncio.sleep` in virtual time.
            jobs: what each task has handed to a worker thread through anyio.
            job_of_future: the jobs handed to thread pools.
        """
        self._virtual = virtual
        self._sleeping = sleeping
        self._jobs = jobs
        self._job_of_future = job_of_future

    def of(self, task: Any, seen: frozenset[Any] = frozenset()) -> Wait:
        """Return what a task waits for."""
        future = getattr(task, "_fut_waiter", None)
        if future is None or future.done():
            return Wait.READY
        job = self._jobs.get(task)
        if job is not None and job.ended:
            return Wait.READY
        if job is not None and job.running:
            return Wait.VIRTUAL
        wait = self._of_future(future, task.get_coro(), seen | {task})
        return wait if job is None or wait is Wait.PROGRAM else Wait.READY

    def _of_future(self, future: Any, waiting: Any, seen: frozenset[Any]) -> Wait:
        """Judge a wait for a future by what the future is, else by the code that waits."""
        if future in self._sleeping or future in self._virtual or future in seen:
            return Wait.VIRTUAL
        if isinstance(future, asyncio.Task):
            return self.of(future, seen)
        children = getattr(future, "_children", None)
        if children is not None:
            return self._of_all(children, waiting, seen)
        source = _chained(future)
        if source is not None:
            return self._of_source(source)
        return self._of_frames(future, waiting, seen | {future})

    def _of_all(self, futures: Any, waiting: Any, seen: frozenset[Any]) -> Wait:
        return worst(self._of_future(f, waiting, seen) for f in list(futures) if not f.done())

    def _of_source(self, source: Future[Any]) -> Wait:
        job = self._job_of_future.get(source)
        if source.done() or (job is not None and job.ended):  # it is about to be told
            return Wait.READY
        return Wait.VIRTUAL if job is not None else Wait.REAL

    def _of_frames(self, future: Any, waiting: Any, seen: frozenset[Any]) -> Wait:
        stack, awaited = frames(waiting)
        if not stack or not _is_future(awaited):
            return Wait.REAL
        group = set(_awaited_group(stack[0]) or ()) - seen
        if group:
            return self._of_all(group, waiting, seen)
        return bare_wait(stack)


def _is_future(awaited: Any) -> bool:
    return isinstance(awaited, asyncio.Future) or type(awaited).__name__ == "FutureIter"


def _awaited_group(frame: FrameType) -> Any:
    """Return the futures that `asyncio.wait`, `wait_for` or a task group waits for."""
    name = frame.f_code.co_name
    module = module_of(frame)
    if module == "asyncio.tasks":
        if name == "_wait":
            return frame.f_locals.get("fs")
        waited = frame.f_locals.get("fut") if name == "wait_for" else None
        return [waited] if isinstance(waited, asyncio.Future) else None
    if name == "__aexit__" and module in ("asyncio.taskgroups", "anyio._backends._asyncio"):
        return getattr(frame.f_locals.get("self"), "_tasks", None)
    return None


_CHAIN = "_chain_future.<locals>._call_check_cancel"


def _chained(future: Any) -> Future[Any] | None:
    """Return the thread pool's future that a future of asyncio mirrors."""
    for callback, _context in getattr(future, "_callbacks", None) or ():
        if getattr(callback, "__qualname__", "").endswith(_CHAIN):
            cells = callback.__closure__ or ()
            values = [cell.cell_contents for cell in cells]
            return next((v for v in values if isinstance(v, Future)), None)
    return None


_TIMEOUTS = frozenset(
    {"_on_timeout", "_timeout", "_release_waiter", "_set_result_unless_cancelled"}
)
"""Callbacks that end a wait and wake nobody else; and the one of a sleep, seen at its task."""


def real_timer_within(loop: Any, seconds: float) -> bool:
    """Whether a call that could wake something is due in real time."""
    horizon = loop.time() + seconds
    return any(
        not handle.cancelled()
        and handle.when() <= horizon
        and getattr(handle._callback, "__name__", "") not in _TIMEOUTS  # noqa: SLF001
        for handle in list(getattr(loop, "_scheduled", ()))
    )


def open_transports(loop: Any) -> bool:
    """Whether the loop watches a socket, a pipe or a process."""
    selector = getattr(loop, "_selector", None)
    if selector is not None:
        own = loop._ssock.fileno()  # noqa: SLF001  the pipe that wakes the loop
        return any(fd != own for fd in selector.get_map())
    if not type(loop).__module__.startswith("uvloop"):
        return False
    return any(_is_open_uvloop_transport(item) for item in gc.get_objects())


def _is_open_uvloop_transport(item: object) -> bool:
    kind = type(item)
    if kind.__module__ != "uvloop.loop":
        return False
    closing = getattr(kind, "is_closing", None)
    return closing is not None and not closing(item)


def foreign_threads(known: Container[threading.Thread], loops: Container[int | None]) -> bool:
    """Whether a thread runs that no clock knows about and no library keeps in reserve."""
    return any(
        thread not in known and thread.ident not in loops and not _is_worker(thread)
        for thread in threading.enumerate()
    )


def _is_worker(thread: threading.Thread) -> bool:
    if thread in pool_threads._threads_queues:  # noqa: SLF001  the only list of pool threads
        return True
    return type(thread).__name__ in ("WorkerThread", "Timer") or thread.name.startswith("Trio")
