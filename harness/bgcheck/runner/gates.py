"""The two gates that a test gets from `bgtasks.hold()`: a sync one and an async one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bgcheck.runner.errors import GateError
from bgcheck.runner.gate import STEP_LIMIT, GateCore, OnError, Steps
from bgcheck.runner.threads import running_library

if TYPE_CHECKING:
    from types import TracebackType

    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.runner.blocks import Only
    from bgcheck.runner.drain import DrainResult
    from bgcheck.runner.runner import Runner

T = TypeVar("T")


class Gate:
    """A gate for plain code: it runs the app's loop, or waits for a server's thread."""

    def __init__(self, core: GateCore) -> None:
        self._core = core

    @property
    def pending(self) -> Sequence[ScheduledTask]:
        """The tasks that are held or will be, in the order of scheduling."""
        return self._core.pending

    def run_next(self) -> ScheduledTask:
        """Release the next pending task, wait for its end and return it.

        Raises:
            GateError: no task is pending, or the block has ended.
            GateTimeoutError: the task did not end within 10 seconds of real time.
        """
        __tracebackhide__ = True
        return self._drive(self._core.run_next())

    def run(self, task: ScheduledTask) -> ScheduledTask:
        """Release this task, wait for its end and return it.

        Raises:
            GateError: it is not pending, its turn has not come, or the block has ended.
            GateTimeoutError: the task did not end within 10 seconds of real time.
        """
        __tracebackhide__ = True
        return self._drive(self._core.run(task))

    def drain(
        self, *, only: Only = None, limit: int = 100, on_error: OnError = "raise"
    ) -> DrainResult:
        """Release tasks one by one until none is pending, those scheduled meanwhile too.

        Args:
            only: a function, or several: other tasks stay at the gate.
            limit: how many tasks to release at most.
            on_error: `raise` what tasks raised once all are through, or `collect` it.

        Raises:
            DrainLimitError: the limit is reached; the message shows the chain that grows.
            GateError: the block has ended.
            GateTimeoutError: a task did not end within 10 seconds of real time.
        """
        __tracebackhide__ = True
        return self._drive(self._core.drain(only, limit, on_error))

    def _drive(self, steps: Steps[T]) -> T:
        __tracebackhide__ = True
        while True:
            try:
                wait = next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if not self._core.runner.wait(wait.condition, wait.task, STEP_LIMIT):
                raise self._core.timeout(wait)

    def finish(self) -> None:
        """Drain what is left at the end of the block; errors stay on the records."""
        self._drive(self._core.drain_open(None, 100, "collect"))


class Step(Generic[T]):
    """A call of an async gate: it happens when it is awaited."""

    def __init__(self, gate: AsyncGate, call: str, steps: Callable[[], Steps[T]]) -> None:
        self.call = call
        self.place: str = _place_of_test()
        self._gate = gate
        self._steps = steps
        gate.forgotten.append(self)

    def __await__(self) -> Generator[Any, None, T]:
        __tracebackhide__ = True
        if self in self._gate.forgotten:
            self._gate.forgotten.remove(self)
        return self._gate.drive(self._steps()).__await__()


class AsyncGate:
    """A gate for async code: its calls are awaited in the app's own event loop."""

    def __init__(self, core: GateCore) -> None:
        self.forgotten: list[Step[Any]] = []
        self._core = core

    @property
    def pending(self) -> Sequence[ScheduledTask]:
        """The tasks that are held or will be, in the order of scheduling."""
        return self._core.pending

    def run_next(self) -> Step[ScheduledTask]:
        """Release the next pending task, wait for its end and return it; to be awaited.

        Raises:
            GateError: no task is pending, or the block has ended.
            GateTimeoutError: the task did not end within 10 seconds of real time.
        """
        return Step(self, "gate.run_next()", self._core.run_next)

    def run(self, task: ScheduledTask) -> Step[ScheduledTask]:
        """Release this task, wait for its end and return it; to be awaited.

        Raises:
            GateError: it is not pending, its turn has not come, or the block has ended.
            GateTimeoutError: the task did not end within 10 seconds of real time.
        """
        return Step(self, "gate.run(task)", lambda: self._core.run(task))

    def drain(
        self, *, only: Only = None, limit: int = 100, on_error: OnError = "raise"
    ) -> Step[DrainResult]:
        """Release tasks one by one until none is pending, new ones too; to be awaited.

        Args:
            only: a function, or several: other tasks stay at the gate.
            limit: how many tasks to release at most.
            on_error: `raise` what tasks raised once all are through, or `collect` it.

        Raises:
            DrainLimitError: the limit is reached; the message shows the chain that grows.
            GateError: the block has ended.
            GateTimeoutError: a task did not end within 10 seconds of real time.
        """
        return Step(self, "gate.drain()", lambda: self._core.drain(only, limit, on_error))

    async def drive(self, steps: Steps[T]) -> T:
        """Run the steps of an operation in this loop."""
        __tracebackhide__ = True
        while True:
            try:
                wait = next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if not await self._core.runner.wait_async(wait.condition, STEP_LIMIT):
                raise self._core.timeout(wait)

    async def finish(self) -> None:
        """Drain what is left at the end of the block; errors stay on the records."""
        await self.drive(self._core.drain_open(None, 100, "collect"))

    def refuse_forgotten(self) -> None:
        """Complain about a call that was not awaited.

        Raises:
            GateError: there is one.
        """
        __tracebackhide__ = True
        if self.forgotten:
            step = self.forgotten[0]
            raise GateError(
                f"{step.call} at {step.place} was not awaited, so it did nothing. "
                f"Write: await {step.call}"
            )


class Hold:
    """What `bgtasks.hold()` returns: enter it with `with` or with `async with`."""

    def __init__(self, runner: Runner, only: Only) -> None:
        self._core = GateCore(runner, only)
        self._gate: Gate | None = None
        self._async_gate: AsyncGate | None = None

    def __enter__(self) -> Gate:
        __tracebackhide__ = True
        library = running_library()
        if library is not None:
            raise GateError(
                f"with bgtasks.hold(): {library} runs in this thread, and a sync gate would block "
                "it. Use the async gate:\n"
                "    async with bgtasks.hold() as gate:\n"
                "        await gate.drain()"
            )
        self._core.enter()
        self._gate = Gate(self._core)
        return self._gate

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        assert self._gate is not None
        try:
            self._gate.finish()
        except Exception:
            if error is None:
                raise
        finally:
            self._core.leave()

    async def __aenter__(self) -> AsyncGate:
        __tracebackhide__ = True
        self._core.enter()
        self._async_gate = AsyncGate(self._core)
        return self._async_gate

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        assert self._async_gate is not None
        try:
            await self._async_gate.finish()
            self._async_gate.refuse_forgotten()
        except Exception:
            if error is None:
                raise
        finally:
            self._core.leave()


def _place_of_test() -> str:
    from bgcheck.recorder.describe import relative

    frame = sys._getframe(1)  # noqa: SLF001 - no public function is as cheap
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("bgcheck."):
        frame = frame.f_back
    return f"{relative(frame.f_code.co_filename)}:{frame.f_lineno}"
