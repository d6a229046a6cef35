"""Holding tasks: what a test sees while they wait, and what releasing them does."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request
from fastapi.testclient import TestClient
from starlette.middleware.base import BaseHTTPMiddleware

import bgcheck
from bgcheck.runner.errors import GateError, HoldRefusedError

who: ContextVar[str] = ContextVar("who", default="nobody")


class Stage:
    """An app that writes down what happens, in order."""

    def __init__(self, middleware: bool = False) -> None:
        self.events: list[str] = []
        self.app = FastAPI()
        self.app.post("/two/{name}")(self.two)
        self.app.post("/broken/{name}")(self.broken)
        self.app.get("/count")(self.count)
        if middleware:
            self.app.add_middleware(BaseHTTPMiddleware, dispatch=_pass_on)

    async def resource(self) -> AsyncIterator[str]:
        yield "open"
        self.events.append("exit")

    async def first(self, name: str) -> None:
        self.events.append(f"first {name} {who.get()}")

    def second(self, name: str) -> None:
        self.events.append(f"second {name} {who.get()}")

    async def fails(self, name: str) -> None:
        raise ValueError(name)

    async def two(self, name: str, tasks: BackgroundTasks) -> str:
        who.set(name)
        tasks.add_task(self.first, name)
        tasks.add_task(self.second, name)
        return name

    async def broken(self, name: str, tasks: BackgroundTasks) -> str:
        tasks.add_task(self.fails, name)
        tasks.add_task(self.second, name)
        return name

    async def count(self) -> int:
        return len(self.events)


async def _pass_on(request: Request, call_next: Any) -> Any:
    return await call_next(request)


@pytest.fixture(params=[False, True], ids=["plain", "middleware"])
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


def test_the_response_is_there_and_no_task_has_run(
    stage: Stage, bgtasks: bgcheck.BackgroundTasksLog
) -> None:
    with bgtasks.client(stage.app) as client, bgtasks.hold() as gate:
        assert client.post("/two/a").json() == "a"
        assert stage.events == []
        assert [task.outcome for task in bgtasks] in (["pending", "pending"], ["held", "pending"])
        assert gate.pending == list(bgtasks)


def test_one_step_at_a_time(stage: Stage, bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.client(stage.app) as client, bgtasks.hold() as gate:
        client.post("/two/a")
        assert gate.run_next() is bgtasks[0]
        assert stage.events == ["first a a"]
        assert bgtasks[1].outcome in ("pending", "held")
        assert gate.run_next() is bgtasks[1]
        assert stage.events == ["first a a", "second a a"]
        assert [task.thread for task in bgtasks] == ["loop", "worker"]


def test_requests_go_on_while_tasks_are_held(
    stage: Stage, bgtasks: bgcheck.BackgroundTasksLog
) -> None:
    with bgtasks.client(stage.app) as client, bgtasks.hold():
        client.post("/two/a")
        client.post("/two/b")
        assert client.get("/count").json() == 0
        assert [task.params["name"] for task in bgtasks] == ["a", "a", "b", "b"]


def test_several_requests_are_released_in_any_order(
    stage: Stage, bgtasks: bgcheck.BackgroundTasksLog
) -> None:
    with bgtasks.client(stage.app) as client, bgtasks.hold() as gate:
        for name in "abc":
            client.post(f"/two/{name}")
        for index in (4, 0, 5, 2, 1, 3):
            gate.run(bgtasks[index])
    assert stage.events == [
        "first c c",
        "first a a",
        "second c c",
        "first b b",
        "second a a",
        "second b b",
    ]


def test_leaving_the_block_drains(stage: Stage, bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.client(stage.app) as client:
        with bgtasks.hold():
            client.post("/two/a")
        assert stage.events == ["first a a", "second a a"]


def test_leaving_the_client_releases_what_is_held(
    stage: Stage, bgtasks: bgcheck.BackgroundTasksLog
) -> None:
    with bgtasks.hold() as gate:
        with bgtasks.client(stage.app) as client:
            client.post("/two/a")
        assert stage.events == ["first a a", "second a a"]
        assert gate.pending == []


def test_the_others_run_when_only_some_are_held(
    stage: Stage, bgtasks: bgcheck.BackgroundTasksLog
) -> None:
    with bgtasks.client(stage.app) as client, bgtasks.hold(only=stage.second) as gate:
        client.post("/two/a")
        client.post("/two/b")
        client.get("/count")
        assert stage.events == ["first a a", "first b b"]
        assert [task.name for task in gate.pending] == ["Stage.second", "Stage.second"]


def test_a_failed_task_skips_the_rest(stage: Stage, bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.client(stage.app) as client, bgtasks.hold() as gate:
        assert client.post("/broken/a").status_code == 200
        assert gate.run_next().outcome == "failed"
        assert [task.outcome for task in bgtasks] == ["failed", "skipped"]
        assert gate.pending == []
        assert client.get("/count").status_code == 200
    with pytest.raises(ValueError, match="a"):
        bgtasks.raise_errors()


def test_dependencies_stay_open_while_a_task_is_held(
    bgtasks: bgcheck.BackgroundTasksLog,
) -> None:
    stage = Stage()
    seen: list[list[str]] = []

    async def endpoint(tasks: BackgroundTasks, resource: str = Depends(stage.resource)) -> None:
        tasks.add_task(lambda: seen.append(list(stage.events)))

    stage.app.post("/resource")(endpoint)
    with TestClient(stage.app) as plain:
        plain.post("/resource")
    inline = seen.pop()
    stage.events.clear()
    with bgtasks.client(stage.app) as client, bgtasks.hold() as gate:
        client.post("/resource")
        gate.drain()
    assert seen == [inline]


def test_modes_nest_and_the_innermost_wins(
    stage: Stage, bgtasks: bgcheck.BackgroundTasksLog
) -> None:
    with bgtasks.client(stage.app) as client, bgtasks.hold() as gate:
        with bgtasks.inline(only=stage.first), bgtasks.drop(only=stage.second):
            client.post("/two/a")
            client.drain()
        assert stage.events == ["first a a"]
        client.post("/two/b")
        assert [task.params["name"] for task in gate.pending] == ["b", "b"]
    assert [task.outcome for task in bgtasks] == ["succeeded", "pending", "succeeded", "succeeded"]


def test_dropped_tasks_are_recorded_and_never_run(
    stage: Stage, bgtasks: bgcheck.BackgroundTasksLog
) -> None:
    with bgtasks.drop():
        assert TestClient(stage.app).post("/two/a").status_code == 200
    assert stage.events == []
    assert [task.outcome for task in bgtasks] == ["pending", "pending"]
    assert all(task.dropped for task in bgtasks)


@pytest.mark.parametrize("raising", [True, False])
def test_a_client_that_waits_for_tasks_is_refused(
    raising: bool, bgtasks: bgcheck.BackgroundTasksLog
) -> None:
    stage = Stage()
    client = TestClient(stage.app, raise_server_exceptions=raising)
    with bgtasks.hold():
        if raising:
            with pytest.raises(HoldRefusedError):
                client.post("/two/a")
        else:
            client.post("/two/a")
    assert str(bgtasks[0].error) == (
        "Stage.first cannot be held: TestClient returns only after the tasks of POST /two/a, "
        "1st request, so both would wait for ever. Use a response-first client:\n"
        "    with bgtasks.client(app) as client: ...\n"
        "    async with bgtasks.async_client(app) as client: ..."
    )


@pytest.mark.anyio
async def test_the_async_gate(
    stage: Stage, bgtasks: bgcheck.BackgroundTasksLog, anyio_backend: str
) -> None:
    async with bgtasks.async_client(stage.app) as client, bgtasks.hold() as gate:
        await client.post("/two/a")
        await client.post("/two/b")
        assert stage.events == []
        assert (await gate.run(bgtasks[2])).outcome == "succeeded"
        assert await gate.run_next() is bgtasks[0]
        result = await gate.drain()
    assert (result.succeeded, result.failed, result.skipped, result.cancelled) == (2, 0, 0, 0)
    assert stage.events == ["first b b", "first a a", "second a a", "second b b"]


@pytest.mark.asyncio
async def test_a_thousand_tasks_in_a_random_order(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    stage = Stage()
    ran: list[int] = []

    async def endpoint(number: int, tasks: BackgroundTasks) -> None:
        for index in range(10):
            tasks.add_task(ran.append, number * 10 + index)

    stage.app.post("/ten/{number}")(endpoint)
    threads = threading.active_count()
    order = random.Random(7)
    async with bgtasks.async_client(stage.app) as client, bgtasks.hold() as gate:
        await asyncio.gather(*(client.post(f"/ten/{number}") for number in range(100)))
        by_request: dict[int, list[Any]] = {}
        for task in bgtasks:
            by_request.setdefault(task.params["object"] // 10, []).append(task)
        assert (len(by_request), len(gate.pending)) == (100, 1000)
        expected = []
        while by_request:
            number = order.choice(sorted(by_request))
            task = by_request[number].pop(0)
            await gate.run(task)
            expected.append(task.params["object"])
            if not by_request[number]:
                del by_request[number]
        assert gate.pending == []
    assert ran == expected
    assert {task.outcome for task in bgtasks} == {"succeeded"}
    assert all(task.request is not None and task.request.finished for task in bgtasks)
    workers = [thread for thread in threading.enumerate() if "AnyIO" in thread.name]
    assert threading.active_count() - len(workers) <= threads


class Counter:
    """Counts by reading in the request and writing in the task, as careless apps do."""

    def __init__(self) -> None:
        self.value = 0
        self.app = FastAPI()
        self.app.post("/increment")(self.increment)

    async def store(self, value: int) -> None:
        self.value = value

    async def increment(self, tasks: BackgroundTasks) -> int:
        tasks.add_task(self.store, self.value + 1)
        return self.value


def test_overlapping_requests_lose_a_count_only_where_the_response_comes_first(
    bgtasks: bgcheck.BackgroundTasksLog,
) -> None:
    unseen = Counter()
    plain = TestClient(unseen.app)
    plain.post("/increment")
    plain.post("/increment")
    assert unseen.value == 2

    seen = Counter()
    with bgtasks.client(seen.app) as client, bgtasks.hold():
        client.post("/increment")
        client.post("/increment")
    assert seen.value == 1


def test_a_held_task_of_an_app_that_uvicorn_serves(
    bgtasks: bgcheck.BackgroundTasksLog, serving: Any
) -> None:
    import httpx

    stage = Stage()
    with serving(stage.app) as (url, _), bgtasks.hold() as gate:
        assert httpx.post(f"{url}/two/a").status_code == 200
        assert httpx.get(f"{url}/count").json() == 0
        assert gate.drain().succeeded == 2
    assert stage.events == ["first a a", "second a a"]


def test_the_gate_of_a_marker_is_found_by_its_name(
    bgtasks: bgcheck.BackgroundTasksLog,
) -> None:
    with pytest.raises(GateError) as caught:
        _ = bgtasks.gate
    assert str(caught.value) == (
        "bgtasks.gate: no gate is open. Open one by `with bgtasks.hold() as gate:`, or mark the "
        'test with @pytest.mark.bgcheck(mode="hold").'
    )
