"""Clients that leave, and calls that are cancelled."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from fastapi import BackgroundTasks, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message

from bgcheck_suites.apps import let_the_others_go_on, scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.direct import call_directly
from bgcheck_suites.events import LIMIT, Gate, Log
from bgcheck_suites.lab import OnServer
from bgcheck_suites.marks import requirement


def fate(log: Log, label: str = "task") -> str:
    """Say what became of something that marks its start, its end or its cancellation."""
    if log.count(f"{label} ends"):
        return f"{label} ran to its end"
    if log.count(f"{label} cancelled"):
        return f"{label} cancelled"
    return f"{label} not ended" if log.count(f"{label} starts") else f"{label} never started"


def waiting_task(log: Log, gate: Gate) -> Callable[[], Awaitable[None]]:
    """Return an async task that waits for the gate, and marks how it ends."""

    async def task() -> None:
        log.mark("task starts")
        try:
            await run_in_threadpool(gate.wait)
        except asyncio.CancelledError:
            log.mark("task cancelled")
            raise
        log.mark("task ends")

    return task


async def passing(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Pass the request on, and its response back."""
    return await call_next(request)


@requirement("BGF-CANCEL-01")
@pytest.mark.parametrize("kind", ["async", "def"])
def test_a_client_leaves_before_the_response(on_server: OnServer, log: Log, kind: str) -> None:
    gate, app = Gate(log), FastAPI()

    def finish(tasks: BackgroundTasks) -> None:
        log.mark("handler ends")
        tasks.add_task(log.mark, "task")

    async def async_endpoint(tasks: BackgroundTasks) -> None:
        log.mark("handler starts")
        await run_in_threadpool(gate.wait)
        finish(tasks)

    def endpoint(tasks: BackgroundTasks) -> None:
        log.mark("handler starts")
        gate.wait()
        finish(tasks)

    app.get("/")(async_endpoint if kind == "async" else endpoint)
    leave_after("handler starts", on_server, app, gate)
    log.in_order("handler starts", "client has gone", "handler ends", "task")


def leave_after(label: str, on_server: OnServer, app: FastAPI, gate: Gate) -> None:
    """Close the client's connection when something has happened, then open the gate."""
    log = on_server.log
    with on_server.connect() as connection:
        call = connection.start(app)
        log.wait(label)
    log.mark("client has gone")
    # Two round trips of others: the server has read that the first connection is closed.
    on_server.send(scheduling_app(lambda _: None)).settle()
    on_server.send(scheduling_app(lambda _: None)).settle()
    gate.open()
    call.ended.wait(LIMIT)


def endless_app(log: Log, gate: Gate) -> FastAPI:
    """Return an app with a stream that waits for the gate, and a task."""
    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            log.mark("stream starts")
            try:
                await run_in_threadpool(gate.wait)
                yield b"last"
                log.mark("stream ends")
            except asyncio.CancelledError:
                log.mark("stream cancelled")
                raise

        tasks.add_task(log.mark, "task ends")
        return StreamingResponse(chunks())

    return app


@requirement("BGF-CANCEL-02")
def test_a_client_leaves_a_stream(on_server: OnServer, log: Log, observe: Observe) -> None:
    gate = Gate(log)
    leave_after("stream starts", on_server, endless_app(log, gate), gate)
    observe(fate(log))


@requirement("BGF-CANCEL-03")
def test_a_client_leaves_a_stream_behind_base_http_middleware(
    on_server: OnServer, log: Log, observe: Observe
) -> None:
    gate = Gate(log)
    app = endless_app(log, gate)
    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    leave_after("stream starts", on_server, app, gate)
    observe(fate(log))


@requirement("BGF-CANCEL-04")
def test_a_client_leaves_while_a_task_runs_behind_base_http_middleware(
    on_server: OnServer, log: Log, observe: Observe
) -> None:
    gate = Gate(log)
    task = waiting_task(log, gate)
    app = scheduling_app(lambda tasks: tasks.add_task(task))
    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    leave_after("task starts", on_server, app, gate)
    observe(fate(log))


def _body(message: Message) -> bool:
    return str(message["type"]) == "http.response.body"


