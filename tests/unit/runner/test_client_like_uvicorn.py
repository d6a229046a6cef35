"""The clients give an application what uvicorn gives it, event by event."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import StreamingResponse

from bgcheck.runner.clients import async_client, response_first
from bgcheck.runner.clients.http_library import httpx

LIMIT = 20.0

# Starlette leaves `Request.stream` unfinished below BaseHTTPMiddleware; trio tells.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*Request.stream:ResourceWarning",
    "ignore:.*Request.stream:pytest.PytestUnraisableExceptionWarning",
)


class Scenario:
    """One run of an application: its events, and the moments that it waits for.

    `leave` is set by the client when it has what it wants; `over` by the application's end.
    """

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.left = threading.Event()
        self.over = threading.Event()

    def observed(self, app: Any) -> Any:
        """Note the end of the response, the end of the call, and what `receive` gives then."""

        async def observe(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)

            async def noting(message: Any) -> None:
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    self.events.append("response complete")
                await send(message)

            try:
                await app(scope, receive, noting)
                self.events.append(("call over", (await receive())["type"]))
            finally:
                self.over.set()

        return observe


def task_app(scenario: Scenario, *, middleware: bool, sync_task: bool, sync_dep: bool) -> Any:
    """An app with two tasks that wait until the client has the response."""
    note = scenario.events.append

    def sync_dependency() -> Iterator[None]:
        note("dependency enter")
        yield
        note("dependency exit")

    async def async_dependency() -> AsyncIterator[None]:
        note("dependency enter")
        yield
        note("dependency exit")

    def sync_body(number: int, request: Request) -> None:
        note(f"task {number} start")
        assert scenario.left.wait(LIMIT)
        note(f"task {number} end")

    async def async_body(number: int, request: Request) -> None:
        note(f"task {number} start")
        await anyio.to_thread.run_sync(scenario.left.wait, LIMIT)
        if "response complete" in scenario.events:  # Starlette 0.27's middleware ends it later
            note(("task receive", (await request.receive())["type"]))
        note(f"task {number} end")

    task = sync_body if sync_task else async_body
    dependency = sync_dependency if sync_dep else async_dependency
    app = FastAPI()

    async def endpoint(
        request: Request, tasks: BackgroundTasks, _: None = Depends(dependency)
    ) -> dict[str, int]:
        body = await request.body()
        for number in (1, 2):
            tasks.add_task(task, number, request)
        note("handler")
        return {"length": len(body)}

    app.post("/")(endpoint)
    if middleware:

        async def dispatch(request: Request, call_next: Any) -> Any:
            note("middleware in")
            response = await call_next(request)
            note("middleware out")
            return response

        app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    return scenario.observed(app)


def over_uvicorn(scenario: Scenario, app: Any, switch: Any, act: Callable[..., None]) -> list[Any]:
    holder, url = switch
    holder.app = app
    with httpx.Client(base_url=url, timeout=LIMIT) as http:
        act(http)
        scenario.left.set()
        assert scenario.over.wait(LIMIT)
    return scenario.events


def post(http: Any) -> None:
    assert http.post("/", content=b"12345").json() == {"length": 5}


@pytest.fixture(params=[False, True], ids=["plain", "BaseHTTPMiddleware"])
def middleware(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=[False, True], ids=["async task", "def task"])
def sync_task(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=[False, True], ids=["async dependency", "def dependency"])
def sync_dep(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def task_order(
    middleware: bool, sync_task: bool, sync_dep: bool, switch: Any
) -> Callable[[], tuple[Scenario, Any, list[Any]]]:
    """Run the scenario on uvicorn; return a fresh one, its app, and what uvicorn gave."""

    def run() -> tuple[Scenario, Any, list[Any]]:
        kinds = {"middleware": middleware, "sync_task": sync_task, "sync_dep": sync_dep}
        real, ours = Scenario(), Scenario()
        expected = over_uvicorn(real, task_app(real, **kinds), switch, post)
        return ours, task_app(ours, **kinds), expected

    return run


def test_sync_client_gives_the_order_of_uvicorn(make_client: Any, task_order: Any) -> None:
    scenario, app, expected = task_order()
    http = make_client(app)
    post(http)
    assert not scenario.over.is_set()
    assert "task 1 end" not in scenario.events
    scenario.left.set()
    http.close()
    assert scenario.events == expected


@pytest.mark.anyio
async def test_async_client_gives_the_order_of_uvicorn(anyio_backend: str, task_order: Any) -> None:
    scenario, app, expected = task_order()
    async with async_client(app) as http:
        assert (await http.post("/", content=b"12345")).json() == {"length": 5}
        assert "task 1 end" not in scenario.events
        scenario.left.set()
    assert scenario.events == expected


@pytest.mark.anyio
async def test_wrapper_gives_the_order_of_uvicorn(anyio_backend: str, task_order: Any) -> None:
    scenario, app, expected = task_order()
    async with response_first(app) as wrapped:
        transport = httpx.ASGITransport(wrapped)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
            assert (await http.post("/", content=b"12345")).json() == {"length": 5}
            assert "task 1 end" not in scenario.events
            scenario.left.set()
    assert scenario.events == expected


def protocol_app(scenario: Scenario, steps: str) -> Any:
    """A bare application that takes the steps of a string and notes what each gives.

    r: receive; s: start; b: more body; e: end of the body.
    """
    messages = {
        "s": {"type": "http.response.start", "status": 200, "headers": []},
        "b": {"type": "http.response.body", "body": b"part", "more_body": True},
        "e": {"type": "http.response.body", "body": b"end"},
    }

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scenario.events.append(scope["asgi"])
        for step in steps:
            try:
                result = await (receive() if step == "r" else send(messages[step]))
            except RuntimeError as error:
                result = str(error)
            scenario.events.append((step, result))
        scenario.over.set()

    return app


def whole(http: Any) -> None:
    assert http.request("POST", "/", content=b"body").read()


@pytest.mark.parametrize("steps", ["rserrr", "serr", "rsbbebe", "rsbser", "rserse", "rbse", "rse"])
def test_messages_of_a_whole_response_are_those_of_uvicorn(
    make_client: Any, switch: Any, steps: str
) -> None:
    real, ours = Scenario(), Scenario()
    expected = over_uvicorn(real, protocol_app(real, steps), switch, whole)
    with make_client(protocol_app(ours, steps), lifespan="off") as http:
        whole(http)
    assert ours.events == expected
    assert len(ours.events) == len(steps) + 1


def first_part(http: Any) -> None:
    with http.stream("POST", "/", content=b"body") as response:
        assert next(response.iter_raw()) == b"part"


@pytest.mark.parametrize("steps", ["rsbr", "rsbrr", "rsbrbe", "rsbrbebsr"])
def test_messages_of_a_stream_left_early_are_those_of_uvicorn(
    make_client: Any, switch: Any, steps: str
) -> None:
    real, ours = Scenario(), Scenario()
    expected = over_uvicorn(real, protocol_app(real, steps), switch, first_part)
    with make_client(protocol_app(ours, steps), lifespan="off") as http:
        first_part(http)
    assert ours.events == expected
    assert ("r", {"type": "http.disconnect"}) in ours.events


def length_app(scenario: Scenario, status: int) -> Any:
    """An application that sends all its bytes, works on, and only then ends the response."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = [] if status == 204 else [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if status == 200:
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
        await anyio.to_thread.run_sync(scenario.left.wait, LIMIT)
        scenario.events.append("works on")
        await send({"type": "http.response.body"})
        scenario.events.append((await receive())["type"])
        scenario.over.set()

    return app


