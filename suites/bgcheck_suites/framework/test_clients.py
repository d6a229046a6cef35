"""Clients: what a test client shows of a request, against a real server."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request

from bgcheck import BackgroundTasksLog, record
from bgcheck.runner.clients.http_library import httpx
from bgcheck_suites.apps import let_the_others_go_on, scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Gate, Log, same
from bgcheck_suites.lab import Call, InProcess, OnServer
from bgcheck_suites.marks import requirement


@pytest.fixture
def bgtasks() -> Iterator[BackgroundTasksLog]:
    """Record and control tasks; the plugin is not loaded where the framework is measured."""
    with record() as recorded:
        yield recorded


@dataclass(frozen=True)
class Scenario:
    """One request with a dependency that yields and a task, in one of the ways to write them."""

    async_task: bool
    async_dependency: bool
    middleware: bool
    fails: bool = False

    def __str__(self) -> str:
        names = [
            "async task" if self.async_task else "def task",
            "async dependency" if self.async_dependency else "def dependency",
        ]
        return ", ".join(names + ["BaseHTTPMiddleware"] * self.middleware)

    def app(self, log: Log) -> FastAPI:
        """Return an app that marks each step in the log."""
        app = FastAPI()
        dependency = self._async_dependency(log) if self.async_dependency else self._def(log)

        @app.get("/")
        async def endpoint(tasks: BackgroundTasks, resource: None = Depends(dependency)) -> None:
            tasks.add_task(self._task(log))

        if self.middleware:
            app.middleware("http")(_pass_on)
        return app

    def _async_dependency(self, log: Log) -> Callable[[], AsyncIterator[None]]:
        async def resource() -> AsyncIterator[None]:
            try:
                yield
            finally:
                log.mark("dependency exits")

        return resource

    def _def(self, log: Log) -> Callable[[], Iterator[None]]:
        def resource() -> Iterator[None]:
            try:
                yield
            finally:
                log.mark("dependency exits")

        return resource

    def _task(self, log: Log) -> Callable[[], Any]:
        async def later() -> None:
            log.mark("task starts")
            await let_the_others_go_on()
            self._end(log)

        def work() -> None:
            log.mark("task starts")
            self._end(log)

        return later if self.async_task else work

    def _end(self, log: Log) -> None:
        log.mark("task ends")
        if self.fails:
            raise ValueError("the task fails")


async def _pass_on(request: Request, call_next: Any) -> Any:
    return await call_next(request)


SCENARIOS = [Scenario(*ways) for ways in itertools.product((True, False), repeat=3)]


def _labels(log: Log) -> list[str]:
    return [event.label for event in log.events]


def _on_server(scenario: Scenario, on_server: OnServer) -> list[str]:
    on_server.send(scenario.app(on_server.log)).end().answered()
    return _labels(on_server.log)


def _response_first(scenario: Scenario, bgtasks: BackgroundTasksLog) -> list[str]:
    log = Log()
    with bgtasks.client(Call(scenario.app(log), log)) as client:
        same("The response has another status.", client.get("/").status_code, 200)
        client.drain()
    return _labels(log)


@requirement("BGF-CLIENT-01")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_response_first_client_gives_the_order_of_a_server(
    scenario: Scenario, on_server: OnServer, bgtasks: BackgroundTasksLog
) -> None:
    expected = _on_server(scenario, on_server)
    same("The server did not run it all.", len(expected), 4)
    observed = _response_first(scenario, bgtasks)
    same("The order is another one than on a real server.", observed, expected)


@requirement("BGF-CLIENT-02")
@pytest.mark.parametrize("middleware", [False, True], ids=["plain", "BaseHTTPMiddleware"])
def test_a_failing_task_ends_as_on_a_server(
    middleware: bool, on_server: OnServer, bgtasks: BackgroundTasksLog
) -> None:
    scenario = Scenario(True, True, middleware, fails=True)
    expected = _on_server(scenario, on_server)
    observed = _response_first(scenario, bgtasks)
    same("The order is another one than on a real server.", observed, expected)
    same("The task has another outcome.", bgtasks[-1].outcome, "failed")


@requirement("BGF-CLIENT-03")
def test_a_second_request_sees_the_task_pending(
    on_server: OnServer, bgtasks: BackgroundTasksLog
) -> None:
    gate = Gate(on_server.log)
    waiting = _polled(gate.wait)
    on_server.send(waiting, "/").answered()
    polled = on_server.send(waiting, "/state").answered()
    gate.open()
    same("The server showed another state.", polled.body, b'"pending"')

    app = _polled(lambda: None)
    with bgtasks.client(app) as client, bgtasks.hold():
        client.get("/")
        same("The client showed another state.", client.get("/state").content, b'"pending"')


def _polled(work: Callable[[], None]) -> FastAPI:
    """Return an app that tells by `/state` whether the task of `/` is over."""
    states = ["pending"]

    def task() -> None:
        work()
        states.append("done")

    app = scheduling_app(lambda tasks: tasks.add_task(task))
    app.get("/state")(lambda: states[-1])
    return app


@requirement("BGF-CLIENT-04")
def test_when_testclient_hands_the_response_over(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    app = scheduling_app(lambda tasks: tasks.add_task(log.mark, "task"))
    in_process.client(app).get("/")
    log.mark("response handed over")
    observe(_relative(log))


@requirement("BGF-CLIENT-05")
def test_when_asgitransport_hands_the_response_over(log: Log, observe: Observe) -> None:
    app = scheduling_app(lambda tasks: tasks.add_task(log.mark, "task"))

    async def request() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await client.get("/")
            log.mark("response handed over")

    anyio.run(request)
    observe(_relative(log))


def _relative(log: Log) -> str:
    labels = _labels(log)
    return (
        "after the task"
        if labels.index("task") < labels.index("response handed over")
        else ("before the task")
    )
