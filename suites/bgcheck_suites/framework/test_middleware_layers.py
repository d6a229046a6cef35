"""What middleware does with the tasks of a response, and what it sees of them."""

import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bgcheck_suites.apps import (
    TaskError,
    add_scheduling_route,
    let_the_others_go_on,
    raising,
    scheduling_app,
)
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Contradiction, Gate, Log, same
from bgcheck_suites.lab import Lab, OnServer
from bgcheck_suites.marks import requirement

VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")


class Around:
    """Pure ASGI middleware that marks when the app has returned, or what it raised."""

    def __init__(self, app: ASGIApp, log: Log) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app, and mark its end."""
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            self.log.mark("middleware sees the error", error)
            raise
        self.log.mark("app has returned")


async def passing(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Pass the request on, and its response back."""
    return await call_next(request)


def slow_task_app(log: Log) -> FastAPI:
    """Return an app with a task that lets others go on before it ends."""

    async def task() -> None:
        await let_the_others_go_on()
        log.mark("route's task")

    return scheduling_app(lambda tasks: tasks.add_task(task))


def long_task(log: Log, whose: str) -> Callable[[], Awaitable[None]]:
    """Return a task that marks its start and, after others could go on, its end."""

    async def task() -> None:
        log.mark(f"{whose} task starts")
        await let_the_others_go_on()
        log.mark(f"{whose} task ends")

    return task


@requirement("BGF-MW-07")
def test_a_background_that_middleware_sets(lab: Lab, log: Log, observe: Observe) -> None:
    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.background = BackgroundTask(long_task(log, "middleware's"))
        return response

    app = scheduling_app(lambda tasks: tasks.add_task(long_task(log, "route's")))
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    lab.send(app).settle()
    first, second, *_ = [event.label for event in log.events if "task" in event.label]
    in_turn = first.split()[0] == second.split()[0]
    observe(f"{first.split()[0]} task first" if in_turn else "at the same time")


@requirement("BGF-MW-08")
def test_middleware_replaces_the_response(lab: Lab, log: Log, observe: Observe) -> None:
    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        await call_next(request)
        return JSONResponse({"state": "replaced"})

    app = scheduling_app(lambda tasks: tasks.add_task(log.mark, "task"))
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    exchange = lab.send(app).settle()
    same("The client got another body.", exchange.body, b'{"state":"replaced"}')
    observe("the tasks run" if log.count("task") else "the tasks are dropped")


@requirement("BGF-MW-09")
def test_the_error_of_a_task_behind_two_layers(lab: Lab, observe: Observe) -> None:
    async def task() -> None:
        await let_the_others_go_on()
        raise TaskError("no")

    app = scheduling_app(lambda tasks: tasks.add_task(task))
    for _ in range(2):
        app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    observe(lab.send(app).end().told())


@requirement("BGF-MW-10")
def test_dispatch_does_not_see_the_error_of_a_task(lab: Lab, log: Log) -> None:
    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        try:
            return await call_next(request)
        except TaskError:
            log.mark("dispatch sees the error")
            raise

    app = scheduling_app(lambda tasks: tasks.add_task(raising(TaskError("no"))))
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    lab.send(app).end().answered()
    log.never("dispatch sees the error")


@requirement("BGF-MW-11")
def test_a_variable_that_dispatch_sets_is_seen(lab: Lab) -> None:
    seen: list[str] = []

    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        VARIABLE.set("by dispatch")
        return await call_next(request)

    app = scheduling_app(lambda tasks: tasks.add_task(lambda: seen.append(VARIABLE.get())))
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    lab.send(app).settle()
    same("The task saw another value.", seen, ["by dispatch"])


@requirement("BGF-MW-12")
def test_a_variable_that_a_task_sets_and_pure_middleware(
    lab: Lab, log: Log, observe: Observe
) -> None:
    observe(_seen_outside(lab, log, base=False))


@requirement("BGF-MW-13")
def test_a_variable_that_a_task_sets_behind_base_http_middleware(
    lab: Lab, log: Log, observe: Observe
) -> None:
    observe(_seen_outside(lab, log, base=True))


def _seen_outside(lab: Lab, log: Log, *, base: bool) -> str:
    async def task() -> None:
        VARIABLE.set("by the task")

    app = scheduling_app(lambda tasks: tasks.add_task(task))
    if base:
        app.add_middleware(BaseHTTPMiddleware, dispatch=passing)

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        log.mark("outside", VARIABLE.get())

    lab.send(outer).settle()
    return "seen outside" if log.first("outside").value == "by the task" else "not seen outside"


@requirement("BGF-MW-14")
def test_pure_middleware_goes_on_after_the_tasks(lab: Lab, log: Log) -> None:
    app = slow_task_app(log)
    app.add_middleware(Around, log=log)
    lab.send(app).settle()
    log.in_order("response complete", "route's task", "app has returned")


@requirement("BGF-MW-15")
def test_pure_middleware_sees_the_error_of_a_task(lab: Lab, log: Log) -> None:
    error = TaskError("no")
    app = scheduling_app(lambda tasks: tasks.add_task(raising(error)))
    app.add_middleware(Around, log=log)
    lab.send(app).end()
    if log.first("middleware sees the error").value is not error:
        raise Contradiction("The middleware sees another error.", str(log.events[-1].value))


@requirement("BGF-MW-16")
def test_a_task_behind_gzip_fails(lab: Lab) -> None:
    error = TaskError("no")
    app = scheduling_app(lambda tasks: tasks.add_task(raising(error)))
    app.add_middleware(GZipMiddleware, minimum_size=1)
    exchange = lab.send(app).end().answered()
    same("The app raised something else to its server.", exchange.root_errors(), [error])


@requirement("BGF-MW-17")
@pytest.mark.parametrize("middleware", [GZipMiddleware, BaseHTTPMiddleware])
def test_tasks_of_a_stream_behind_middleware_run_after_it(
    lab: Lab, log: Log, middleware: Any
) -> None:
    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first,"
            log.mark("last chunk")
            yield b"last"

        tasks.add_task(log.mark, "task")
        return StreamingResponse(chunks())

    options: dict[str, Any] = {"dispatch": passing} if middleware is BaseHTTPMiddleware else {}
    app.add_middleware(middleware, **options)
    lab.send(app, headers={"accept-encoding": "gzip"}).settle()
    log.in_order("last chunk", "task")


@requirement("BGF-MW-18")
def test_the_connection_behind_base_http_middleware(
    on_server: OnServer, log: Log, observe: Observe
) -> None:
    gate = Gate(log)
    app = scheduling_app(lambda tasks: tasks.add_task(gate.wait))
    add_scheduling_route(app, lambda _: log.mark("second request"), "/second")
    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    with on_server.connect() as connection:
        first = connection.send(app)
        waiting = connection.start(app, "/second")
        # Two round trips of others: what the server can read of this connection, it has read.
        on_server.send(scheduling_app(lambda _: None)).settle()
        on_server.send(scheduling_app(lambda _: None)).settle()
        served = log.count("second request")
        gate.open()
        connection.receive(waiting).answered()
    first.end()
    observe("served while the task runs" if served else "served after the task")


@requirement("BGF-MW-19")
def test_middleware_that_answers_by_itself_schedules_nothing(lab: Lab, log: Log) -> None:
    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return JSONResponse({"state": "refused"}, 403, background=BackgroundTask(log.mark, "own"))

    app = scheduling_app(lambda tasks: tasks.add_task(log.mark, "task"))
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    lab.send(app).settle(403)
    log.in_order("response complete", "own")
    log.never("task")
