"""The server side of one request, behaving as uvicorn's: `receive`, `send` and their buffer."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from bgcheck.runner.clients.exchange import Exchange, Message, Scope
from bgcheck.runner.clients.wrapper import already_completed

if TYPE_CHECKING:
    from bgcheck.runner.clients.backends import Backend
    from bgcheck.runner.clients.calls import ApplicationCalls

HIGH_WATER = 65536
"""Bytes not read by the client from which on `send` waits, as on an asyncio transport."""
LOW_WATER = HIGH_WATER // 4
"""Bytes not read at which `send` goes on."""

ASGI_VERSIONS = {"version": "3.0", "spec_version": "2.3"}
"""What uvicorn announces for HTTP; Starlette's streaming responses behave by it."""


class NoResponseError(AssertionError):
    """The application call ended without a complete response."""


class ConnectedExchange(Exchange):
    """An exchange with an in-process client.

    Attributes:
        status: the status code, once the response has started.
        headers: the response's headers, as pairs of bytes.
        trailers: the response's trailers.
        debug: what `http.response.debug` told, if the scope offers that extension.
    """

    def __init__(
        self,
        scope: Scope,
        body: bytes,
        calls: ApplicationCalls,
        backend: Backend,
        *,
        raise_errors: bool,
    ) -> None:
        super().__init__(scope, calls, backend, raise_errors=raise_errors)
        self.status: int = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.trailers: list[tuple[bytes, bytes]] = []
        self.debug: dict[str, Any] | None = None
        self._body: bytes | None = body
        self._chunks: deque[bytes] = deque()
        self._unread = 0
        self._body_ended = False
        self._write_paused = False

    async def receive(self) -> Message:
        """Give the body once, and after it the end of the response or the client's leaving."""
        if self._body is None:
            await self._changes.until(lambda: self.over)
        if self.over or self._body is None:
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        """Take a message; wait first while the client has much to read, drop it if it has left."""
        if self._write_paused and not self.disconnected:
            await self._changes.until(lambda: not self._write_paused or self.disconnected)
        if self.disconnected:
            return
        self._take(message)
        self._note(message)
        await self._hand_over()

    def _take(self, message: Message) -> None:
        if self.response_complete:
            raise RuntimeError(already_completed(message))
        kind = message["type"]
        if kind == "http.response.debug" and kind in self.scope.get("extensions", ()):
            self.debug = message["info"]
            return
        expected = self._expected()
        if kind != expected:
            raise RuntimeError(f"Expected ASGI message {expected!r}, but got {kind!r}.")
        if kind == "http.response.start":
            self.status = message["status"]
            self.headers = [(bytes(k), bytes(v)) for k, v in message.get("headers", ())]
        elif kind == "http.response.body":
            self._write(bytes(message.get("body", b"")), last=not message.get("more_body", False))
        else:
            self.trailers += message.get("headers", ())

    def _expected(self) -> str:
        if not self.response_started:
            return "http.response.start"
        return "http.response.trailers" if self._body_ended else "http.response.body"

    def _write(self, chunk: bytes, *, last: bool) -> None:
        self._body_ended = last
        if chunk and self.method != "HEAD":
            self._chunks.append(chunk)
            self._unread += len(chunk)
            self._write_paused = self._unread > HIGH_WATER

    def has_head(self) -> bool:
        """Whether the client has something to know: the response's start, or that none comes."""
        return self.response_started or self.finished or self.disconnected

    def has_part(self) -> bool:
        """Whether `next_chunk` has an answer."""
        return bool(self._chunks) or self.finished or self.unheard

    def next_chunk(self) -> bytes | None:
        """Return a chunk of the body, or None where there is no more for now or at all."""
        if not self._chunks:
            return None
        chunk = self._chunks.popleft()
        self._unread -= len(chunk)
        if self._write_paused and self._unread <= LOW_WATER:
            self._write_paused = False
        return chunk

    def failure(self) -> BaseException | None:
        """Why the response is not and will not be complete; None where that is not so."""
        if self.failed:
            return self.take_error()
        if self.whole or not (self.finished or self.disconnected):
            return None
        error = self.take_error()
        if error is not None:
            return error
        if self.cancelled:
            text = f"The application call of {self.method} {self.path} was cancelled"
        elif self.disconnected:
            text = f"The client of {self.method} {self.path} was disconnected"
        else:
            text = f"The application returned from {self.method} {self.path}"
        started = self.response_started
        ending = "before its response was complete" if started else "without a response"
        return NoResponseError(f"{text} {ending}.")

    def close(self) -> None:
        """The client has read what it wants: before the end, that is a disconnect."""
        if not self.unheard:
            self.disconnect()
