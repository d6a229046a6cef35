"""Requests at the same time, in threads, apps and loops, keep their records apart."""

import asyncio
import threading
from typing import Any

import anyio
import pytest
from fastapi import BackgroundTasks, FastAPI
from starlette.responses import Response

from bgcheck import record
from support.apps import fastapi_app, note, starlette_app
from support.clients import LIMIT, asgi, by_asgi, by_uvicorn


def app_that_waits_for(parties: int) -> FastAPI:
    """Every endpoint call waits until all have scheduled, and then schedules once more."""
    app = FastAPI()
    arrived = [0]
    everyone = asyncio.Event()

    @app.get("/{number}")
    async def endpoint(number: int, tasks: BackgroundTasks) -> None:
        tasks.add_task(note, number, "first")
        arrived[0] += 1
        if arrived[0] == parties:
            everyone.set()
        await everyone.wait()
        tasks.add_task(note, number, "second")

    return app


def test_concurrent_requests(bgtasks: Any) -> None:
    async def main() -> None:
        app = app_that_waits_for(5)
        await asyncio.gather(*(asgi(app, "GET", f"/{n}") for n in range(5)))

    asyncio.run(main())
    assert len(bgtasks) == 10
    for task in bgtasks:
        number = task.params["values"][0]
        assert task.request.path == f"/{number}"
        assert task.outcome == "succeeded"
    assert len({id(task.request) for task in bgtasks}) == 5


def test_a_raw_thread_without_context_adds_to_the_group_of_the_request(bgtasks: Any) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        thread = threading.Thread(target=tasks.add_task, args=(note, 1))
        thread.start()
        thread.join(LIMIT)

    by_asgi(fastapi_app(schedule), "POST", "/items/1")
    (task,) = bgtasks
    assert (task.request.path, task.outcome) == ("/items/1", "succeeded")


def test_a_raw_thread_makes_a_task_that_is_attached_later(bgtasks: Any) -> None:
    from starlette.background import BackgroundTask

    def respond() -> Response:
        made: list[BackgroundTask] = []
        thread = threading.Thread(target=lambda: made.append(BackgroundTask(note, 1)))
        thread.start()
        thread.join(LIMIT)
        return Response(background=made[0])

    by_asgi(starlette_app(respond), "GET", "/")
    (task,) = bgtasks
    assert (task.request.path, task.outcome) == ("/", "succeeded")


def test_apps_and_loops_in_threads(bgtasks: Any) -> None:
    barrier = threading.Barrier(4, timeout=LIMIT)

    def schedule(tasks: BackgroundTasks) -> None:
        barrier.wait()
        tasks.add_task(note, threading.current_thread().name)

    def call(number: int) -> None:
        by_asgi(fastapi_app(schedule), "POST", f"/items/{number}")

    threads = [
        threading.Thread(target=call, args=(n,), name=f"caller-{n}", daemon=True) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert sorted(task.params["values"][0] + task.request.path for task in bgtasks) == [
        f"caller-{n}/items/{n}" for n in range(4)
    ]
    assert sorted(task.number for task in bgtasks) == [1, 2, 3, 4]
    assert {task.outcome for task in bgtasks} == {"succeeded"}


def test_two_loops_after_another(bgtasks: Any) -> None:
    app = fastapi_app(lambda tasks: tasks.add_task(note))
    by_asgi(app, "POST", "/items/1")
    by_asgi(app, "POST", "/items/2")
    assert [task.request.path for task in bgtasks] == ["/items/1", "/items/2"]


def test_a_server_thread_and_the_test_thread(bgtasks: Any) -> None:
    app = fastapi_app(lambda tasks: tasks.add_task(note))
    by_uvicorn(app, "POST", "/items/1")
    by_asgi(app, "POST", "/items/2")
    assert [(task.request.path, task.outcome) for task in bgtasks] == [
        ("/items/1", "succeeded"),
        ("/items/2", "succeeded"),
    ]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio_backends(backend: str, bgtasks: Any) -> None:
    async def async_task() -> None:
        await anyio.lowlevel.checkpoint()

    app = fastapi_app(lambda tasks: (tasks.add_task(note), tasks.add_task(async_task)))
    try:
        anyio.run(asgi, app, "POST", "/items/1", backend=backend)
    except (AttributeError, LookupError) as error:
        pytest.skip(f"this cell's anyio cannot run {backend}: {error}")
    assert [task.outcome for task in bgtasks] == ["succeeded", "succeeded"]
    assert [task.thread for task in bgtasks] == ["worker", "loop"]


def test_cancelled_on_trio(bgtasks: Any) -> None:
    async def main() -> None:
        started = anyio.Event()

        async def hang() -> None:
            started.set()
            await anyio.sleep_forever()

        app = fastapi_app(lambda tasks: tasks.add_task(hang))
        async with anyio.create_task_group() as group:
            group.start_soon(asgi, app, "POST", "/items/1")
            await started.wait()
            group.cancel_scope.cancel()

    try:
        anyio.run(main, backend="trio")
    except (AttributeError, LookupError) as error:
        pytest.skip(f"this cell's anyio cannot run trio: {error}")
    assert [task.outcome for task in bgtasks] == ["cancelled"]


def test_recordings_in_hypothesis_style_loops() -> None:
    app = fastapi_app(lambda tasks: tasks.add_task(note))
    for n in range(3):
        with record() as log:
            by_asgi(app, "POST", f"/items/{n}")
            assert [task.request.path for task in log] == [f"/items/{n}"]