def directly(app: Any, log: Log, **options: Any) -> str:
    """Call an app whose client refuses the body, and say what came of it."""

    async def call() -> list[BaseException]:
        return await call_directly(app, log, refuses=_body, **options)

    raised = ", ".join(type(error).__name__ for error in anyio.run(call)) or "nothing"
    return f"app raised {raised}, {fate(log)}"


@requirement("BGF-CANCEL-05")
def test_the_client_has_gone_when_the_response_is_sent(log: Log, observe: Observe) -> None:
    app = scheduling_app(lambda tasks: tasks.add_task(log.mark, "task ends"))
    observe(directly(app, log))


@requirement("BGF-CANCEL-06")
def test_the_client_has_gone_when_a_stream_is_sent(log: Log, observe: Observe) -> None:
    gate = Gate(log)
    gate.open()
    observe(directly(endless_app(log, gate), log, spec_version="2.4"))


class Cancelled:
    """A call that is cancelled while its first task runs, a def or an async one."""

    def __init__(self, log: Log, kind: str) -> None:
        self.log = log
        self.gate = Gate(log)
        self.app = scheduling_app(self._schedule)
        self._kind = kind
        self._thread_ended = threading.Event()

    def _schedule(self, tasks: BackgroundTasks) -> None:
        tasks.add_task(self._async_task if self._kind == "async" else self._def_task)
        tasks.add_task(self.log.mark, "next starts")

    async def _async_task(self) -> None:
        self.log.mark("task starts")
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            self.log.mark("task cancelled")
            raise

    def _def_task(self) -> None:
        self.log.mark("task starts")
        self.gate.wait()
        self.log.mark("task ends")
        self._thread_ended.set()

    async def started(self) -> None:
        """Let the call go on until the task has started."""
        while not self.log.count("task starts"):
            await anyio.lowlevel.checkpoint()

    def told(self) -> str:
        """Open the gate, let the thread end, and say what became of both tasks."""
        self.gate.open()
        if self._kind == "def":
            self._thread_ended.wait(LIMIT)
        return f"{fate(self.log)}, {fate(self.log, 'next')}"


def by_asyncio(case: Cancelled) -> str:
    """Cancel the call as `asyncio.timeout` and `wait_for` do; say whether it waited."""

    async def main() -> None:
        call = asyncio.ensure_future(call_directly(case.app, case.log))
        await case.started()
        call.cancel()
        await let_the_others_go_on()
        case.log.mark("call over" if call.done() else "call waits")
        case.gate.open()
        await asyncio.wait([call])

    asyncio.run(main())
    return case.told()


@requirement("BGF-CANCEL-07")
def test_a_call_with_an_async_task_is_cancelled(log: Log, observe: Observe) -> None:
    observe(by_asyncio(Cancelled(log, "async")))


@requirement("BGF-CANCEL-08")
def test_a_call_with_a_def_task_is_cancelled(log: Log, observe: Observe) -> None:
    told = by_asyncio(Cancelled(log, "def"))
    observe(f"{told}, call {'waits for it' if log.count('call waits') else 'does not wait'}")


@requirement("BGF-CANCEL-09")
def test_a_cancel_scope_around_a_call_with_a_def_task(log: Log, observe: Observe) -> None:
    case, over = Cancelled(log, "def"), list[str]()

    async def call() -> None:
        try:
            await call_directly(case.app, log)
        finally:
            over.append("call")

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await case.started()
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await let_the_others_go_on()
            log.mark("call over" if over else "call waits")
            case.gate.open()

    anyio.run(main)
    observe(f"{case.told()}, call {'waits for it' if log.count('call waits') else 'does not wait'}")


@requirement("BGF-CANCEL-10")
def test_a_shield_keeps_a_task_from_being_cancelled(log: Log) -> None:
    gate = Gate(log)

    async def task() -> None:
        with anyio.CancelScope(shield=True):
            log.mark("task starts")
            await run_in_threadpool(gate.wait)
            log.mark("task ends")

    app = scheduling_app(lambda tasks: tasks.add_task(task))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(call_directly, app, log)
            with anyio.move_on_after(LIMIT):
                while not log.count("task starts"):
                    await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
            gate.open()

    anyio.run(main)
    log.in_order("task starts", "task ends")
