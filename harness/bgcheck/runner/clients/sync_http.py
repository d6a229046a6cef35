"""The response-first client with the API of Starlette's TestClient."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextvars import copy_context
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urljoin

from bgcheck.runner.clients.calls import ApplicationCalls, LateErrorCallback
from bgcheck.runner.clients.connection import ConnectedExchange
from bgcheck.runner.clients.hangs import StillRunningError, describe
from bgcheck.runner.clients.http_library import httpx
from bgcheck.runner.clients.lifespan import Lifespan, LifespanMode
from bgcheck.runner.clients.loops import (
    AsyncioLoop,
    PausedLoop,
    TrioLoop,
    refuse_running_loop,
    run,
)
from bgcheck.runner.clients.scopes import http_scope, raise_failure, response_of, websocket_scope
from bgcheck.runner.clients.websocket import WebSocketExchange, WebSocketSession

if TYPE_CHECKING:
    from typing_extensions import Self

    from bgcheck.runner.clients.exchange import ASGIApp, Exchange

T = TypeVar("T")


class ResponseFirstClient(httpx.Client):
    """A client whose response is there before the tasks of the request run.

    It owns an event loop in the thread that uses it. The loop runs only while the client needs it:
    until the response is complete, then it stands still, with tasks and dependencies pending. They
    go on at the next request, in `run_until` and `drain`, and when the client is left. `with` runs
    the application's lifespan; without it there is none, and `close()` leaves the client.

    Attributes:
        app: the ASGI application.
        app_state: the state of the lifespan.
        calls: the application calls under way.
    """

    __test__ = False

    def __init__(
        self,
        app: ASGIApp,
        base_url: str = "http://testserver",
        raise_server_exceptions: bool = True,
        root_path: str = "",
        backend: Literal["asyncio", "trio"] = "asyncio",
        backend_options: Mapping[str, Any] | None = None,
        cookies: Any = None,
        headers: Mapping[str, str] | None = None,
        follow_redirects: bool = True,
        client: tuple[str, int] = ("testclient", 50000),
        *,
        lifespan: LifespanMode = "auto",
        leave_timeout: float | None = 10.0,
        on_late_error: LateErrorCallback | None = None,
    ) -> None:
        """Make a client.

        Args:
            app: the ASGI application.
            base_url: what relative URLs are joined to.
            raise_server_exceptions: raise what the application raised before its response; else
                give a 500 response, or break the response off, as a server does.
            root_path: where the application is mounted.
            backend: the event loop library.
            backend_options: for asyncio `loop_factory`, `use_uvloop`, `debug`; for trio those of
                `trio.run`.
            cookies: cookies of every request.
            headers: headers of every request.
            follow_redirects: follow redirects.
            client: host and port that the application sees as the client's.
            lifespan: `auto`: an application without lifespan is fine; `on`: it is an error; `off`.
            leave_timeout: seconds of real time that leaving waits for what still runs; None for no
                limit.
            on_late_error: called with each error after a response, and its exchange.
        """
        self.app = app
        self.app_state: dict[str, Any] = {}
        self.calls: ApplicationCalls = ApplicationCalls(app, on_late_error)
        self._make_loop: Callable[..., PausedLoop] = {"asyncio": AsyncioLoop, "trio": TrioLoop}[
            backend
        ]
        self._backend_options = dict(backend_options or {})
        self._root_path = root_path
        self._client_address = client
        self._raise = raise_server_exceptions
        self._lifespan_mode: LifespanMode = lifespan
        self._leave_timeout = leave_timeout
        self._loop: PausedLoop | None = None
        self._thread: threading.Thread | None = None
        self._lifespan: Lifespan | None = None
        self._shut_down = False
        super().__init__(
            base_url=base_url,
            headers={"user-agent": "testclient", **(headers or {})},
            cookies=cookies,
            follow_redirects=follow_redirects,
            transport=_Transport(self),
        )

    @property
    def late_errors(self) -> list[tuple[BaseException, Exchange]]:
        """The errors after a response that no callback took, with their exchanges."""
        return self.calls.late_errors

    @property
    def loop(self) -> PausedLoop:
        """The client's loop, made when it is first needed.

        Raises:
            RuntimeError: the thread runs a loop already, or is not the one that used the client
                first.
        """
        refuse_running_loop()
        if self._loop is None:
            self._loop = self._make_loop(**self._backend_options)
            self._thread = threading.current_thread()
            self.calls.on_change = self._loop.changed
        thread = threading.current_thread()
        if self._thread is not None and self._thread is not thread:
            raise RuntimeError(
                f"bgtasks.client(app) belongs to thread {self._thread.name!r}, and was used in "
                f"{thread.name!r}: make one client a thread, or use "
                "bgtasks.async_client(app) for concurrent requests."
            )
        return self._loop

    def run_until(self, condition: Callable[[], bool], timeout: float | None = None) -> None:
        """Let the application go on until a condition holds.

        Args:
            condition: looked at whenever a request changes, and every few milliseconds.
            timeout: seconds of real time; None for the client's `leave_timeout`.

        Raises:
            StillRunningError: it did not hold in time; names what is still running.
        """
        limit = self._leave_timeout if timeout is None else timeout
        if not self.loop.run_until(condition, limit, poll=True):
            raise run(self.loop, lambda: self._still_running(limit or 0.0))

    async def _still_running(self, timeout: float) -> StillRunningError:  # in the loop, to see it
        return StillRunningError.of(describe(self.calls.pending), timeout, left=False)

    def drain(self, timeout: float | None = None) -> None:
        """Let the application go on until nothing of an earlier request is pending.

        Args:
            timeout: seconds of real time; None for the client's `leave_timeout`.

        Raises:
            StillRunningError: something still runs; it goes on running.
        """
        self.run_until(lambda: not self.calls.pending, timeout)

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine function in the client's loop and return its result."""
        return run(self.loop, function)

    def disconnect(self) -> None:
        """Let the client of every pending request go away: `receive` gives `http.disconnect`."""
        for exchange in list(self.calls.pending):
            self.loop.soon(exchange.disconnect)

    def shutdown(self, timeout: float | None = None) -> None:
        """Shut the application down as a server does, with requests pending.

        Waits for what is pending, cancels what is left at the limit, then runs the shutdown of the
        lifespan. A later request is refused, as by a server that is gone.

        Args:
            timeout: seconds of real time before what is pending is cancelled; None for the
                client's `leave_timeout`.
        """
        limit = self._leave_timeout if timeout is None else timeout
        self._shut_down = True
        self._leave_calls(limit)
        self._stop_lifespan()

    def _leave_calls(self, timeout: float | None) -> StillRunningError | None:
        if self._loop is None:
            return None
        loop = self.loop
        return run(loop, lambda: self.calls.leave(loop.backend, timeout))

    def _stop_lifespan(self) -> None:
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            run(self.loop, lambda: lifespan.shutdown(self._leave_timeout))

    def _leave(self) -> StillRunningError | None:
        """Wait for what is pending, shut the application down, and close the loop."""
        try:
            error = self._leave_calls(self._leave_timeout)
            self._stop_lifespan()
        finally:
            loop, self._loop = self._loop, None
            self._shut_down = False
            if loop is not None:
                loop.close()
        return error

    def __enter__(self) -> Self:
        """Start the application's lifespan."""
        loop = self.loop
        self._lifespan = Lifespan(self.app, self.app_state, loop.backend, self._lifespan_mode)
        try:
            run(loop, self._lifespan.startup)
        except BaseException:
            self._lifespan = None
            self._leave()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Wait for what is pending and shut the application down; the block's error goes first.

        Raises:
            StillRunningError: something was left at the limit; it was cancelled.
        """
        error = self._leave()
        if error is not None and exc_value is None:
            raise error

    def close(self) -> None:
        """Wait for what is pending and close the client.

        Raises:
            StillRunningError: something was left at the limit; it was cancelled.
        """
        super().close()
        error = self._leave()
        if error is not None:
            raise error

    def websocket_connect(
        self, url: str, subprotocols: Sequence[str] | None = None, **kwargs: Any
    ) -> WebSocketSession:
        """Return a WebSocket session, to be entered with `with`.

        Args:
            url: path or URL.
            subprotocols: what the client offers.
            kwargs: further arguments of `request`.
        """
        headers = dict(kwargs.pop("headers", None) or {})
        headers.setdefault("connection", "upgrade")
        headers.setdefault("sec-websocket-key", "testserver==")
        headers.setdefault("sec-websocket-version", "13")
        if subprotocols is not None:
            headers.setdefault("sec-websocket-protocol", ", ".join(subprotocols))
        try:
            self.request("GET", urljoin("ws://testserver", url), headers=headers, **kwargs)
        except _Upgrade as upgrade:
            return WebSocketSession(self.loop, upgrade.exchange, self._leave_timeout)
        raise RuntimeError(f"{url} is not a WebSocket URL.")

    def begin(self, request: httpx.Request) -> ConnectedExchange:
        """Start the application call of a request, in the context of the caller."""
        if self._shut_down:
            raise httpx.ConnectError("The application was shut down.", request=request)
        body = request.read()
        loop = self.loop
        options = self._scope_options()
        if request.url.scheme in ("ws", "wss"):
            scope = websocket_scope(request, **options)
            raise _Upgrade(WebSocketExchange(scope, self.calls, loop.backend))
        exchange = ConnectedExchange(
            http_scope(request, **options), body, self.calls, loop.backend, raise_errors=self._raise
        )
        context = copy_context()
        with exchange.attended(loop.soon):
            loop.soon(lambda: context.run(self.calls.start, exchange))
            loop.run_until(exchange.has_head)
        return exchange

    def _scope_options(self) -> dict[str, Any]:
        return {
            "root_path": self._root_path,
            "client": self._client_address,
            "state": self.app_state,
        }

    def next_chunk(self, exchange: ConnectedExchange, request: httpx.Request) -> bytes | None:
        """Return the next chunk of a response's body when it is there; None at the end."""
        if not exchange.has_part():
            with exchange.attended(self.loop.soon):
                self.loop.run_until(exchange.has_part)
        chunk = exchange.next_chunk()
        if chunk is None:
            raise_failure(exchange, request)
        elif self._loop is not None:
            self._loop.soon(exchange.notify)
        return chunk

    def leave_response(self, exchange: ConnectedExchange) -> None:
        """Close a response: the client goes away where it is not complete."""
        if not exchange.unheard and self._loop is not None:
            self._loop.soon(exchange.close)


class _Upgrade(Exception):  # noqa: N818  a signal through the client library
    def __init__(self, exchange: WebSocketExchange) -> None:
        self.exchange = exchange


class _Body(httpx.SyncByteStream):
    def __init__(
        self, client: ResponseFirstClient, exchange: ConnectedExchange, request: httpx.Request
    ) -> None:
        self._client = client
        self._exchange = exchange
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._client.next_chunk(self._exchange, self._request)) is not None:
            yield chunk

    def close(self) -> None:
        self._client.leave_response(self._exchange)


class _Transport(httpx.BaseTransport):
    def __init__(self, client: ResponseFirstClient) -> None:
        self._client = client

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        exchange = self._client.begin(request)
        body = _Body(self._client, exchange, request)
        return response_of(exchange, request, body)
