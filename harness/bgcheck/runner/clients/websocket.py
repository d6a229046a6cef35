"""The WebSocket session of the response-first client, with the API of Starlette's TestClient."""

from __future__ import annotations

import json
import sys
from collections import deque
from contextvars import copy_context
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from bgcheck.runner.clients.exchange import Exchange, Message
from bgcheck.runner.clients.http_library import httpx

if TYPE_CHECKING:
    from typing_extensions import Self

    from bgcheck.runner.clients.backends import Backend
    from bgcheck.runner.clients.calls import ApplicationCalls
    from bgcheck.runner.clients.exchange import Scope
    from bgcheck.runner.clients.loops import PausedLoop

Mode = Literal["text", "binary"]
LEAVE_GRACE = 1.0
"""Seconds that a session waits, when it is left, for the application to notice."""


class WebSocketExchange(Exchange):
    """A WebSocket connection with an in-process client.

    Attributes:
        left: the session is over and raises nothing more.
    """

    def __init__(self, scope: Scope, calls: ApplicationCalls, backend: Backend) -> None:
        super().__init__(scope, calls, backend)
        self._to_app: deque[Message] = deque()
        self.left = False
        self._to_client: deque[Message] = deque()

    async def receive(self) -> Message:
        """Give the client's next message; after it has left, its disconnect again and again."""
        await self._changes.until(lambda: bool(self._to_app))
        message = self._to_app[0]
        if message["type"] != "websocket.disconnect":
            self._to_app.popleft()
        return message

    async def send(self, message: Message) -> None:
        """Take a message for the client; after it has left, fail as a server does."""
        if self.disconnected:
            raise OSError("The WebSocket client has disconnected.")
        self._to_client.append(message)
        self.notify()

    def put(self, message: Message) -> None:
        """Give a message to the application."""
        if not self.disconnected:
            self._to_app.append(message)
            self.disconnected: bool = bool(message["type"] == "websocket.disconnect")
            self.notify()

    def disconnect(self) -> None:
        """Let the client go away, as when a network ends."""
        self.put({"type": "websocket.disconnect", "code": 1006, "reason": ""})

    def start(self) -> None:
        """Call the application, in a task with a copy of the caller's context."""
        self._calls.start(self)

    def has_message(self) -> bool:
        """Whether `next_message` has an answer."""
        return bool(self._to_client) or self.finished

    def next_message(self) -> Message | None:
        """Return the application's next message; None where it sends no more."""
        return self._to_client.popleft() if self._to_client else None

    def _hand_over_error(self) -> None:
        """The session raises what the application raised, until it is left."""
        if self.left:
            super()._hand_over_error()


class WebSocketSession:
    """A WebSocket connection, as `client.websocket_connect(...)` returns it.

    Attributes:
        accepted_subprotocol: what the application chose, once connected.
        extra_headers: the headers it accepted with.
        scope: the ASGI scope.
    """

    def __init__(
        self, loop: PausedLoop, exchange: WebSocketExchange, timeout: float | None
    ) -> None:
        """Prepare a session on a client's loop."""
        self.accepted_subprotocol: str | None = None
        self.extra_headers: list[tuple[bytes, bytes]] | None = None
        self.scope: Scope = exchange.scope
        self._loop = loop
        self._exchange = exchange
        self._timeout = timeout

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            WebSocketDisconnect: the application refused.
        """
        context = copy_context()
        self._loop.soon(lambda: context.run(self._exchange.start))
        try:
            self.send({"type": "websocket.connect"})
            message = self.receive()
            self._raise_on_close(message)
        except BaseException:
            self._leave()
            raise
        self.accepted_subprotocol = message.get("subprotocol", None)
        self.extra_headers = message.get("headers", None)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect, and raise what the application raised; the block's error goes first."""
        error = self._leave()
        if error is not None and exc is None:
            raise error

    def _leave(self) -> BaseException | None:
        self.close(1000)
        exchange = self._exchange
        self._loop.run_until(lambda: exchange.finished, LEAVE_GRACE)
        exchange.left = True
        return exchange.take_error()

    def send(self, message: Message) -> None:
        """Send an ASGI message to the application."""
        self._loop.soon(lambda: self._exchange.put(message))

    def send_text(self, data: str) -> None:
        """Send text."""
        self.send({"type": "websocket.receive", "text": data})

    def send_bytes(self, data: bytes) -> None:
        """Send bytes."""
        self.send({"type": "websocket.receive", "bytes": data})

    def send_json(self, data: Any, mode: Mode = "text") -> None:
        """Send an object as JSON, as text or as bytes."""
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        if mode == "text":
            self.send_text(text)
        else:
            self.send_bytes(text.encode())

    def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Disconnect from the application."""
        self.send({"type": "websocket.disconnect", "code": code, "reason": reason})

    def receive(self) -> Message:
        """Return the application's next ASGI message.

        Raises:
            BaseException: what the application raised instead.
            WebSocketDisconnect: it returned without a further message.
        """
        self._loop.run_until(self._exchange.has_message)
        message = self._exchange.next_message()
        if message is not None:
            return message
        raise self._exchange.take_error() or _disconnect(1006, "The application returned.")

    def receive_text(self) -> str:
        """Return the next message's text."""
        return str(self._receive_data()["text"])

    def receive_bytes(self) -> bytes:
        """Return the next message's bytes."""
        return bytes(self._receive_data()["bytes"])

    def receive_json(self, mode: Mode = "text") -> Any:
        """Return the object in the next message."""
        message = self._receive_data()
        return json.loads(message["text"] if mode == "text" else message["bytes"].decode())

    def _receive_data(self) -> Message:
        message = self.receive()
        self._raise_on_close(message)
        return message

    def _raise_on_close(self, message: Message) -> None:
        if message["type"] == "websocket.close":
            raise _disconnect(message.get("code", 1000), message.get("reason", ""))
        if message["type"] == "websocket.http.response.start":
            self._raise_denial(message)

    def _raise_denial(self, start: Message) -> NoReturn:
        body = b""
        more = True
        while more:
            message = self.receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        raise _denial_class()(
            status_code=start["status"], headers=start.get("headers", []), content=body
        )


def _disconnect(code: int, reason: str) -> Exception:
    from starlette.websockets import WebSocketDisconnect

    return WebSocketDisconnect(code, reason)


def _denial_class() -> Any:
    """Starlette's own class where a test can have imported it, else one that is alike."""
    testclient = sys.modules.get("starlette.testclient")
    known = getattr(testclient, "WebSocketDenialResponse", None)
    if known is not None and issubclass(known, httpx.Response):
        return known
    from starlette.websockets import WebSocketDisconnect

    return type("WebSocketDenialResponse", (httpx.Response, WebSocketDisconnect), {})
