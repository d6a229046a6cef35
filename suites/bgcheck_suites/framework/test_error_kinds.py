"""Kinds of errors in tasks, and what handlers and connections make of them."""

import asyncio
import builtins
import traceback
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from fastapi import BackgroundTasks, FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bgcheck_suites.apps import TaskError, raising, scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log, same
from bgcheck_suites.lab import Lab, OnServer, own_server
from bgcheck_suites.marks import NotApplicable, requirement


def failing_app(error: Exception) -> FastAPI:
    """Return an app whose task raises."""
    return scheduling_app(lambda tasks: tasks.add_task(raising(error)))


def with_cause(error: BaseException) -> str:
    """Name an error, and the one that it came from."""
    cause = error.__cause__
    return type(error).__name__ + (f" from {type(cause).__name__}" if cause else "")


def raised_for(lab: Lab, app: FastAPI) -> str:
    """Say what the app raised to its server."""
    errors = lab.send(app).end().answered().root_errors()
    return "app raised " + (", ".join(map(with_cause, errors)) or "nothing")


@requirement("BGF-ERR-12")
def test_a_task_raises_http_exception(lab: Lab, observe: Observe) -> None:
    observe(raised_for(lab, failing_app(HTTPException(418))))


@requirement("BGF-ERR-13")
def test_a_task_raises_what_a_handler_is_registered_for(lab: Lab, observe: Observe) -> None:
    app = failing_app(TaskError("no"))

    @app.exception_handler(TaskError)
    def handler(_: Request, __: Exception) -> Response:
        return JSONResponse({}, 503)

    observe(raised_for(lab, app))


@requirement("BGF-ERR-14")
def test_a_task_raises_request_validation_error(lab: Lab, observe: Observe) -> None:
    observe(raised_for(lab, failing_app(RequestValidationError([]))))


@requirement("BGF-ERR-15")
def test_the_handler_of_500_and_the_error_of_a_task(lab: Lab, log: Log, observe: Observe) -> None:
    app = failing_app(TaskError("no"))

    @app.exception_handler(Exception)
    def handler(_: Request, __: Exception) -> Response:
        log.mark("handler")
        return JSONResponse({}, 500)

    exchange = lab.send(app).end()
    observe(f"{exchange.told()}, handler called {log.count('handler')} times")


@requirement("BGF-ERR-16")
def test_the_background_of_an_error_response_runs(lab: Lab, log: Log) -> None:
    app = broken_app(log)

    @app.exception_handler(TaskError)
    def handler(_: Request, __: Exception) -> Response:
        return JSONResponse({}, 503, background=BackgroundTask(log.mark, "own task"))

    lab.send(app).settle(503)
    log.in_order("response complete", "own task")


def broken_app(log: Log) -> FastAPI:
    """Return an app whose handler schedules a task and then fails."""

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task")
        raise TaskError("no")

    return scheduling_app(schedule)


@requirement("BGF-ERR-17")
def test_an_error_that_a_handler_answers_drops_the_tasks(lab: Lab, log: Log) -> None:
    app = broken_app(log)

    @app.exception_handler(TaskError)
    def handler(_: Request, __: Exception) -> Response:
        return JSONResponse({}, 503)

    lab.send(app).settle(503)
    log.never("task")


@requirement("BGF-ERR-18")
def test_the_background_of_the_response_to_500(lab: Lab, log: Log, observe: Observe) -> None:
    app = broken_app(log)

    @app.exception_handler(500)
    def handler(_: Request, __: Exception) -> Response:
        return JSONResponse({}, 500, background=BackgroundTask(log.mark, "own task"))

    exchange = lab.send(app).end()
    observe(f"{exchange.told()}, task ran {log.count('own task')} times")


@requirement("BGF-ERR-19")
def test_the_error_of_an_async_task_leaves_the_app(lab: Lab) -> None:
    error = TaskError("no")

    async def task() -> None:
        raise error

    exchange = lab.send(scheduling_app(lambda tasks: tasks.add_task(task))).end().answered()
    same("The app raised something else to its server.", exchange.root_errors(), [error])


