"""Events and tasks that are the same on asyncio and on trio."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import trio

_NEVER = float("inf")

Function = Callable[[], Coroutine[Any, Any, None]]


class Event(Protocol):
    """The part that asyncio's and trio's events share."""

    def set(self) -> None:
        """Wake who waits."""

    async def wait(self) -> object:
        """Wait until the event is set."""
        raise NotImplementedError


class Task(Protocol):
    """A task of either library, started from the context of its caller."""

    def cancel(self) -> None:
        """Ask the task to stop at its next await."""

    @property
    def native(self) -> Any:
        """The `asyncio.Task` or the `trio.lowlevel.Task`."""
        raise NotImplementedError


class Backend(Protocol):
    """What the clients need of an event loop."""

    @property
    def name(self) -> str:
        """`asyncio` or `trio`."""
        raise NotImplementedError

    def event(self) -> Event:
        """Return an event that is not set."""
        raise NotImplementedError

    def spawn(self, function: Function, name: str) -> Task:
        """Start a task in a copy of the current context; it outlives the task that starts it."""
        raise NotImplementedError

    async def wait(self, event: Event, limit: float | None) -> bool:
        """Wait for an event, at most `limit` seconds; return whether it was set."""
        raise NotImplementedError


class AsyncioTask:
    """An asyncio task."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.native = task

    def cancel(self) -> None:
        """Ask the task to stop at its next await."""
        self.native.cancel()


class AsyncioBackend:
    """asyncio and uvloop."""

    name = "asyncio"

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Use this loop, or the one that runs when a task is started."""
        self._loop = loop

    def event(self) -> Event:
        """Return an event that is not set."""
        return asyncio.Event()

    def spawn(self, function: Function, name: str) -> Task:
        """Start a task in a copy of the current context."""
        loop = self._loop or asyncio.get_running_loop()
        return AsyncioTask(loop.create_task(function(), name=name))

    async def wait(self, event: Event, limit: float | None) -> bool:
        """Wait for an event, at most `limit` seconds; return whether it was set."""
        try:
            await asyncio.wait_for(event.wait(), limit)
        except asyncio.TimeoutError:
            return False
        return True


class TrioTask:
    """A trio system task with a cancel scope of its own.

    A system task needs no nursery, so a client and the bare wrapper work from any task; trio
    cancels what is left of them when its main task ends.
    """

    native: trio.lowlevel.Task

    def __init__(self, function: Function, name: str) -> None:
        import trio

        self._scope = trio.CancelScope()
        self._function = function
        self.native = trio.lowlevel.spawn_system_task(
            self._run, name=name, context=contextvars.copy_context()
        )

    async def _run(self) -> None:
        with self._scope:
            await self._function()

    def cancel(self) -> None:
        """Ask the task to stop at its next checkpoint."""
        self._scope.cancel()


class TrioBackend:
    """trio."""

    name = "trio"

    def event(self) -> Event:
        """Return an event that is not set."""
        import trio

        return trio.Event()

    def spawn(self, function: Function, name: str) -> Task:
        """Start a system task in a copy of the current context."""
        return TrioTask(function, name)

    async def wait(self, event: Event, limit: float | None) -> bool:
        """Wait for an event, at most `limit` seconds; return whether it was set."""
        import trio

        with trio.move_on_after(_NEVER if limit is None else limit):
            await event.wait()
            return True
        return False


def in_trio() -> bool:
    """Whether the caller runs in a trio task; imports nothing."""
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


def running_backend() -> Backend:
    """Return the backend of the loop that runs the caller."""
    return TrioBackend() if in_trio() else AsyncioBackend()


class Deadline:
    """A moment in real time: no clock of a test moves it."""

    def __init__(self, seconds: float | None) -> None:
        """Start now; `None` never passes."""
        self._end = _NEVER if seconds is None else perf_counter() + seconds

    @property
    def remaining(self) -> float | None:
        """Seconds that are left, at least 0; None when it never passes."""
        return None if self._end == _NEVER else max(0.0, self._end - perf_counter())

    @property
    def passed(self) -> bool:
        """Whether the moment is over."""
        return perf_counter() >= self._end


class Changes:
    """Wakes those who wait for a condition on some state."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._events: list[Event] = []

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; it is looked at again after each `notify`."""
        while not condition():
            await self._next().wait()

    async def until_or_timeout(self, condition: Callable[[], bool], deadline: Deadline) -> bool:
        """Wait until the condition holds or the deadline has passed; return whether it holds."""
        while not condition():
            if deadline.passed:
                return False
            await self._backend.wait(self._next(), deadline.remaining)
        return True

    def _next(self) -> Event:
        event = self._backend.event()
        self._events.append(event)
        return event

    def notify(self) -> None:
        """Have every waiting condition looked at again."""
        events, self._events = self._events, []
        for event in events:
            event.set()
