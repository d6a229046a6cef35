"""Event loops of the calling thread that run only while a client needs them."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar

from bgcheck.runner.clients.backends import (
    AsyncioBackend,
    Backend,
    Changes,
    Deadline,
    TrioBackend,
    in_trio,
)

T = TypeVar("T")
Condition = Callable[[], bool]

POLL = 0.005
"""Seconds between two looks at a condition that nothing announces."""
JOIN = 1.0
"""Seconds that idle worker threads have to end when their loop is closed."""


class PausedLoop(Protocol):
    """A loop that stands still between two calls of `run_until`."""

    @property
    def backend(self) -> Backend:
        """The library of the loop."""
        raise NotImplementedError

    def soon(self, function: Callable[[], object]) -> None:
        """Call a function in the loop, before anything that is asked for later."""

    def run_until(
        self, condition: Condition, timeout: float | None = None, *, poll: bool = False
    ) -> bool:
        """Run until the condition holds or `timeout` seconds have passed; return whether it holds.

        Args:
            condition: looked at before the first step and after each `changed`.
            timeout: seconds of real time; None for no limit.
            poll: look at the condition every few milliseconds as well.
        """
        raise NotImplementedError

    def changed(self) -> None:
        """The condition may hold now; called in the loop's thread."""

    def close(self) -> None:
        """Cancel what is left and close the loop."""


def refuse_running_loop() -> None:
    """Refuse to run a loop inside another one.

    Raises:
        RuntimeError: the calling thread already runs asyncio or trio.
    """
    if in_trio():
        library = "trio"
    elif asyncio._get_running_loop() is not None:  # noqa: SLF001  documented for event loops
        library = "asyncio"
    else:
        return
    raise RuntimeError(
        f"bgtasks.client(app) runs the app in this thread, but {library} already runs here. "
        "Use the async client:\n"
        "    async with bgtasks.async_client(app) as client:\n"
        '        response = await client.get("/")'
    )


def _step(deadline: Deadline, *, poll: bool) -> float | None:
    """How long to run before the condition is looked at unasked."""
    limits = [deadline.remaining, POLL if poll else None]
    return min((limit for limit in limits if limit is not None), default=None)


