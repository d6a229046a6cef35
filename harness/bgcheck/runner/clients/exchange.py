"""One request and its response, with an application call that may outlive the response."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import CO_COROUTINE
from typing import TYPE_CHECKING, Any

from bgcheck.runner.clients.backends import Backend, Changes, Deadline, Task

if TYPE_CHECKING:
    from bgcheck.runner.clients.calls import ApplicationCalls

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

response_first_exchange: ContextVar[Exchange | None] = ContextVar(
    "response_first_exchange", default=None
)
"""The exchange that the running code belongs to; None outside of a response-first client."""


def _now(function: Callable[[], object]) -> None:
    function()


class Exchange:
    """One request of a response-first client, from the application call's start to its end.

    Attributes:
        scope: the ASGI scope the application was called with.
        number: 1 for the client's first request, 2 for the next.
        response_started: the status and headers were sent.
        response_complete: the last byte (or trailer) was sent.
        whole: the client has all of the response: it is complete, or has the bytes that its
            Content-Length announces, at which a client stops reading.
        disconnected: the client went away before the response was complete, or was told to.
        finished: the application call is over.
        cancelled: the application call ended by cancellation.
        error: what the application raised, if it did.
        task: the task that runs the application call.
        backend: the event loop library it runs on.
        hands_over_in_send: the last `send` waits until the client goes on; else who runs the
            tasks waits by `handed_over`, and `send` returns at once as a server's does.
        raise_errors: the client raises what a handler raises, rather than take the 500 response.
    """

    def __init__(
        self,
        scope: Scope,
        calls: ApplicationCalls,
        backend: Backend,
        *,
        raise_errors: bool = True,
    ) -> None:
        """Make an exchange that has not begun.

        Args:
            scope: the ASGI scope.
            calls: the application calls it is one of.
            backend: the event loop library it runs on.
            raise_errors: whether the client raises a handler's error.
        """
        self.scope = scope
        self.number: int = calls.next_number()
        self.backend = backend
        self.response_started: bool = False
        self.response_complete: bool = False
        self.whole: bool = False
        self.disconnected: bool = False
        self.finished: bool = False
        self.cancelled: bool = False
        self.error: BaseException | None = None
        self.task: Task | None = None
        self._calls = calls
        self._changes = Changes(backend)
        self._attending = 0
        self.hands_over_in_send: bool = True
        self._trailers_expected = False
        self._bytes_left: int | None = None
        self._error_taken = False
        self.raise_errors = raise_errors
        self._answered_error: BaseException | None = None
        self._on_complete: list[Callable[[], object]] = []

    @property
    def method(self) -> str:
        """The HTTP method, or `WEBSOCKET`."""
        return str(self.scope.get("method", "WEBSOCKET"))

    @property
    def path(self) -> str:
        """The path of the request, decoded."""
        return str(self.scope["path"])

    @property
    def over(self) -> bool:
        """Whether the server is done with the response: it is complete, or the client has left."""
        return self.response_complete or self.disconnected

    @property
    def unheard(self) -> bool:
        """Whether the client takes nothing more: it has the whole response, or has left."""
        return self.whole or self.disconnected

    def on_complete(self, callback: Callable[[], object]) -> None:
        """Call back when the response is complete, before the client or the application goes on."""
        self._on_complete.append(callback)

    def disconnect(self) -> None:
        """Let the client go away: `receive` gives `http.disconnect`, nothing else changes."""
        self.disconnected = True
        self._hand_over_error()
        self.notify()

    async def receive(self) -> Message:
        """The application's `receive`."""
        raise NotImplementedError

    async def send(self, message: Message) -> None:
        """The application's `send`."""
        raise NotImplementedError

    async def run(self, app: ASGIApp) -> None:
        """Call the application and keep how it ended; the body of the exchange's task."""
        response_first_exchange.set(self)
        try:
            await app(self.scope, self.receive, self.send)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.cancelled = _is_cancellation(error)
            if self.cancelled:
                raise
            self.error = error
        finally:
            self._finish()

    @property
    def failed(self) -> bool:
        """Whether the application call raised the error that its response is the answer to.

        Starlette answers an error of a handler with a complete 500 response, and raises it then.
        """
        return self.error is not None and self.error is self._answered_error

    def _finish(self) -> None:
        self.finished = True
        if self.unheard and not self.failed:
            self._hand_over_error()
        self.notify()
        self._calls.finish(self)

    def take_error(self) -> BaseException | None:
        """Return the application's error to a caller who raises or reports it; only once."""
        if self._error_taken:
            return None
        self._error_taken = self.error is not None
        return self.error

    def _hand_over_error(self) -> None:
        error = self.take_error()
        if error is not None:
            self._calls.report_late(error, self)

    def notify(self) -> None:
        """Wake who waits for this exchange."""
        self._changes.notify()
        self._calls.changed()

    @contextmanager
    def attended(self, soon: Callable[[Callable[[], object]], object] = _now) -> Iterator[None]:
        """Someone waits for the response: its last bytes hand over to them first.

        Args:
            soon: calls a function in the loop, for a caller who is outside of it.
        """
        self._attending += 1
        try:
            yield
        finally:
            self._attending -= 1
            soon(self.notify)

    async def attend(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition of the response, on behalf of the client."""
        if not condition():
            with self.attended():
                await self._changes.until(condition)

    def _note(self, message: Message) -> None:
        """Follow the response's state from the messages that were taken."""
        kind = message["type"]
        if kind == "http.response.start":
            self._note_start(message)
        elif kind == "http.response.body":
            self._note_body(message)
        elif kind == "http.response.trailers":
            if not message.get("more_trailers", False):
                self._complete()
        elif kind in ("http.response.pathsend", "http.response.zerocopysend"):
            self._complete()

    def _note_start(self, message: Message) -> None:
        self.response_started = True
        self._trailers_expected = message.get("trailers", False)
        self._bytes_left = self._length_of(message)
        self.whole = self._bytes_left == 0

    def _length_of(self, start: Message) -> int | None:
        """How many bytes the client will read; None where only the end of the body tells."""
        if self.method == "HEAD" or start["status"] in (204, 304):
            return 0
        lengths = [v for k, v in start.get("headers", ()) if bytes(k).lower() == b"content-length"]
        return int(lengths[0]) if lengths and not self._trailers_expected else None

    def _is_last(self, message: Message) -> bool:
        """Whether a client stops reading after this body message."""
        if self._bytes_left is not None:
            return len(message.get("body", b"")) >= self._bytes_left
        return not message.get("more_body", False) and not self._trailers_expected

    def _note_body(self, message: Message) -> None:
        self.whole = self.whole or self._is_last(message)
        if self._bytes_left is not None:
            self._bytes_left -= len(message.get("body", b""))
        if not message.get("more_body", False) and not self._trailers_expected:
            self._complete()

    def _complete(self) -> None:
        self.response_complete = self.whole = True
        for callback in self._on_complete:
            callback()

    async def _hand_over(self) -> None:
        """After a message: let who waits for the whole response go on before the application.

        A server's `send` may wait as well; without this, the first task would run up to its first
        await before an in-process client sees the response. The answer to an error does not wait
        where the client wants the error, which follows in the same step.
        """
        self.notify()
        if not self.response_complete:
            return
        self._answered_error = _error_being_answered()
        if self.hands_over_in_send:
            await self.handed_over()

    async def handed_over(self) -> None:
        """Wait until who waited for the whole response has gone on."""
        wanted = self.raise_errors and self._answered_error is not None
        if self.response_complete and self._attending and not wanted:
            await self._changes.until(lambda: not self._attending)

    async def completed(self, seconds: float) -> bool:
        """Wait until the client has the response or has gone; return False at the limit.

        Args:
            seconds: of real time.
        """
        return await self._changes.until_or_timeout(lambda: self.unheard, Deadline(seconds))


def _error_being_answered() -> BaseException | None:
    """The error that a coroutine on the stack is handling, if any.

    What a caller of the event loop handles, such as a test inside `except`, does not count.
    """
    error = sys.exc_info()[1]
    if error is None or error.__traceback__ is None:
        return None
    catcher = error.__traceback__.tb_frame
    return error if catcher.f_code.co_flags & CO_COROUTINE else None


def _is_cancellation(error: BaseException) -> bool:
    """Whether an error is asyncio's or trio's cancellation, or a group of nothing else."""
    if isinstance(error, asyncio.CancelledError):
        return True
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    if inner and not isinstance(error, Exception):
        return all(map(_is_cancellation, inner))
    return type(error).__name__ == "Cancelled" and type(error).__module__.startswith("trio")
