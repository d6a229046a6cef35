"""Decides when a task runs and what it meets: modes, gates, faults and the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from bgcheck.events import Event, RequestStarted, TaskFinished
from bgcheck.instrument.requests import note_complete
from bgcheck.runner.blocks import MODES, Block, Blocks, Mode
from bgcheck.runner.callers import waiting_caller
from bgcheck.runner.clients.backends import Changes, Deadline, running_backend
from bgcheck.runner.clients.exchange import Exchange, response_first_exchange
from bgcheck.runner.errors import GateError, HoldRefusedError
from bgcheck.runner.threads import running_library, threadsafe

if TYPE_CHECKING:
    from bgcheck.instrument.hub import Body
    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.recorder.request import RequestInfo
    from bgcheck.runner.clients.async_http import ResponseFirstAsyncClient
    from bgcheck.runner.clients.calls import ApplicationCalls
    from bgcheck.runner.clients.sync_http import ResponseFirstClient
    from bgcheck.runner.clock import VirtualClock
    from bgcheck.runner.faults import Fault


RESPONSE_LIMIT = 5.0
"""Seconds of real time that a task at a gate waits for the response of its request."""


class Runner:
    """The policy of one recording: it is asked about each task whose turn has come.

    Attributes:
        blocks: the modes in force.
        faults: the faults in force, oldest first.
        clients: the sync clients of the recording; they own the loops that only they can run.
        thread: the thread that made the recording; sync clients belong to it.
        late_errors: what applications raised after their response, with the request.
        response_limit: seconds of real time that a task at a gate waits for its response.
        before_clock: is called before a virtual clock is put in force.
    """

    def __init__(self, recorded: Callable[[], Sequence[ScheduledTask]]) -> None:
        self.recorded = recorded
        self.blocks: Blocks = Blocks()
        self.faults: list[Fault] = []
        self.clock: VirtualClock | None = None
        self.clients: list[ResponseFirstClient] = []
        self.thread: int = threading.get_ident()
        self.late_errors: list[tuple[BaseException, Exchange]] = []
        self.left_over: list[ScheduledTask] = []
        self.response_limit: float = RESPONSE_LIMIT
        self.before_clock: Callable[[], object] | None = None
        self._all_clients: list[Any] = []
        self._left: list[ApplicationCalls] = []
        self.finished: list[Callable[[ScheduledTask], None]] = []
        self._callers: dict[RequestInfo, str | None] = {}
        self._exchanges: dict[RequestInfo, Exchange | None] = {}
        self._changed = threading.Condition()
        self._waiting: list[Callable[[], None]] = []

    def __call__(self, event: Event) -> None:
        """Follow the events of the recording."""
        if isinstance(event, RequestStarted):
            request = event.request
            exchange = response_first_exchange.get()
            if exchange is not None:
                # A client that is cut off in `send` may have the response already.
                exchange.on_complete(lambda: note_complete(request))
                exchange.hands_over_in_send = False
            self._exchanges[event.request] = exchange
            self._callers[event.request] = waiting_caller() if exchange is None else None
        elif isinstance(event, TaskFinished):
            for callback in self.finished:
                callback(event.task)
        self.changed()

    async def turn(self, task: ScheduledTask, body: Body) -> Body | None:
        """Wait at the gate that holds the task, if one does; return what to run."""
        __tracebackhide__ = True
        block = self.blocks.of(task)
        if block.mode == "drop":
            return None
        if block.mode == "hold" and block.gate is not None and not self._is_left(task):
            self._refuse_if_awaited(task)
            await self._response_of(task)
            await block.gate.hold(task)
        exchange = self.exchange_of(task)
        if exchange is not None:
            await exchange.handed_over()
        return self._prepare(task, body)

    async def _response_of(self, task: ScheduledTask) -> None:
        """Wait for the response; a middleware may send it a few steps after the task's turn."""
        exchange = self.exchange_of(task)
        if exchange is not None and not await exchange.completed(self.response_limit):
            raise HoldRefusedError(
                f"{task.name} cannot be held: its turn came before the response of {task.request} "
                "was complete, and the client still waited for it after "
                f"{self.response_limit:g} s. "
                "A task that runs before the response is a fault of the application."
            )

    def _refuse_if_awaited(self, task: ScheduledTask) -> None:
        __tracebackhide__ = True
        caller = self._callers.get(task.request) if task.request is not None else None
        if caller is not None:
            raise HoldRefusedError(
                f"{task.name} cannot be held: {caller} returns only after the tasks of "
                f"{task.request}, so both would wait for ever. Use a response-first client:\n"
                "    with bgtasks.client(app) as client: ...\n"
                "    async with bgtasks.async_client(app) as client: ..."
            )

    def _prepare(self, task: ScheduledTask, body: Body) -> Body:
        for fault in list(self.faults):
            if fault.takes(task):
                body = fault.wrap(task, body)
        return body if self.clock is None else self._timed(task, body)

    def _timed(self, task: ScheduledTask, body: Body) -> Body:
        clock = self.clock
        assert clock is not None

        async def timed() -> None:
            __tracebackhide__ = True
            with clock.enter_task(task.name):
                await body()

        return timed

    def exchange_of(self, task: ScheduledTask) -> Exchange | None:
        """Return the response-first exchange that a task belongs to."""
        return self._exchanges.get(task.request) if task.request is not None else None

    def client_of(self, task: ScheduledTask) -> ResponseFirstClient | None:
        """Return the sync client whose loop a task runs in."""
        exchange = self.exchange_of(task)
        return next((client for client in self.clients if exchange in client.calls.pending), None)

    def changed(self) -> None:
        """Have every waiting condition looked at again."""
        with self._changed:
            self._changed.notify_all()
        for notify in list(self._waiting):
            notify()
        if threading.get_ident() == self.thread:
            for client in self.clients:
                client.calls.changed()

    def wait(
        self, condition: Callable[[], bool], task: ScheduledTask, timeout: float | None
    ) -> bool:
        """Wait for a condition in plain code, running the loop of the task's client meanwhile."""
        client = self.client_of(task)
        if client is not None:
            return client.loop.run_until(condition, timeout)
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    async def wait_async(self, condition: Callable[[], bool], seconds: float | None) -> bool:
        """Wait for a condition inside of an event loop."""
        changes = Changes(running_backend())
        notify = threadsafe(changes.notify)
        self._waiting.append(notify)
        try:
            return await changes.until_or_timeout(condition, Deadline(seconds))
        finally:
            self._waiting.remove(notify)

    @contextmanager
    def listening(self, callback: Callable[[ScheduledTask], None]) -> Iterator[None]:
        """Call back for each task that gets its last outcome during a block."""
        self.finished.append(callback)
        try:
            yield
        finally:
            self.finished.remove(callback)

    @contextmanager
    def in_mode(self, mode: Mode) -> Iterator[None]:
        """Put a mode in force for a whole recording.

        Raises:
            ValueError: there is no such mode.
        """
        from bgcheck.runner.gate import GateCore

        if mode not in MODES:
            raise ValueError(f"mode={mode!r}: it is one of {', '.join(map(repr, MODES))}")
        if mode == "hold":
            core = GateCore(self, None)
            core.enter()
            try:
                yield
            finally:
                self.left_over = core.pending
                core.leave()
        else:
            block = Block(mode)
            self.blocks.enter(block)
            yield
            self.blocks.leave(block)

    @contextmanager
    def virtual_time(
        self, scope: Literal["tasks", "all"], *, auto: bool = True
    ) -> Iterator[VirtualClock]:
        """Put a virtual clock in force."""
        from bgcheck.runner.clock import VirtualClock

        if self.before_clock is not None:
            self.before_clock()
        with VirtualClock(scope=scope, auto=auto) as clock:
            clock.drive(self._run_loops, self._settle)
            self.clock = clock
            try:
                yield clock
            finally:
                self.clock = None

    def _run_loops(
        self, condition: Callable[[], bool], timeout: float | None = None, *, poll: bool = False
    ) -> bool:
        """Run the loops of the sync clients until a condition holds."""
        for client in self.clients:
            if client.calls.pending:
                return client.loop.run_until(condition, timeout, poll=poll)
        return condition()

    def _settle(self) -> None:
        """Run the loops of the sync clients until every task whose turn has come has begun."""
        if running_library() is None:
            for client in self.clients:
                if client.calls.pending:
                    client.loop.run_until(lambda: not any(map(self._may_begin, self.recorded())), 5)

    def _may_begin(self, task: ScheduledTask) -> bool:
        request = task.request
        return (
            task.outcome == "pending"
            and not task.dropped
            and request is not None
            and not request.finished
            and self.blocks.of(task).mode == "inline"
            and all(
                other.finished or other.group != task.group
                for other in request.tasks
                if other.number < task.number
            )
        )

    def adopt(self, client: Any) -> None:
        """Look after a client of this recording until it ends."""
        if hasattr(client, "loop"):
            self.clients.append(client)
        self._all_clients.append(client)
        client.calls.before_leave = lambda: self._leave(client.calls)

    def _leave(self, calls: ApplicationCalls) -> None:
        """A client is left: hold its tasks no longer, nobody could release them any more."""
        self._left.append(calls)
        for task, held in [entry for block in self.blocks.gates() for entry in block.held()]:
            if self.exchange_of(task) in calls.pending:
                held.release()

    def _is_left(self, task: ScheduledTask) -> bool:
        exchange = self.exchange_of(task)
        return exchange is not None and any(exchange in calls.pending for calls in self._left)

    def disconnect(self, task: ScheduledTask | None) -> None:
        """Let the clients of requests under way go away."""
        __tracebackhide__ = True
        found = False
        for client in self._all_clients:
            for exchange in list(client.calls.pending):
                if task is None or exchange is self.exchange_of(task):
                    client.loop.soon(exchange.disconnect) if client in self.clients else (
                        exchange.disconnect()
                    )
                    found = True
        if not found:
            raise GateError(
                "bgtasks.disconnect_client(): no request of a response-first client is under way. "
                "Hold a task, send its request by bgtasks.client(app), then disconnect."
            )

    def shut_down_sync(self, timeout: float | None) -> list[ResponseFirstAsyncClient]:
        """Shut the sync clients down, and return the async ones."""
        for client in self.clients:
            client.shutdown(timeout)
        return [
            client
            for client in self._all_clients
            if hasattr(client, "shutdown") and client not in self.clients
        ]

    def close(self) -> None:
        """Leave the sync clients that the test has left open."""
        for client in self.clients:
            client.close()
        for task in self.left_over:
            if not task.finished:
                task.outcome = "cancelled"
                task.reason = "its event loop ended while it was held"

    def note_late(self, error: BaseException, exchange: Exchange) -> None:
        """Keep an error that came after the response."""
        self.late_errors.append((error, exchange))
