"""The async client: response first, on asyncio and trio, under either plugin."""

from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import StreamingResponse

from bgcheck.runner.clients import async_client
from bgcheck.runner.clients.hangs import StillRunningError
from bgcheck.runner.clients.http_library import httpx

# httpx before 2 leaves generators of a stream unfinished; trio tells.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx:ResourceWarning",
    "ignore:.*Stream.__aiter__:pytest.PytestUnraisableExceptionWarning",
)


class Counter:
    """An app whose task waits for a gate."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.gate = anyio.Event()
        self.app = FastAPI(lifespan=self.lifespan)
        self.app.post("/tasks/{name}")(self.schedule)
        self.app.post("/fail")(self.fail)
        self.app.get("/error")(self.error)
        self.app.get("/stream", response_model=None)(self.stream)
        self.app.get("/state")(self.state)

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> Any:
        self.notes.append("startup")
        yield {"answer": 42}
        self.notes.append("shutdown")

    async def schedule(self, name: str, tasks: BackgroundTasks) -> str:
        tasks.add_task(self.wait, name)
        return name

    async def wait(self, name: str) -> None:
        await self.gate.wait()
        self.notes.append(name)

    async def fail(self, tasks: BackgroundTasks) -> None:
        tasks.add_task(self.error)

    async def error(self) -> None:
        raise ValueError("wrong")

    async def state(self, request: Request) -> int:
        return int(request.state.answer)

    async def stream(self) -> StreamingResponse:
        async def chunks() -> Any:
            try:
                yield b"part"
                await self.gate.wait()
                yield b"rest"
            finally:
                self.notes.append("stream closed")

        return StreamingResponse(chunks())


@pytest.fixture
async def counter(anyio_backend: str) -> Counter:
    return Counter()


@pytest.mark.anyio
async def test_the_task_is_pending_when_the_response_is_there(counter: Counter) -> None:
    async with async_client(counter.app) as http:
        assert (await http.get("/state")).json() == 42
        assert (await http.post("/tasks/a")).json() == "a"
        assert (await http.post("/tasks/b")).json() == "b"
        assert counter.notes == ["startup"]
        counter.gate.set()
        await http.drain()
        assert sorted(counter.notes) == ["a", "b", "startup"]
    assert counter.notes[-1] == "shutdown"


@pytest.mark.asyncio
async def test_it_works_under_pytest_asyncio() -> None:
    counter = Counter()
    async with async_client(counter.app) as http:
        await http.post("/tasks/a")
        assert counter.notes == ["startup"]
        counter.gate.set()
    assert counter.notes == ["startup", "a", "shutdown"]


@pytest.mark.anyio
async def test_leaving_waits_for_the_tasks_before_the_shutdown(counter: Counter) -> None:
    async with async_client(counter.app) as http:
        await http.post("/tasks/a")
        counter.gate.set()
    assert counter.notes == ["startup", "a", "shutdown"]


@pytest.mark.anyio
async def test_without_async_with_there_is_no_lifespan(counter: Counter) -> None:
    http = async_client(counter.app)
    await http.post("/tasks/a")
    counter.gate.set()
    await http.aclose()
    assert counter.notes == ["a"]
    with pytest.raises(RuntimeError, match="closed"):
        await http.get("/state")


@pytest.mark.anyio
async def test_many_requests_at_once(counter: Counter) -> None:
    async with async_client(counter.app) as http:
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(http.post, f"/tasks/{number}")
        assert len(http.calls.pending) == 20
        counter.gate.set()
    assert sorted(counter.notes[1:-1], key=int) == [str(number) for number in range(20)]


@pytest.mark.anyio
async def test_errors_before_and_after_the_response(counter: Counter) -> None:
    async with async_client(counter.app) as http:
        with pytest.raises(ValueError, match="^wrong$"):
            await http.get("/error")
        assert (await http.post("/fail")).status_code == 200
        assert http.late_errors == []
        await http.drain()
        assert [(str(error), ex.path) for error, ex in http.late_errors] == [("wrong", "/fail")]
    async with async_client(counter.app, raise_app_exceptions=False) as http:
        assert (await http.get("/error")).status_code == 500
        await http.drain()
        assert http.late_errors == []


@pytest.mark.anyio
async def test_a_stream_gives_chunks_as_they_are_sent(counter: Counter) -> None:
    async with async_client(counter.app) as http, http.stream("GET", "/stream") as response:
        parts = response.aiter_raw()
        assert await anext(parts) == b"part"
        counter.gate.set()
        assert [part async for part in parts] == [b"rest"]
    assert counter.notes == ["startup", "stream closed", "shutdown"]


@pytest.mark.anyio
async def test_leaving_a_stream_disconnects(counter: Counter) -> None:
    async with async_client(counter.app) as http:
        async with http.stream("GET", "/stream") as response:
            parts = response.aiter_raw()
            assert await anext(parts) == b"part"
            await parts.aclose()
        await http.drain()
        assert counter.notes == ["startup", "stream closed"]


@pytest.mark.anyio
async def test_a_cancelled_request_is_a_client_that_left(counter: Counter) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        seen.append((await receive())["type"])
        await send({"type": "http.response.start", "status": 200})
        seen.append("dropped")

    async with async_client(app, lifespan="off") as http:
        with anyio.move_on_after(0.01) as scope:
            await http.get("/")
        assert scope.cancel_called
        await http.drain()
    assert seen == ["http.disconnect", "dropped"]


@pytest.mark.anyio
async def test_disconnect_ends_a_request_without_a_response(counter: Counter) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        http.disconnect()

    async with async_client(app, lifespan="off") as http:
        with pytest.raises(httpx.ReadError, match="was disconnected without a response"):
            await http.get("/")


@pytest.mark.anyio
async def test_shutdown_cancels_what_is_left_and_refuses_requests(counter: Counter) -> None:
    async with async_client(counter.app) as http:
        await http.post("/tasks/a")
        exchange = http.calls.pending[0]
        await http.shutdown(0.01)
        assert exchange.cancelled
        assert counter.notes == ["startup", "shutdown"]
        with pytest.raises(httpx.ConnectError):
            await http.get("/state")
    assert counter.notes == ["startup", "shutdown"]


@pytest.mark.anyio
async def test_drain_names_what_still_runs_and_lets_it_run(counter: Counter) -> None:
    async with async_client(counter.app) as http:
        await http.post("/tasks/a")
        with pytest.raises(StillRunningError, match=r"POST /tasks/a \(response complete\)"):
            await http.drain(0.01)
        counter.gate.set()
    assert counter.notes == ["startup", "a", "shutdown"]


@pytest.mark.anyio
async def test_options_of_the_library_are_passed_on(counter: Counter) -> None:
    async with async_client(
        counter.app, headers={"x-a": "1"}, base_url="https://shop", cookies={"c": "2"}
    ) as http:
        response = await http.get("/state")
    assert response.request.headers["x-a"] == "1"
    assert response.request.headers["cookie"] == "c=2"
    assert str(response.request.url) == "https://shop/state"
