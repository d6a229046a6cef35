"""WebSocket sessions have the API of Starlette's TestClient."""

from typing import Any

import anyio
import pytest
from fastapi import BackgroundTasks, FastAPI, WebSocket
from starlette.websockets import WebSocketDisconnect

from bgcheck.runner.clients.hangs import StillRunningError
from bgcheck.runner.clients.http_library import httpx


class Chat:
    """An app with one endpoint for each way a connection goes."""

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self.app = FastAPI()
        for name in ("echo", "refuse", "fail", "leave", "push", "deaf"):
            self.app.websocket(f"/{name}")(getattr(self, name))
        self.app.post("/notes")(self.note)

    async def echo(self, socket: WebSocket) -> None:
        await socket.accept(subprotocol="chat", headers=[(b"x-a", b"1")])
        self.notes.append(socket.scope["subprotocols"])
        try:
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    break
                await socket.send({**message, "type": "websocket.send"})
        finally:
            self.notes.append("left")

    async def refuse(self, socket: WebSocket) -> None:
        await socket.close(4001)

    async def fail(self, socket: WebSocket) -> None:
        await socket.accept()
        raise ValueError("failed")

    async def leave(self, socket: WebSocket) -> None:
        await socket.accept()
        await socket.close(4002, "enough")

    async def push(self, socket: WebSocket) -> None:
        await socket.accept()
        while True:
            await socket.send_text("tick")
            await anyio.sleep(0.001)

    async def deaf(self, socket: WebSocket) -> None:
        await socket.accept()
        await anyio.sleep_forever()

    async def note(self, tasks: BackgroundTasks) -> None:
        tasks.add_task(self.notes.append, "noted")


@pytest.fixture
def chat() -> Chat:
    return Chat()


def test_messages_go_both_ways(chat: Chat, make_client: Any) -> None:
    with make_client(chat.app) as http:
        with http.websocket_connect("/echo", subprotocols=["chat", "talk"]) as session:
            assert session.accepted_subprotocol == "chat"
            assert session.extra_headers == [(b"x-a", b"1")]
            session.send_text("a")
            session.send_bytes(b"b")
            assert (session.receive_text(), session.receive_bytes()) == ("a", b"b")
            session.send_json({"é": 1})
            assert session.receive() == {"type": "websocket.send", "text": '{"é":1}'}
            session.send_json([1], mode="binary")
            assert session.receive_json(mode="binary") == [1]
        assert chat.notes == [["chat", "talk"], "left"]


def test_refused_and_closed_connections(chat: Chat, make_client: Any) -> None:
    with make_client(chat.app) as http:
        with pytest.raises(WebSocketDisconnect) as refused, http.websocket_connect("/refuse"):
            pass
        assert refused.value.code == 4001
        with http.websocket_connect("/leave") as session:
            with pytest.raises(WebSocketDisconnect) as closed:
                session.receive_text()
            assert (closed.value.code, closed.value.reason) == (4002, "enough")
            with pytest.raises(WebSocketDisconnect) as over:
                session.receive_text()
            assert over.value.code == 1006


def test_errors_of_the_application_are_raised(chat: Chat, make_client: Any) -> None:
    with make_client(chat.app) as http:
        with pytest.raises(ValueError, match="failed"), http.websocket_connect("/fail") as session:
            session.receive_text()
        with pytest.raises(ValueError, match="failed"), http.websocket_connect("/fail"):
            pass
        assert http.late_errors == []


def test_sending_to_a_client_that_left_fails(chat: Chat, make_client: Any) -> None:
    with make_client(chat.app) as http:
        with (
            pytest.raises((WebSocketDisconnect, OSError)),
            http.websocket_connect("/push") as session,
        ):
            assert session.receive_text() == "tick"
        assert not http.calls.pending


def test_an_endpoint_that_never_notices_is_named(chat: Chat, make_client: Any) -> None:
    http = make_client(chat.app, leave_timeout=0.05)
    with http.websocket_connect("/deaf"):
        pass
    with pytest.raises(StillRunningError, match=r"WEBSOCKET /deaf \(client gone\)"):
        http.close()


def test_requests_go_on_during_a_session(chat: Chat, make_client: Any) -> None:
    with make_client(chat.app) as http, http.websocket_connect("/echo") as session:
        http.post("/notes")
        session.send_text("a")
        assert session.receive_text() == "a"
        http.run_until(lambda: "noted" in chat.notes)


def test_a_denial_response(make_client: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        kind = "websocket.http.response"
        await send({"type": f"{kind}.start", "status": 403, "headers": [(b"x-a", b"1")]})
        await send({"type": f"{kind}.body", "body": b"not ", "more_body": True})
        await send({"type": f"{kind}.body", "body": b"you"})

    with (
        make_client(app, lifespan="off") as http,
        pytest.raises(WebSocketDisconnect) as denied,
        http.websocket_connect("/"),
    ):
        pass
    assert isinstance(denied.value, httpx.Response)
    assert (denied.value.status_code, denied.value.text) == (403, "not you")
    assert denied.value.headers["x-a"] == "1"
