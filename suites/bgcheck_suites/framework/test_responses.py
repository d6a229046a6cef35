"""Responses: what the client has when tasks start, and whose background runs."""

from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import BackgroundTasks, FastAPI
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import (
    FileResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from bgcheck_suites.apps import add_scheduling_route, let_the_others_go_on, scheduling_app
from bgcheck_suites.events import Contradiction, Gate, Log, same
from bgcheck_suites.lab import InProcess, Lab, OnServer
from bgcheck_suites.marks import requirement


def returning(response: Response, log: Log) -> FastAPI:
    """Return an app that schedules a task and returns this very response."""
    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks) -> Response:
        tasks.add_task(log.mark, "injected task")
        return response

    return app


@requirement("BGF-RESP-01")
def test_the_response_is_sent_before_the_first_task_starts(lab: Lab, log: Log) -> None:
    lab.send(scheduling_app(lambda tasks: tasks.add_task(log.mark, "task starts"))).settle()
    log.in_order("response complete", "task starts")


@requirement("BGF-RESP-02")
def test_the_client_has_the_response_while_a_task_runs(on_server: OnServer, log: Log) -> None:
    gate = Gate(log)

    def task() -> None:
        gate.wait()
        log.mark("task ends")

    exchange = on_server.send(scheduling_app(lambda tasks: tasks.add_task(task)))
    log.mark("client has the response")
    gate.open()
    exchange.settle()
    same("The client got another body.", exchange.body, b'{"state":"accepted"}')
    log.in_order("client has the response", "task ends")


@requirement("BGF-RESP-03")
def test_a_background_of_its_own_replaces_injected_tasks(lab: Lab, log: Log) -> None:
    own = BackgroundTask(log.mark, "own background")
    lab.send(returning(JSONResponse({}, background=own), log)).settle()
    log.times("own background", 1)
    log.never("injected task")


@requirement("BGF-RESP-04")
def test_a_returned_response_gets_the_injected_tasks(lab: Lab, log: Log) -> None:
    lab.send(returning(JSONResponse({}), log)).settle()
    log.times("injected task", 1)


@requirement("BGF-RESP-05")
def test_tasks_of_a_stream_run_after_its_last_chunk(lab: Lab, log: Log) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"first,"
        log.mark("last chunk")
        yield b"last"

    exchange = lab.send(returning(StreamingResponse(chunks()), log)).settle()
    same("The client got another stream.", exchange.body, b"first,last")
    log.in_order("last chunk", "response complete", "injected task")


@requirement("BGF-RESP-06")
def test_the_background_of_a_file_runs_after_the_file(lab: Lab, log: Log) -> None:
    path = Path(__file__)
    own = BackgroundTask(log.mark, "own background")
    exchange = lab.send(returning(FileResponse(path, background=own), log)).settle()
    same("The client got another file.", exchange.body, path.read_bytes())
    log.in_order("response complete", "own background")


@requirement("BGF-RESP-07")
def test_the_background_of_a_redirect_runs(lab: Lab, log: Log) -> None:
    own = BackgroundTask(log.mark, "own background")
    lab.send(returning(RedirectResponse("/elsewhere", background=own), log)).settle(307)
    log.in_order("response complete", "own background")


@requirement("BGF-RESP-08")
def test_tasks_of_a_response_without_body_run(lab: Lab, log: Log) -> None:
    app = FastAPI()

    @app.delete("/", status_code=204)
    def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task")

    lab.send(app, method="DELETE").settle(204)
    log.in_order("response complete", "task")


@requirement("BGF-RESP-09")
def test_a_task_outlives_the_connection(on_server: OnServer, log: Log) -> None:
    gate = Gate(log)

    async def task() -> None:
        await run_in_threadpool(gate.wait)
        log.mark("task ends")

    with on_server.connect() as connection:
        exchange = connection.send(scheduling_app(lambda tasks: tasks.add_task(task)))
    log.mark("client has gone")
    gate.open()
    exchange.settle()
    log.in_order("client has gone", "task ends")


@requirement("BGF-RESP-10")
def test_the_connection_is_free_while_a_task_runs(on_server: OnServer, log: Log) -> None:
    gate = Gate(log)

    def task() -> None:
        gate.wait()
        log.mark("task ends")

    app = scheduling_app(lambda tasks: tasks.add_task(task))
    add_scheduling_route(app, lambda _: log.mark("second request"), "/second")
    with on_server.connect() as connection:
        first = connection.send(app)
        connection.send(app, "/second").answered()
        log.mark("second response")
    gate.open()
    first.settle()
    log.in_order("second request", "second response", "task ends")


@requirement("BGF-RESP-11")
def test_the_in_process_client_returns_after_the_last_task(in_process: InProcess, log: Log) -> None:
    async def task() -> None:
        await let_the_others_go_on()
        log.mark("task ends")

    in_process.send(scheduling_app(lambda tasks: tasks.add_task(task)))
    log.mark("client has the response")
    log.in_order("task ends", "client has the response")


@requirement("BGF-RESP-12")
def test_one_response_can_carry_a_group(lab: Lab, log: Log) -> None:
    group = BackgroundTasks()
    group.add_task(log.mark, "task 1")
    group.add_task(log.mark_async, "task 2")
    response = JSONResponse({}, background=group)
    lab.send(returning(response, log)).settle()
    if response.background is not group:
        raise Contradiction("The response carries another group.", repr(response.background))
    log.in_order("task 1", "task 2")
