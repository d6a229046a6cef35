"""Event loops other than asyncio's own, and websockets."""

import asyncio
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import anyio
import pytest
from fastapi import BackgroundTasks, FastAPI, WebSocket
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from bgcheck_suites.apps import TaskError, let_the_others_go_on, raising, scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Gate, Log, same
from bgcheck_suites.lab import Call, Exchange, InProcess, OnServer, own_server
from bgcheck_suites.marks import NotApplicable, requirement


def need(module: str) -> None:
    """Leave the probe out where an optional library is missing."""
    if find_spec(module) is None:
        raise NotApplicable(f"{module} is not installed")


def need_trio() -> None:
    """Leave the probe out where this anyio cannot run on this trio."""
    need("trio")

    async def group() -> None:
        async with anyio.create_task_group():
            pass

    try:
        anyio.run(group, backend="trio")
    except AttributeError as error:
        raise NotApplicable(f"this anyio does not run on this trio: {error}") from None


def on_trio(app: FastAPI, log: Log) -> Exchange:
    """Send one request in process, with trio as the event loop."""
    need_trio()
    call = Call(app, log)
    response = InProcess.client(call, backend="trio").get("/")
    return Exchange(call, response.status_code, response.content, response.headers)


def both_kinds(log: Log) -> Callable[[BackgroundTasks], None]:
    """Return what schedules an async and a def task."""

    async def async_task() -> None:
        await let_the_others_go_on()
        log.mark("async task")

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(async_task)
        tasks.add_task(log.mark, "def task")

    return schedule


@requirement("BGF-LOOP-01")
def test_tasks_run_on_trio(log: Log) -> None:
    on_trio(scheduling_app(both_kinds(log)), log).settle()
    log.in_order("response complete", "async task", "def task")


@requirement("BGF-LOOP-02")
def test_the_error_of_a_task_on_trio(log: Log) -> None:
    error = TaskError("no")
    app = scheduling_app(lambda tasks: tasks.add_task(raising(error)))
    exchange = on_trio(app, log).end().answered()
    same("The app raised something else.", exchange.root_errors(), [error])


@requirement("BGF-LOOP-03")
def test_a_task_for_asyncio_alone_on_trio(log: Log, observe: Observe) -> None:
    async def task() -> None:
        await asyncio.sleep(0.001)

    observe(on_trio(scheduling_app(lambda tasks: tasks.add_task(task)), log).end().told())


@pytest.fixture
def uvloop_server(log: Log) -> Any:
    """A server on uvloop."""
    need("uvloop")
    with own_server(log, loop="uvloop") as place:
        yield place


@requirement("BGF-LOOP-04")
def test_tasks_run_on_uvloop(uvloop_server: OnServer, log: Log) -> None:
    kinds: list[str] = []

    async def note() -> None:
        kinds.append(type(asyncio.get_running_loop()).__module__)

    def schedule(tasks: BackgroundTasks) -> None:
        both_kinds(log)(tasks)
        tasks.add_task(note)

    uvloop_server.send(scheduling_app(schedule)).settle()
    log.in_order("response complete", "async task", "def task")
    same("The server runs on another loop.", kinds, ["uvloop"])


@requirement("BGF-LOOP-05")
def test_the_client_has_the_response_while_a_task_runs_on_uvloop(
    uvloop_server: OnServer, log: Log
) -> None:
    gate = Gate(log)

    def task() -> None:
        gate.wait()
        log.mark("task ends")

    exchange = uvloop_server.send(scheduling_app(lambda tasks: tasks.add_task(task)))
    log.mark("client has the response")
    gate.open()
    exchange.settle()
    log.in_order("client has the response", "task ends")


@requirement("BGF-WS-01")
def test_a_group_that_a_websocket_runs_by_hand(log: Log, in_process: InProcess) -> None:
    app = FastAPI()

    @app.websocket("/")
    async def endpoint(websocket: WebSocket, tasks: BackgroundTasks) -> None:
        await websocket.accept()
        tasks.add_task(log.mark, "task")
        await tasks()
        await websocket.send_text("done")
        await websocket.close()

    with in_process.client(app).websocket_connect("/") as websocket:
        same("The client got something else.", websocket.receive_text(), "done")
    log.times("task", 1)


@requirement("BGF-WS-02")
def test_the_background_of_a_response_that_denies_a_websocket(log: Log, observe: Observe) -> None:
    sent: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = JSONResponse({}, 403, background=BackgroundTask(log.mark, "task"))
        await response(scope, receive, send)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def call() -> None:
        await app(
            {"type": "websocket", "extensions": {"websocket.http.response": {}}}, receive, send
        )

    anyio.run(call)
    kind = "denial" if sent[0] == "websocket.http.response.start" else "messages of plain HTTP"
    observe(f"{kind}, background {'runs' if log.count('task') else 'dropped'}")
