"""Where test clients and a real server disagree."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import anyio

from bgcheck.runner.clients.http_library import httpx
from bgcheck_suites.apps import TaskError, let_the_others_go_on, raising, scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import LIMIT, Log
from bgcheck_suites.lab import InProcess, OnServer
from bgcheck_suites.marks import requirement

VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")


def by_transport(app: Any, then: Callable[[], None] = lambda: None, **options: Any) -> Any:
    """Send one request through httpx's ASGITransport."""

    async def request() -> Any:
        transport = httpx.ASGITransport(app=app, **options)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            response = await client.get("/")
            then()
            return response

    return anyio.run(request)


def outcome(call: Callable[[], Any]) -> str:
    """Say the status that a call gives, or the error that it raises."""
    try:
        return str(call().status_code)
    except Exception as error:
        return f"raises {type(error).__name__}"


def failing_app() -> Any:
    """Return an app whose task fails."""
    return scheduling_app(lambda tasks: tasks.add_task(raising(TaskError("no"))))


@requirement("BGF-CLIENT-06")
def test_asgitransport_and_the_error_of_a_task(observe: Observe) -> None:
    quiet = outcome(lambda: by_transport(failing_app(), raise_app_exceptions=False))
    observe(f"{outcome(lambda: by_transport(failing_app()))}, with errors off {quiet}")


@requirement("BGF-CLIENT-07")
def test_testclient_and_the_error_of_a_task(observe: Observe) -> None:
    loud = outcome(lambda: InProcess.client(failing_app(), raise_errors=True).get("/"))
    quiet = outcome(lambda: InProcess.client(failing_app()).get("/"))
    observe(f"{loud}, with errors off {quiet}")


@requirement("BGF-CLIENT-08")
def test_the_thread_of_an_async_task(observe: Observe) -> None:
    seen: list[int] = []

    async def task() -> None:
        seen.append(threading.get_ident())

    app = scheduling_app(lambda tasks: tasks.add_task(task))
    InProcess.client(app).get("/")
    by_transport(app)
    own = ["the test's" if ident == threading.get_ident() else "another" for ident in seen]
    observe(f"TestClient {own[0]}, ASGITransport {own[1]}")


@requirement("BGF-CLIENT-09")
def test_a_variable_of_the_test(observe: Observe) -> None:
    seen: list[str] = []
    app = scheduling_app(lambda tasks: tasks.add_task(lambda: seen.append(VARIABLE.get())))
    token = VARIABLE.set("seen")
    try:
        InProcess.client(app).get("/")
        by_transport(app)
    finally:
        VARIABLE.reset(token)
    observe(f"TestClient {seen[0]}, ASGITransport {seen[1]}")


class Left:
    """A task that leaves work to the event loop, and what became of the work."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.said = ""
        self.go_on = threading.Event()
        self.app = scheduling_app(lambda tasks: tasks.add_task(self._leave))

    async def _leave(self) -> None:
        self._task = asyncio.ensure_future(self._work())
        await let_the_others_go_on()

    async def _work(self) -> None:
        self.said = "cancelled"
        try:
            while not self.go_on.is_set():
                await let_the_others_go_on()
            self.said = "goes on"
        finally:
            self.over.set()

    def told(self) -> str:
        """Let the work go on, and say what became of it."""
        self.go_on.set()
        self.over.wait(LIMIT)
        return self.said


@requirement("BGF-CLIENT-10")
def test_work_that_a_task_leaves_to_the_loop(on_server: OnServer, observe: Observe) -> None:
    alone, block, server = Left(), Left(), Left()
    InProcess.client(alone.app).get("/")
    alone_told = alone.told()
    with InProcess.client(block.app) as client:
        client.get("/")
        block_told = block.told()
    on_server.send(server.app).settle()
    observe(f"TestClient {alone_told}, in its block {block_told}, real server {server.told()}")


@requirement("BGF-CLIENT-11")
def test_when_a_stream_of_testclient_is_handed_over(log: Log, observe: Observe) -> None:
    app = scheduling_app(lambda tasks: tasks.add_task(log.mark, "task"))
    with InProcess.client(app).stream("GET", "/") as response:
        log.mark("handed over")
        response.read()
    observe(_relative(log))


@requirement("BGF-CLIENT-12")
def test_when_a_stream_of_asgitransport_is_handed_over(log: Log, observe: Observe) -> None:
    app = scheduling_app(lambda tasks: tasks.add_task(log.mark, "task"))

    async def request() -> None:
        transport = httpx.ASGITransport(app=app)
        client = httpx.AsyncClient(transport=transport, base_url="http://test")
        async with client, client.stream("GET", "/") as response:
            log.mark("handed over")
            await response.aread()

    anyio.run(request)
    observe(_relative(log))


@requirement("BGF-CLIENT-13")
def test_a_stream_of_testclient_that_is_left_unread(log: Log, observe: Observe) -> None:
    app = scheduling_app(lambda tasks: tasks.add_task(log.mark, "task"))
    with InProcess.client(app).stream("GET", "/"):
        log.mark("handed over")
    observe("the task runs" if log.count("task") else "the task is dropped")


def _relative(log: Log) -> str:
    before = log.first("handed over").number < log.first("task").number
    return "before the task" if before else "after the task"


@requirement("BGF-CLIENT-14")
def test_a_time_out_around_a_call_of_asgitransport(observe: Observe) -> None:
    ended: list[str] = []

    async def task() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    app = scheduling_app(lambda tasks: tasks.add_task(task))

    async def request() -> str:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            call = asyncio.ensure_future(client.get("/"))
            await let_the_others_go_on()
            call.cancel()
            await asyncio.wait([call])
            return "no response" if call.cancelled() else "a response"

    observe(f"{asyncio.run(request())}, task {', '.join(ended) or 'not cancelled'}")