@pytest.mark.parametrize("status", [200, 204])
def test_a_client_stops_reading_at_the_announced_length(
    make_client: Any, switch: Any, status: int
) -> None:
    def act(http: Any) -> None:
        assert http.get("/").status_code == status

    real, ours = Scenario(), Scenario()
    expected = over_uvicorn(real, length_app(real, status), switch, act)
    with make_client(length_app(ours, status), lifespan="off") as http:
        act(http)
        assert ours.events == []
        ours.left.set()
    assert ours.events == expected == ["works on", "http.disconnect"]


def test_a_response_that_is_open_when_the_client_is_left_is_disconnected(
    make_client: Any, switch: Any
) -> None:
    real, ours = Scenario(), Scenario()
    holder, url = switch
    holder.app = protocol_app(real, "rsbr")
    with httpx.Client(base_url=url, timeout=LIMIT) as http:
        http.send(http.build_request("POST", "/", content=b"body"), stream=True)
    assert real.over.wait(LIMIT)
    with make_client(protocol_app(ours, "rsbr"), lifespan="off") as http:
        http.send(http.build_request("POST", "/", content=b"body"), stream=True)
    assert ours.events == real.events


def endless_app(scenario: Scenario) -> Any:
    """A streaming response without end, and a task after it."""

    async def chunks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"part"
                await anyio.sleep(0.001)
        finally:
            scenario.events.append("stream closed")

    async def task() -> None:
        scenario.events.append("task")

    async def endpoint(tasks: BackgroundTasks) -> StreamingResponse:
        tasks.add_task(task)
        return StreamingResponse(chunks(), background=tasks)

    app = FastAPI()
    app.post("/", response_model=None)(endpoint)
    return scenario.observed(app)


