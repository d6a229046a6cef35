"""Middleware between the response and the client."""

from fastapi import BackgroundTasks, FastAPI
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response

from bgcheck_suites.apps import TaskError, let_the_others_go_on, scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Gate, Log
from bgcheck_suites.lab import Lab, OnServer
from bgcheck_suites.marks import requirement


async def passing(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Pass the request on, and its response back."""
    return await call_next(request)


def with_base_http_middleware(app: FastAPI, layers: int = 1) -> FastAPI:
    """Put layers of BaseHTTPMiddleware around an app."""
    for _ in range(layers):
        app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    return app


@requirement("BGF-MW-01")
def test_tasks_run_behind_base_http_middleware(lab: Lab, log: Log) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task 1")
        tasks.add_task(log.mark_async, "task 2")

    lab.send(with_base_http_middleware(scheduling_app(schedule), layers=2)).settle()
    log.in_order("task 1", "task 2")


@requirement("BGF-MW-02")
def test_the_error_of_a_task_behind_base_http_middleware(
    lab: Lab, log: Log, observe: Observe
) -> None:
    async def task() -> None:
        await let_the_others_go_on()
        raise TaskError("no")

    app = scheduling_app(lambda tasks: tasks.add_task(task))
    exchange = lab.send(with_base_http_middleware(app)).end()
    raised = ", ".join(type(error).__name__ for error in exchange.root_errors()) or "nothing"
    observe(f"client got {exchange.status}, app raised {raised}")


@requirement("BGF-MW-03")
def test_the_client_behind_base_http_middleware_need_not_wait(
    on_server: OnServer, log: Log
) -> None:
    gate = Gate(log)

    def task() -> None:
        gate.wait()
        log.mark("task ends")

    app = with_base_http_middleware(scheduling_app(lambda tasks: tasks.add_task(task)))
    exchange = on_server.send(app)
    log.mark("client has the response")
    gate.open()
    exchange.settle()
    log.in_order("client has the response", "task ends")


@requirement("BGF-MW-04")
def test_tasks_run_after_a_compressed_response(lab: Lab, log: Log) -> None:
    app = scheduling_app(lambda tasks: tasks.add_task(log.mark, "task"))
    app.add_middleware(GZipMiddleware, minimum_size=1)
    lab.send(app).settle()
    log.in_order("response complete", "task")


@requirement("BGF-MW-05")
def test_middleware_returns_before_or_after_the_tasks(lab: Lab, log: Log, observe: Observe) -> None:
    app = scheduling_app(lambda tasks: tasks.add_task(log.mark, "task"))

    async def around(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        log.mark("dispatch ends")
        return response

    app.add_middleware(BaseHTTPMiddleware, dispatch=around)
    lab.send(app).settle()
    before = log.first("dispatch ends").number < log.first("task").number
    observe("dispatch ends, task" if before else "task, dispatch ends")


@requirement("BGF-MW-06")
def test_the_response_behind_base_http_middleware_ends_before_or_after_the_tasks(
    lab: Lab, log: Log, observe: Observe
) -> None:
    async def task() -> None:
        await let_the_others_go_on()
        log.mark("task ends")

    app = scheduling_app(lambda tasks: tasks.add_task(task))
    lab.send(with_base_http_middleware(app)).settle()
    before = log.first("response complete").number < log.first("task ends").number
    observe("response ends, task ends" if before else "task ends, response ends")