def run(loop: PausedLoop, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function as a task of the loop and return what it returns or raises."""
    results: list[T] = []
    errors: list[BaseException] = []

    async def collect() -> None:
        try:
            results.append(await function())
        except BaseException as error:
            errors.append(error)
        loop.changed()

    loop.soon(lambda: loop.backend.spawn(collect, "bgcheck"))
    loop.run_until(lambda: bool(results or errors))
    if errors:
        raise errors[0]
    return results[0]


class AsyncioLoop:
    """An asyncio or uvloop loop.

    One task lives as long as the loop and is what `run_until_complete` is called with: so anyio
    keeps its worker threads between two runs, as it does below a server's main task.
    """

    def __init__(
        self,
        *,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
        use_uvloop: bool = False,
        debug: bool | None = None,
    ) -> None:
        """Make the loop; the options are those of anyio's asyncio backend."""
        if loop_factory is None and use_uvloop:
            import uvloop

            loop_factory = uvloop.new_event_loop
        self._loop = (loop_factory or asyncio.new_event_loop)()
        if debug is not None:
            self._loop.set_debug(debug)
        self.backend: Backend = AsyncioBackend(self._loop)
        self._condition: Condition | None = None
        self._stopped = False
        self._end = self._loop.create_future()
        self._root = self._loop.create_task(self._live(), name="bgcheck client")

    async def _live(self) -> None:
        await self._end

    def soon(self, function: Callable[[], object]) -> None:
        """Call a function now: what it wakes runs at the loop's next turn."""
        function()

    def changed(self) -> None:
        """Pause where the condition holds."""
        if self._condition is not None and self._condition():
            self._stop()

    def _stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._loop.stop()

    def run_until(
        self, condition: Condition, timeout: float | None = None, *, poll: bool = False
    ) -> bool:
        """Run until the condition holds, at most `timeout` seconds; return whether it holds."""
        refuse_running_loop()
        deadline = Deadline(timeout)
        self._condition = condition
        try:
            while not condition():
                if deadline.passed:
                    return False
                self._turn(_step(deadline, poll=poll))
        finally:
            self._condition = None
        return True

    def _turn(self, timeout: float | None) -> None:
        timer = None if timeout is None else self._loop.call_later(timeout, self._stop)
        self._stopped = False
        try:
            self._loop.run_until_complete(self._root)
        except RuntimeError:  # stopped before the root task is over, as it should be
            if self._root.done() or self._loop.is_closed():
                raise
        finally:
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """Cancel what is left, end the worker threads and close the loop."""
        tasks = [task for task in asyncio.all_tasks(self._loop) if task is not self._root]
        for task in tasks:
            task.cancel()
        self.run_until(lambda: all(task.done() for task in tasks), JOIN, poll=bool(tasks))
        self._end.cancel()
        self._loop.run_until_complete(asyncio.wait({self._root}))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        threads = [t for t in threading.enumerate() if getattr(t, "loop", None) is self._loop]
        for thread in threads:
            thread.join(JOIN)
        self._loop.close()


class _GuestPlace:
    """Keeps a guest run's hold on the thread while it is paused, so that trio can run otherwise.

    trio allows one run a thread: several clients, and a test that runs trio itself, need the place.
    """

    def __init__(self) -> None:
        try:
            from trio._core._run import GLOBAL_RUN_CONTEXT
        except ImportError:  # then the place stays taken until the client is closed
            self._place: Any = SimpleNamespace()
        else:
            self._place = GLOBAL_RUN_CONTEXT
        self._runner: Any = None
        self._hooks = self._outer_hooks = sys.get_asyncgen_hooks()

    def __enter__(self) -> None:
        self._outer_hooks = sys.get_asyncgen_hooks()
        if self._runner is not None:
            self._place.runner = self._runner
            sys.set_asyncgen_hooks(*self._hooks)

    def __exit__(self, *_: object) -> None:
        self._runner = self._place.__dict__.pop("runner", None)
        self._hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(*self._outer_hooks)


class TrioLoop:
    """A trio run that is a guest of the calling thread.

    trio runs below a queue of the calling thread; a pause leaves the next step in the queue. The
    driver task stays runnable meanwhile, so that trio needs its input/output thread only where
    the application waits for time, sockets or threads.
    """

    def __init__(self, **options: Any) -> None:
        """Start the run; the options are those of `trio.run`."""
        import trio

        self.backend: Backend = TrioBackend()
        self._steps: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._inbox: deque[Callable[[], object]] = deque()
        self._changes = Changes(self.backend)
        self._condition: Condition = lambda: True
        self._timeout: float | None = None
        self._poll = False
        self._held = False
        self._paused = False
        self._closing = False
        self._done = False
        self._place = _GuestPlace()
        with self._place:
            trio.lowlevel.start_guest_run(
                self._drive,
                run_sync_soon_threadsafe=self._steps.put,
                done_callback=self._finish,
                host_uses_signal_set_wakeup_fd=True,
                **options,
            )

    def _finish(self, outcome: Any) -> None:
        self._done = True
        self._outcome = outcome

    async def _drive(self) -> None:
        import trio

        while not self._closing:
            while self._inbox:
                self._inbox.popleft()()
                await trio.lowlevel.cancel_shielded_checkpoint()
            self._held = await self._wait()
            self._paused = True
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def _wait(self) -> bool:
        deadline = Deadline(self._timeout)
        while not self._condition():
            if deadline.passed:
                return False
            step = Deadline(_step(deadline, poll=self._poll))
            await self._changes.until_or_timeout(self._condition, step)
        return True

    def soon(self, function: Callable[[], object]) -> None:
        """Call a function in the driver task at the next run."""
        self._inbox.append(function)

    def changed(self) -> None:
        """Have the driver look at the condition."""
        if self._condition():
            self._changes.notify()

    def run_until(
        self, condition: Condition, timeout: float | None = None, *, poll: bool = False
    ) -> bool:
        """Run until the condition holds, at most `timeout` seconds; return whether it holds."""
        refuse_running_loop()
        self._condition, self._timeout, self._poll = condition, timeout, poll
        self._pump()
        self._condition = lambda: True
        return self._held

    def _pump(self) -> None:
        self._paused = False
        with self._place:
            while not self._paused and not self._done:
                self._steps.get()()
        if self._done:
            self._outcome.unwrap()

    def close(self) -> None:
        """End the run: trio cancels what is left of the application."""
        if not self._done:
            self._closing = True
            self._pump()
