"""The ASGI application that answers before its tasks run."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from bgcheck.runner.clients.backends import Backend, Task, running_backend
from bgcheck.runner.clients.calls import ApplicationCalls, LateErrorCallback
from bgcheck.runner.clients.exchange import ASGIApp, Exchange, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from typing_extensions import Self


class ForwardedExchange(Exchange):
    """An exchange whose server side is another ASGI client's."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        calls: ApplicationCalls,
        backend: Backend,
    ) -> None:
        super().__init__(scope, calls, backend)
        self._outer_receive = receive
        self._outer_send = send
        self._body_complete = False
        self._outer_ended = False
        self._listener: Task | None = None

    async def receive(self) -> Message:
        """Give the outer client's body, then its disconnect or the end of the response."""
        if self.over:
            return {"type": "http.disconnect"}
        if not self._body_complete:
            message = await self._outer_receive()
            self._body_complete = not message.get("more_body", False)
            if message["type"] == "http.disconnect":
                self.disconnect()
            return message
        if self._listener is None:
            self._listener = self.backend.spawn(self._listen, "response-first disconnect")
        await self._changes.until(lambda: self.over)
        return {"type": "http.disconnect"}

    async def _listen(self) -> None:
        with suppress(Exception):  # an outer client that fails to tell has gone, too
            await self._outer_receive()
        if not self.whole and not self.finished:
            self.disconnect()

    async def send(self, message: Message) -> None:
        """Pass a message on, and let the caller have the response before going on."""
        if self.disconnected:
            return
        if self.response_complete:
            raise RuntimeError(already_completed(message))
        if not self._outer_ended:
            await self._outer_send(self._for_outer(message))
        self._note(message)
        await self._hand_over()

    def _for_outer(self, message: Message) -> Message:
        """End the outer client's response where it is whole: real clients stop reading there."""
        if message["type"] != "http.response.body":
            return message
        self._outer_ended = self._is_last(message)
        self.whole: bool = self.whole or self._outer_ended
        return {**message, "more_body": False} if self._outer_ended else message

    @property
    def answered(self) -> bool:
        """Whether the outer client has the end of its response."""
        return self._outer_ended or self.response_complete

    def _complete(self) -> None:
        super()._complete()
        self._stop_listening()

    def _finish(self) -> None:
        super()._finish()
        self._stop_listening()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            self._listener = None


def already_completed(message: Message) -> str:
    """What a server says to a message after the end of the response."""
    kind = message["type"]
    return f"Unexpected ASGI message {kind!r} sent, after response already completed."


class ResponseFirst:
    """An ASGI application that answers before its tasks run.

    Awaiting a call returns as soon as the response is complete. The rest of the application call
    (tasks, exit of dependencies, middleware) goes on in the same loop, in the task and context it
    was started in: an asyncio task, or a trio system task, so that it needs no nursery. It goes on
    only as long as the loop runs: leave the wrapper with `async with`, or call `aclose()`, to wait
    for it. An error before the response is complete is raised to the caller; a later one is given
    to `on_late_error`, or kept in `late_errors`.

    A caller that is cancelled is a client that disconnects: the application call goes on.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        on_late_error: LateErrorCallback | None = None,
        leave_timeout: float | None = 10.0,
    ) -> None:
        """Wrap an application.

        Args:
            app: the ASGI application.
            on_late_error: called with an error after the response, and its exchange.
            leave_timeout: seconds that leaving waits for what still runs; None for no limit.
        """
        self.app = app
        self.calls: ApplicationCalls = ApplicationCalls(app, on_late_error)
        self._leave_timeout = leave_timeout

    @property
    def late_errors(self) -> list[tuple[BaseException, Exchange]]:
        """The errors after a response that no callback took."""
        return self.calls.late_errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application; return when the response is complete."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self.app(scope, self._after_calls(receive), send)
        else:
            await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = ForwardedExchange(scope, receive, send, self.calls, running_backend())
        with exchange.attended():
            self.calls.start(exchange)
            try:
                await exchange.attend(lambda: exchange.answered or exchange.finished)
            except BaseException:
                exchange.disconnect()
                raise
        if exchange.failed or not exchange.answered:
            error = exchange.take_error()
            if error is not None:
                raise error

    def _after_calls(self, receive: Receive) -> Receive:
        """Hold the lifespan's shutdown back until the application calls are over, as servers do."""

        async def receive_after_calls() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self.aclose()
            return message

        return receive_after_calls

    async def aclose(self) -> None:
        """Wait for what still runs.

        Raises:
            StillRunningError: something was left at the limit; it was cancelled.
        """
        error = await self.calls.leave(running_backend(), self._leave_timeout)
        if error is not None:
            raise error

    async def __aenter__(self) -> Self:
        """Return the application."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for what still runs; an error of the block goes first."""
        error = await self.calls.leave(running_backend(), self._leave_timeout)
        if error is not None and exc is None:
            raise error
