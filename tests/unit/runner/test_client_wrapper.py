"""The ASGI wrapper answers first below any other ASGI client."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from fastapi import FastAPI

from bgcheck.runner.clients import async_client, response_first
from bgcheck.runner.clients.http_library import httpx

# httpx before 2 leaves generators of a stream unfinished; trio tells.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx:ResourceWarning",
    "ignore:.*Stream.__aiter__:pytest.PytestUnraisableExceptionWarning",
)


class Calls:
    """A bare application with a tail, and what it saw."""

    def __init__(self) -> None:
        self.gate = anyio.Event()
        self.seen: list[Any] = []
        self.fail: str | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            self.seen.append((scope["type"], (await receive())["type"]))
            return
        self.seen.append((await receive())["body"])
        if self.fail == "early":
            raise ValueError("early")
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"done"})
        await self.gate.wait()
        self.seen.append((await receive())["type"])
        if self.fail == "late":
            raise ValueError("late")


@pytest.fixture
async def calls(anyio_backend: str) -> Calls:
    return Calls()


def over_asgi_transport(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")


@pytest.mark.anyio
async def test_the_caller_goes_on_when_the_response_is_complete(calls: Calls) -> None:
    async with response_first(calls) as wrapped, over_asgi_transport(wrapped) as http:
        assert (await http.post("/", content=b"body")).content == b"done"
        assert b"".join(calls.seen) == b"body"
        assert len(wrapped.calls.pending) == 1
        calls.gate.set()
    assert calls.seen[-1] == "http.disconnect"


@pytest.mark.anyio
async def test_an_early_error_is_raised_and_a_late_one_kept(calls: Calls) -> None:
    calls.gate.set()
    async with response_first(calls) as wrapped, over_asgi_transport(wrapped) as http:
        calls.fail = "early"
        with pytest.raises(ValueError, match="^early$"):
            await http.get("/")
        calls.fail = "late"
        assert (await http.get("/")).status_code == 200
    assert [str(error) for error, _ in wrapped.late_errors] == ["late"]


@pytest.mark.anyio
async def test_the_callback_takes_late_errors(calls: Calls) -> None:
    calls.gate.set()
    calls.fail = "late"
    taken: list[Any] = []
    wrapped = response_first(calls, on_late_error=lambda *late: taken.append(late))
    async with wrapped, over_asgi_transport(wrapped) as http:
        await http.get("/there")
    [(error, exchange)] = taken
    assert (str(error), exchange.path) == ("late", "/there")
    assert wrapped.late_errors == []


@pytest.mark.anyio
async def test_a_cancelled_caller_is_a_client_that_left(anyio_backend: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            pass
        seen.append(message["type"])
        await send({"type": "http.response.start", "status": 200})
        seen.append("dropped")

    async with response_first(app) as wrapped, over_asgi_transport(wrapped) as http:
        with anyio.move_on_after(0.01) as scope:
            await http.get("/")
        assert scope.cancel_called
        with anyio.fail_after(10):
            while wrapped.calls.pending:
                await anyio.lowlevel.checkpoint()
        assert seen == ["http.disconnect", "dropped"]


@pytest.mark.anyio
async def test_a_disconnect_of_the_outer_client_arrives(anyio_backend: str) -> None:
    seen: list[Any] = []
    messages = [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        seen.append((await receive())["type"])

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        raise AssertionError(message)

    async with response_first(app) as wrapped:
        await wrapped({"type": "http", "method": "GET", "path": "/"}, receive, send)
    assert seen == ["http.disconnect"]


@pytest.mark.anyio
async def test_other_scopes_pass_through(calls: Calls) -> None:
    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await response_first(calls)({"type": "websocket"}, receive, None)
    assert calls.seen == [("websocket", "websocket.connect")]


@pytest.mark.anyio
async def test_the_shutdown_waits_for_pending_calls(calls: Calls) -> None:
    app = FastAPI()
    app.mount("/calls", calls)
    wrapped = response_first(app)
    async with async_client(wrapped) as http:
        await http.get("/calls/")
        assert len(wrapped.calls.pending) == 1
        calls.gate.set()
    assert not wrapped.calls.pending


@pytest.mark.anyio
async def test_a_message_after_the_end_is_an_error(anyio_backend: str) -> None:
    errors: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})
        try:
            await send({"type": "http.response.body"})
        except RuntimeError as error:
            errors.append(str(error))

    async with response_first(app) as wrapped, over_asgi_transport(wrapped) as http:
        await http.get("/")
    assert errors == [
        "Unexpected ASGI message 'http.response.body' sent, after response already completed."
    ]
