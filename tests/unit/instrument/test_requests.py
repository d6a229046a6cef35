"""`bgcheck.instrument.requests`: which application call is a request, and what it is."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.testclient import TestClient

from bgcheck import events
from bgcheck.instrument.hub import hub
from support.apps import answer, fastapi_app, note, starlette_app
from support.clients import asgi, by_asgi, make_scope


def add(tasks: BackgroundTasks) -> None:
    tasks.add_task(note)


class CopyScope:
    """Hands on a copy of the scope with a header more, as ASGI asks middleware to do."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = [*scope["headers"], (b"x-request-id", b"1")]
            scope = {**scope, "headers": headers}
        await self.app(scope, receive, send)


async def pass_on(request: Any, call_next: Any) -> Any:
    return await call_next(request)


def with_outer_middleware() -> Any:
    return CopyScope(fastapi_app(add))


def with_inner_middleware() -> Any:
    app = fastapi_app(add)
    app.add_middleware(CopyScope)
    app.add_middleware(CopyScope)
    return app


def with_base_http_middleware() -> Any:
    app = fastapi_app(add)
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    app.add_middleware(CopyScope)
    return app


def with_mounted_middleware() -> Any:
    app = FastAPI()
    app.mount("/", CopyScope(fastapi_app(add)))
    return app


APPS = [
    with_outer_middleware,
    with_inner_middleware,
    with_base_http_middleware,
    with_mounted_middleware,
]


@pytest.mark.parametrize("make", APPS)
def test_middleware_does_not_make_a_second_request(make: Any, bgtasks: Any) -> None:
    assert by_asgi(make(), "POST", "/items/1") == 200
    assert [str(request) for request in bgtasks.requests] == ["POST /items/1, 1st request"]
    assert bgtasks[0].outcome == "succeeded"


def test_a_request_made_by_an_endpoint_is_its_own(bgtasks: Any) -> None:
    app = FastAPI()

    @app.get("/outer")
    async def outer(tasks: BackgroundTasks) -> int:
        tasks.add_task(note, "outer")
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return (await client.get("/inner")).status_code

    @app.get("/inner")
    async def inner(tasks: BackgroundTasks) -> None:
        tasks.add_task(note, "inner")

    by_asgi(app, "GET", "/outer")
    assert [
        (task.params["values"], task.request.path, task.request.number) for task in bgtasks
    ] == [
        (("outer",), "/outer", 1),
        (("inner",), "/inner", 2),
    ]
    assert [task.outcome for task in bgtasks] == ["succeeded", "succeeded"]


def test_a_request_made_by_a_task_is_its_own(bgtasks: Any) -> None:
    app = FastAPI()

    async def call_inner() -> None:
        await asgi(app, "GET", "/inner")

    @app.get("/outer")
    async def outer(tasks: BackgroundTasks) -> None:
        tasks.add_task(call_inner)

    @app.get("/inner")
    async def inner(tasks: BackgroundTasks) -> None:
        tasks.add_task(note)

    by_asgi(app, "GET", "/outer")
    assert [task.request.path for task in bgtasks] == ["/outer", "/inner"]
    assert bgtasks[1].parent is bgtasks[0]


def test_requests_without_tasks_are_counted(bgtasks: Any) -> None:
    client = TestClient(fastapi_app(add))
    client.get("/nowhere")
    client.post("/items/1?q=x")
    assert [str(request) for request in bgtasks.requests] == [
        "GET /nowhere, 1st request",
        "POST /items/1, 2nd request",
    ]
    assert [request.response_status for request in bgtasks.requests] == [404, 200]
    assert bgtasks[0].request is bgtasks.requests[1]


def test_lifespan_is_no_request(bgtasks: Any) -> None:
    with TestClient(fastapi_app(add)):
        assert bgtasks.requests == ()


def test_a_scope_that_lacks_almost_everything(bgtasks: Any) -> None:
    async def receive() -> Any: ...
    async def send(message: Any) -> None: ...

    scope = {"type": "http", "method": "GET"}
    asyncio.run(answer(note)(scope, receive, send))
    assert bgtasks[0].request.path == ""


def test_an_error_of_the_app_is_kept_and_raised(bgtasks: Any) -> None:
    def broken(tasks: BackgroundTasks) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError) as caught:
        by_asgi(fastapi_app(broken), "POST", "/items/1")
    (request,) = bgtasks.requests
    assert (request.error, request.response_status) == (caught.value, 500)
    assert request.finished


def test_scope_is_let_go(bgtasks: Any) -> None:
    by_asgi(fastapi_app(add), "POST", "/items/1")
    assert bgtasks.requests[0].scope is None


def test_events_of_one_request() -> None:
    seen: list[Any] = []
    with hub.connected(seen.append):
        by_asgi(fastapi_app(add), "POST", "/items/1")
    assert [type(event) for event in seen] == [
        events.RequestStarted,
        events.TaskScheduled,
        events.ResponseStarted,
        events.ResponseCompleted,
        events.TaskStarted,
        events.TaskFinished,
        events.RequestFinished,
    ]


def test_streaming_completes_once() -> None:
    from starlette.responses import StreamingResponse

    seen: list[Any] = []
    app = starlette_app(lambda: StreamingResponse(iter(["a", "b", "c"])))
    with hub.connected(seen.append):
        by_asgi(app, "GET", "/")
    assert [type(event) for event in seen].count(events.ResponseCompleted) == 1


def test_a_request_that_outlives_its_recording_stays_in_it() -> None:
    from bgcheck import record

    async def main() -> None:
        entered, go_on = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            entered.set()
            await go_on.wait()

        app = fastapi_app(lambda tasks: (tasks.add_task(wait), tasks.add_task(note)))
        with record() as first:
            call = asyncio.create_task(asgi(app, "POST", "/items/1"))
            await entered.wait()
        with record() as second:
            go_on.set()
            await call
        assert [task.outcome for task in first] == ["succeeded", "succeeded"]
        assert (len(second), second.requests) == (0, ())

    asyncio.run(main())


def test_numbers_start_again_with_each_recording() -> None:
    from bgcheck import record

    app = fastapi_app(add)
    for _ in range(2):
        with record() as log:
            by_asgi(app, "POST", "/items/1")
            assert (log[0].request.number, log[0].number) == (1, 1)


def test_nested_recordings_share_numbers_and_records(bgtasks: Any) -> None:
    from bgcheck import record

    app = fastapi_app(add)
    by_asgi(app, "POST", "/items/1")
    with record() as inner:
        by_asgi(app, "POST", "/items/2")
    assert [task.request.number for task in bgtasks] == [1, 2]
    assert list(inner) == [bgtasks[1]]


def test_scope_is_not_changed(bgtasks: Any) -> None:
    scope = make_scope("GET", "/")
    before = dict(scope)

    async def receive() -> Any: ...
    async def send(message: Any) -> None: ...

    asyncio.run(answer(note)(scope, receive, send))
    assert scope == before