@requirement("BGF-ERR-20")
@pytest.mark.parametrize("kind", ["def", "async"])
def test_the_traceback_leads_to_the_task(lab: Lab, kind: str) -> None:
    def failing_line() -> None:
        raise TaskError("no")

    async def async_task() -> None:
        failing_line()

    task: Callable[[], Any] = failing_line if kind == "def" else async_task
    errors = lab.send(scheduling_app(lambda tasks: tasks.add_task(task))).end().root_errors()
    frames = [frame.name for error in errors for frame in traceback.extract_tb(error.__traceback__)]
    same("The traceback does not end in the task.", frames[-1:], ["failing_line"])


@requirement("BGF-ERR-21")
def test_a_def_task_raises_stop_iteration(lab: Lab, observe: Observe) -> None:
    observe(lab.send(failing_app(StopIteration())).end().told())


@requirement("BGF-ERR-22")
def test_a_group_that_a_task_group_raises(lab: Lab, observe: Observe) -> None:
    async def child() -> None:
        raise TaskError("no")

    async def task() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(child)

    exchange = lab.send(scheduling_app(lambda tasks: tasks.add_task(task))).end()
    observe(f"app raised {type(exchange.call.error).__name__}")


def group_of(*errors: Exception) -> Exception:
    """Return an exception group, where this Python has them."""
    made: Any = getattr(builtins, "ExceptionGroup", None)
    if made is None:
        raise NotApplicable("exception groups came with Python 3.11")
    group: Exception = made("group", errors)
    return group


async def passing(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Pass the request on, and its response back."""
    return await call_next(request)


@requirement("BGF-ERR-23")
def test_a_group_behind_base_http_middleware(lab: Lab, observe: Observe) -> None:
    group = group_of(TaskError("no"))
    app = failing_app(group)
    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    raised = lab.send(app).end().call.error
    same_one = "the same" if raised is group else "another"
    observe("nothing" if raised is None else f"{same_one} {type(raised).__name__}")


@requirement("BGF-ERR-24")
def test_the_connection_after_the_failure_of_a_task(on_server: OnServer, observe: Observe) -> None:
    app = failing_app(TaskError("no"))
    app.get("/second")(lambda: "served")
    with on_server.connect() as connection:
        connection.send(app).end().answered()
        second = connection.send(app, "/second")
    observe("serves the next request" if second.status else "is closed")


def exit_app(error: type[BaseException], *, middleware: bool) -> FastAPI:
    """Return an app whose async task raises what is no Exception."""

    async def task() -> None:
        raise error

    app = scheduling_app(lambda tasks: tasks.add_task(task))
    if middleware:
        app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    return app


def fate_of_the_server(log: Log, error: type[BaseException], *, middleware: bool = False) -> str:
    """Say what the client got, and whether the server goes on until it is asked to stop."""
    with own_server(log) as place:
        status = place.send(exit_app(error, middleware=middleware)).end().status
        place.server.stop()
        place.server.ended()
        broken = place.server.error
    fate = "goes on" if broken is None else f"ended by {type(broken).__name__}"
    return f"client got {status}, server {fate}"


@requirement("BGF-ERR-25")
def test_a_task_raises_system_exit(log: Log, observe: Observe) -> None:
    observe(fate_of_the_server(log, SystemExit))


@requirement("BGF-ERR-26")
def test_a_task_raises_keyboard_interrupt(log: Log, observe: Observe) -> None:
    observe(fate_of_the_server(log, KeyboardInterrupt))


@requirement("BGF-ERR-27")
def test_a_task_raises_system_exit_behind_base_http_middleware(log: Log, observe: Observe) -> None:
    observe(fate_of_the_server(log, SystemExit, middleware=True))


@requirement("BGF-ERR-28")
@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit], ids=lambda e: e.__name__)
def test_a_task_raises_what_is_no_exception(on_server: OnServer, error: Any, log: Log) -> None:
    raised = error()

    async def fail() -> None:
        raise raised

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(fail)
        tasks.add_task(log.mark, "task after")

    exchange = on_server.send(scheduling_app(schedule)).end().answered()
    same("The app raised something else.", exchange.call.error, raised)
    same("The server did not log it.", on_server.server.logged(raised), True)
    log.never("task after")
