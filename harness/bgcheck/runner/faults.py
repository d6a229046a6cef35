"""Faults that a test injects into tasks: failure, cancellation, delay."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, get_args

from bgcheck.recorder.expectation import is_task_of
from bgcheck.recorder.record import ScheduledTask, describe_function
from bgcheck.runner.clients.backends import in_trio, running_backend
from bgcheck.runner.clients.exchange import response_first_exchange

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from bgcheck.instrument.hub import Body
    from bgcheck.runner.runner import Runner

Moment = Literal["start", "first-await"]
MOMENTS: tuple[Moment, ...] = get_args(Moment)
Error = BaseException | type[BaseException]

ARRIVAL = 5.0
"""Seconds of real time within which a cancellation must reach the task."""


class Fault:
    """A fault for the runs of one function; in force until it is used up, lifted or the test ends.

    As a context manager it is in force for the block only. `hits` counts the runs it has changed.
    """

    def __init__(self, runner: Runner, func: Callable[..., Any], times: int | None) -> None:
        self.hits: int = 0
        self._runner = runner
        self._func = func
        self._times = times
        runner.faults.append(self)

    def takes(self, task: ScheduledTask) -> bool:
        """Whether the next run of this task is changed; counts it if so."""
        if self._times is not None and self.hits >= self._times:
            return False
        if not is_task_of(task, self._func):
            return False
        self.hits += 1
        return True

    def wrap(self, task: ScheduledTask, body: Body) -> Body:
        """Return what runs in place of the task's body."""
        raise NotImplementedError

    def lift(self) -> None:
        """Take the fault out of force."""
        if self in self._runner.faults:
            self._runner.faults.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.lift()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {describe_function(self._func)}, {self.hits} hits>"


class Failure(Fault):
    """The task raises an error instead of running."""

    def __init__(
        self, runner: Runner, func: Callable[..., Any], error: Error, times: int | None
    ) -> None:
        super().__init__(runner, func, times)
        self._error = error

    def wrap(self, task: ScheduledTask, body: Body) -> Body:
        """Return a body that raises."""
        task.injected = True

        async def fail() -> None:
            raise self._error() if isinstance(self._error, type) else self._error

        return fail


class Cancellation(Fault):
    """The task is cancelled as a server would: its application call with it."""

    def __init__(
        self, runner: Runner, func: Callable[..., Any], at: Moment, times: int | None
    ) -> None:
        super().__init__(runner, func, times)
        self._at = at

    def wrap(self, task: ScheduledTask, body: Body) -> Body:
        """Return a body that is cancelled before it starts, or at its first await."""
        task.injected = True

        async def cancelled() -> None:
            _cancel_application_call(task)
            if self._at == "start":
                await _cancellation()
            await body()

        return cancelled


class Delay(Fault):
    """The task starts later: in virtual time where a clock is in force, else in real time."""

    def __init__(
        self, runner: Runner, func: Callable[..., Any], seconds: float, times: int | None
    ) -> None:
        super().__init__(runner, func, times)
        self._seconds = seconds

    def wrap(self, task: ScheduledTask, body: Body) -> Body:
        """Return a body that sleeps first."""

        async def delayed() -> None:
            await _sleep(self._seconds)
            await body()

        return delayed


async def _sleep(seconds: float) -> None:
    if in_trio():
        await sys.modules["trio"].sleep(seconds)
    else:
        await sys.modules["asyncio"].sleep(seconds)


async def _cancellation() -> None:
    """Wait until the cancellation arrives: through a task group it takes some steps."""
    backend = running_backend()
    await backend.wait(backend.event(), ARRIVAL)
    raise RuntimeError("the cancellation did not reach the task")


def _cancel_application_call(task: ScheduledTask) -> None:
    exchange = response_first_exchange.get()
    if exchange is not None and exchange.task is not None:
        exchange.task.cancel()
    if not in_trio():
        current = sys.modules["asyncio"].current_task()
        # Behind a middleware the task runs in a child, which the cancellation reaches late.
        if exchange is None or exchange.task is None or exchange.task.native is not current:
            current.cancel()
    elif exchange is None:
        raise RuntimeError(
            f"bgtasks.cancel({task.name}) under trio needs a response-first client: "
            "bgtasks.client(app, backend='trio') or bgtasks.async_client(app)"
        )
