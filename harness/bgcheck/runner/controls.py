"""What `bgtasks` offers to control how tasks run: modes, clients, faults, time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from bgcheck.recorder.log import Recording, TaskLog
from bgcheck.recorder.raising import raise_all
from bgcheck.runner.blocks import MODES, Block, Mode, Only, functions
from bgcheck.runner.errors import GateError
from bgcheck.runner.runner import Runner
from bgcheck.runner.threads import running_library

if TYPE_CHECKING:
    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.runner.clients.async_http import ResponseFirstAsyncClient
    from bgcheck.runner.clients.exchange import ASGIApp
    from bgcheck.runner.clients.sync_http import ResponseFirstClient
    from bgcheck.runner.clients.wrapper import ResponseFirst
    from bgcheck.runner.clock import VirtualClock
    from bgcheck.runner.faults import Error, Fault, Moment
    from bgcheck.runner.gates import AsyncGate, Gate, Hold


class RunnerRecording(Recording):
    """A recording with a runner that decides how its tasks run."""

    def __init__(self) -> None:
        super().__init__()
        self.runner: Runner = Runner(lambda: self.tasks)


class Shutdown:
    """The shutdown of the apps behind the clients: done for sync ones, awaited for async ones."""

    def __init__(self, clients: list[ResponseFirstAsyncClient], timeout: float | None) -> None:
        self._clients = clients
        self._timeout = timeout

    async def _run(self) -> None:
        for client in self._clients:
            await client.shutdown(self._timeout)

    def __await__(self) -> Generator[Any, None, None]:
        return self._run().__await__()


class BackgroundTasksLog(TaskLog):
    """The `bgtasks` fixture: the tasks scheduled in this test, and control over how they run."""

    @property
    def runner(self) -> Runner:
        """The policy behind the methods below."""
        recording = self.recording
        assert isinstance(recording, RunnerRecording)
        return recording.runner

    @contextmanager
    def _block(self, mode: Mode, only: Only) -> Iterator[None]:
        block = Block(mode, functions(only))
        self.runner.blocks.enter(block)
        try:
            yield
        finally:
            self.runner.blocks.leave(block)

    @contextmanager
    def inline(self, only: Only = None) -> Iterator[None]:
        """Run tasks as the framework does, for a block inside of another mode.

        Args:
            only: a function, or several; others keep the mode of the block around.
        """
        with self._block("inline", only):
            yield

    @contextmanager
    def drop(self, only: Only = None) -> Iterator[None]:
        """Record tasks and never run them, for a block.

        Args:
            only: a function, or several; others keep the mode of the block around.
        """
        with self._block("drop", only):
            yield

    def hold(self, only: Only = None) -> Hold:
        """Hold tasks at a gate for a block: `with` gives a sync gate, `async with` an async one.

        Leaving the block drains what is left.

        Args:
            only: a function, or several; others keep the mode of the block around.

        Raises:
            TypeError: `only` holds something that is not callable.
        """
        from bgcheck.runner.gates import Hold

        return Hold(self.runner, only)

    @property
    def gate(self) -> Gate | AsyncGate:
        """The innermost gate, for tests that hold by a marker or by configuration.

        Inside of a running event loop it is an async gate, else a sync one.

        Raises:
            GateError: no gate is open.
        """
        from bgcheck.runner.gates import AsyncGate, Gate

        __tracebackhide__ = True
        block = self.runner.blocks.innermost("hold")
        if block is None or block.gate is None:
            raise GateError(
                "bgtasks.gate: no gate is open. Open one by `with bgtasks.hold() as gate:`, or "
                'mark the test with @pytest.mark.bgcheck(mode="hold").'
            )
        return Gate(block.gate) if running_library() is None else AsyncGate(block.gate)

    def client(self, app: ASGIApp, **options: Any) -> ResponseFirstClient:
        """Return a response-first client with the API of Starlette's TestClient.

        Args:
            app: the ASGI application.
            options: those of TestClient; and `leave_timeout`, seconds of real time that leaving
                waits for what still runs.
        """
        from bgcheck.runner.clients.sync_http import ResponseFirstClient

        options.setdefault("on_late_error", self.runner.note_late)
        made = ResponseFirstClient(app, **options)
        self.runner.adopt(made)
        return made

    def async_client(self, app: ASGIApp, **options: Any) -> ResponseFirstAsyncClient:
        """Return a response-first AsyncClient of httpx2, or of httpx where that is installed.

        Args:
            app: the ASGI application.
            options: those of AsyncClient; and `leave_timeout`, seconds of real time that leaving
                waits for what still runs.
        """
        from bgcheck.runner.clients.async_http import ResponseFirstAsyncClient

        options.setdefault("on_late_error", self.runner.note_late)
        made = ResponseFirstAsyncClient(app, **options)
        self.runner.adopt(made)
        return made

    def response_first(self, app: ASGIApp, **options: Any) -> ResponseFirst:
        """Wrap an app so that any ASGI client gets the response before the tasks run.

        Args:
            app: the ASGI application.
            options: `leave_timeout`, seconds of real time that leaving waits for what still runs.
        """
        from bgcheck.runner.clients.wrapper import ResponseFirst

        options.setdefault("on_late_error", self.runner.note_late)
        made = ResponseFirst(app, **options)
        self.runner.adopt(made)
        return made

    def fail(self, func: Callable[..., Any], error: Error, *, times: int | None = None) -> Fault:
        """Have the next runs of `func` raise instead of run.

        Args:
            func: the task's function; partials and bound methods of it count.
            error: an exception, or a class to make one of.
            times: how many runs fail; None for all until the test ends or the fault is lifted.

        Returns:
            The fault: `with bgtasks.fail(...)` lifts it after the block; `.hits` counts.
        """
        from bgcheck.runner.faults import Failure

        return Failure(self.runner, func, error, times)

    def cancel(
        self, func: Callable[..., Any], at: Moment = "first-await", *, times: int | None = None
    ) -> Fault:
        """Have the next runs of `func` cancelled, as by a server that shuts down.

        Args:
            func: the task's function; partials and bound methods of it count.
            at: `start`, before its first line, or `first-await`.
            times: how many runs are cancelled; None for all until the test ends.

        Raises:
            ValueError: there is no such moment.
        """
        from bgcheck.runner.faults import MOMENTS, Cancellation

        if at not in MOMENTS:
            raise ValueError(f"at={at!r}: it is one of {', '.join(map(repr, MOMENTS))}")
        return Cancellation(self.runner, func, at, times)

    def delay(self, func: Callable[..., Any], seconds: float, *, times: int | None = None) -> Fault:
        """Have the next runs of `func` start later.

        Args:
            func: the task's function; partials and bound methods of it count.
            seconds: of virtual time where a virtual clock is in force, else of real time.
            times: how many runs are delayed; None for all until the test ends.
        """
        from bgcheck.runner.faults import Delay

        return Delay(self.runner, func, seconds, times)

    def disconnect_client(self, task: ScheduledTask | None = None) -> None:
        """Let the client of a request under way go away, such as while its task is held.

        Args:
            task: a task of that request; None for every request under way.

        Raises:
            GateError: no request of a response-first client is under way.
        """
        __tracebackhide__ = True
        self.runner.disconnect(task)

    def shutdown(self, timeout: float | None = None) -> Shutdown:
        """Shut the apps of this test's clients down, with tasks pending, as a server does.

        What is pending is waited for, then cancelled, then the lifespan ends. Async clients shut
        down when the result is awaited: `await bgtasks.shutdown()`.

        Args:
            timeout: seconds of real time before what is pending is cancelled.
        """
        __tracebackhide__ = True
        return Shutdown(self.runner.shut_down_sync(timeout), timeout)

    @contextmanager
    def virtual_time(
        self, scope: Literal["tasks", "all"] = "tasks", *, auto: bool = True
    ) -> Iterator[VirtualClock]:
        """Give tasks virtual time for a block: sleeping takes none, and moves `clock.now`.

        Args:
            scope: `tasks`, or `all` to give requests and the test virtual time as well.
            auto: move time by itself when every task sleeps; False: only by `clock.advance`.
        """
        with self.runner.virtual_time(scope, auto=auto) as clock:
            yield clock

    @property
    def clock(self) -> VirtualClock:
        """The virtual clock in force, for tests that have it by a marker.

        Raises:
            GateError: none is in force.
        """
        __tracebackhide__ = True
        if self.runner.clock is None:
            raise GateError(
                "bgtasks.clock: time is real. Use `with bgtasks.virtual_time() as clock:`, or mark "
                'the test with @pytest.mark.bgcheck(clock="virtual").'
            )
        return self.runner.clock

    def raise_errors(self) -> None:
        """Raise what tasks raised, and what came after a response from dependencies or middleware.

        Raises:
            BaseException: the error if there is one, else a group of them in order.
        """
        errors = self._errors()
        for error, _ in self.runner.late_errors:
            if not any(_holds(error, known) for known in errors):
                errors.append(error)
        raise_all(errors)


def _holds(error: BaseException, known: BaseException) -> bool:
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return error is known or any(_holds(each, known) for each in inner)


__all__ = ("MODES", "BackgroundTasksLog", "RunnerRecording")