def test_leaving_an_endless_stream_ends_it_as_on_uvicorn(make_client: Any, switch: Any) -> None:
    real, ours = Scenario(), Scenario()
    expected = over_uvicorn(real, endless_app(real), switch, first_part)
    with make_client(endless_app(ours)) as http:
        first_part(http)
    assert ours.events == expected
    assert expected[0] == "stream closed"


def test_a_large_unread_response_holds_the_application_up(make_client: Any) -> None:
    sent = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        for number in range(100):
            await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
            sent.append(number)
        await send({"type": "http.response.body"})

    with make_client(app, lifespan="off") as http, http.stream("GET", "/") as response:
        http.run_until(lambda: bool(sent))
        assert len(sent) == 7  # 70,000 bytes: above uvicorn's high-water mark of 65,536
        assert len(response.read()) == 1_000_000
    assert len(sent) == 100


@pytest.mark.parametrize("limit", [None, 0.2])
def test_shutdown_with_a_pending_task_is_that_of_uvicorn(
    make_client: Any, serving: Any, limit: float | None
) -> None:
    real, ours = Scenario(), Scenario()
    with serving(shutdown_app(real), timeout_graceful_shutdown=limit) as (url, stop):
        with httpx.Client(base_url=url) as http:
            assert http.get("/").status_code == 200
        stopper = threading.Thread(target=stop)
        stopper.start()
        if limit is None:
            real.left.set()
        stopper.join(LIMIT)
    http = make_client(shutdown_app(ours)).__enter__()
    assert http.get("/").status_code == 200
    assert ours.events == ["startup", "task start"][: len(ours.events)]
    if limit is None:
        ours.left.set()
    http.shutdown(limit or LIMIT)
    assert ours.events == real.events
    with pytest.raises(httpx.ConnectError, match="The application was shut down"):
        http.get("/")
    http.__exit__()
    assert ours.events == real.events


def shutdown_app(scenario: Scenario) -> Any:
    """A lifespan, and a task that waits for the scenario."""

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        scenario.events.append("startup")
        yield
        scenario.events.append("shutdown")

    async def task() -> None:
        scenario.events.append("task start")
        try:
            while not scenario.left.is_set():  # noqa: ASYNC110  set by a thread
                await anyio.sleep(0.005)
            scenario.events.append("task end")
        except BaseException as error:
            scenario.events.append("cancelled" if "Cancelled" in type(error).__name__ else "failed")
            raise

    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(task)

    app = FastAPI(lifespan=lifespan)
    app.get("/")(endpoint)
    return app


def test_disconnect_tells_a_pending_task_and_nothing_else(make_client: Any) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        seen.append((await receive())["type"])

    with make_client(app, lifespan="off") as http, http.stream("GET", "/") as response:
        assert next(response.iter_raw()) == b"part"
        http.disconnect()
        http.drain()
        assert seen == ["http.disconnect"]
    assert not http.late_errors


def test_the_scope_has_what_uvicorn_gives(make_client: Any, switch: Any) -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    holder, url = switch
    holder.app = app
    with httpx.Client(base_url=url) as http:
        http.get("/a%20b%2525/ü?x=1&y=%20")
    with make_client(app, lifespan="off", base_url=url) as http:
        http.get("/a%20b%2525/ü?x=1&y=%20")
    real, ours = scopes
    ours.pop("extensions")  # TestClient's own
    different = {key for key in real if real[key] != ours.get(key)}
    assert different == {"headers", "client"}
    assert set(ours) == set(real)
