"""The response-first `AsyncClient` of httpx2 or httpx."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bgcheck.runner.clients.backends import Deadline, running_backend
from bgcheck.runner.clients.calls import ApplicationCalls, LateErrorCallback
from bgcheck.runner.clients.connection import ConnectedExchange
from bgcheck.runner.clients.hangs import StillRunningError, describe
from bgcheck.runner.clients.http_library import httpx
from bgcheck.runner.clients.lifespan import Lifespan, LifespanMode
from bgcheck.runner.clients.scopes import http_scope, raise_failure, response_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from bgcheck.runner.clients.exchange import ASGIApp, Exchange


class ResponseFirstAsyncClient(httpx.AsyncClient):
    """An `AsyncClient` whose response is there before the tasks of the request run.

    `async with` runs the application's lifespan, and waits at its end for what is pending. Without
    it there is no lifespan, and `await client.aclose()` waits. The application runs in the loop of
    the caller: in asyncio tasks, or in trio system tasks, which need no nursery.

    Attributes:
        app: the ASGI application.
        app_state: the state of the lifespan.
        calls: the application calls under way.
    """

    __test__ = False

    def __init__(
        self,
        app: ASGIApp,
        *,
        base_url: str = "http://testserver",
        raise_app_exceptions: bool = True,
        root_path: str = "",
        client: tuple[str, int] = ("127.0.0.1", 123),
        lifespan: LifespanMode = "auto",
        leave_timeout: float | None = 10.0,
        on_late_error: LateErrorCallback | None = None,
        **options: Any,
    ) -> None:
        """Make a client.

        Args:
            app: the ASGI application.
            base_url: what relative URLs are joined to.
            raise_app_exceptions: raise what the application raised before its response; else give
                a 500 response, or break the response off, as a server does.
            root_path: where the application is mounted.
            client: host and port that the application sees as the client's.
            lifespan: `auto`: an application without lifespan is fine; `on`: it is an error; `off`.
            leave_timeout: seconds of real time that leaving waits for what still runs; None for no
                limit.
            on_late_error: called with each error after a response, and its exchange.
            options: further options of `httpx.AsyncClient`.
        """
        self.app = app
        self.app_state: dict[str, Any] = {}
        self.calls: ApplicationCalls = ApplicationCalls(app, on_late_error)
        self._root_path = root_path
        self._client_address = client
        self._raise = raise_app_exceptions
        self._lifespan_mode: LifespanMode = lifespan
        self._leave_timeout = leave_timeout
        self._lifespan: Lifespan | None = None
        self._shut_down = False
        super().__init__(base_url=base_url, transport=_Transport(self), **options)

    @property
    def late_errors(self) -> list[tuple[BaseException, Exchange]]:
        """The errors after a response that no callback took, with their exchanges."""
        return self.calls.late_errors

    async def drain(self, timeout: float | None = None) -> None:
        """Wait until nothing of an earlier request is pending.

        Args:
            timeout: seconds of real time; None for the client's `leave_timeout`.

        Raises:
            StillRunningError: something still runs; it goes on running.
        """
        limit = self._leave_timeout if timeout is None else timeout
        if not await self.calls.wait_idle(running_backend(), Deadline(limit)):
            raise StillRunningError.of(describe(self.calls.pending), limit or 0.0, left=False)

    def disconnect(self) -> None:
        """Let the client of every pending request go away: `receive` gives `http.disconnect`."""
        for exchange in list(self.calls.pending):
            exchange.disconnect()

    async def shutdown(self, timeout: float | None = None) -> None:
        """Shut the application down as a server does, with requests pending.

        Waits for what is pending, cancels what is left at the limit, then runs the shutdown of the
        lifespan. A later request is refused, as by a server that is gone.

        Args:
            timeout: seconds of real time before what is pending is cancelled; None for the
                client's `leave_timeout`.
        """
        limit = self._leave_timeout if timeout is None else timeout
        self._shut_down = True
        await self.calls.leave(running_backend(), limit)
        await self._stop_lifespan()

    async def _stop_lifespan(self) -> None:
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            await lifespan.shutdown(self._leave_timeout)

    async def _leave(self) -> StillRunningError | None:
        error = await self.calls.leave(running_backend(), self._leave_timeout)
        await self._stop_lifespan()
        return error

    async def __aenter__(self) -> Self:
        """Start the application's lifespan."""
        await super().__aenter__()
        backend = running_backend()
        self._lifespan = Lifespan(self.app, self.app_state, backend, self._lifespan_mode)
        try:
            await self._lifespan.startup()
        except BaseException:
            self._lifespan = None
            await super().__aexit__()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Wait for what is pending and shut the application down; the block's error goes first.

        Raises:
            StillRunningError: something was left at the limit; it was cancelled.
        """
        error = await self._leave()
        await super().__aexit__(exc_type, exc_value, traceback)
        if error is not None and exc_value is None:
            raise error

    async def aclose(self) -> None:
        """Wait for what is pending and close the client.

        Raises:
            StillRunningError: something was left at the limit; it was cancelled.
        """
        error = await self._leave()
        await super().aclose()
        if error is not None:
            raise error

    async def begin(self, request: httpx.Request) -> ConnectedExchange:
        """Start the application call of a request and wait for the start of its response."""
        if self._shut_down:
            raise httpx.ConnectError("The application was shut down.", request=request)
        scope = http_scope(
            request,
            root_path=self._root_path,
            client=self._client_address,
            state=self.app_state,
        )
        body = await request.aread()
        exchange = ConnectedExchange(
            scope, body, self.calls, running_backend(), raise_errors=self._raise
        )
        with exchange.attended():
            self.calls.start(exchange)
            await self._attend(exchange, exchange.has_head)
        return exchange

    @staticmethod
    async def _attend(exchange: ConnectedExchange, condition: Any) -> None:
        try:
            await exchange.attend(condition)
        except BaseException:
            exchange.close()
            raise

    async def next_chunk(self, exchange: ConnectedExchange, request: httpx.Request) -> bytes | None:
        """Return the next chunk of a response's body when it is there; None at the end."""
        await self._attend(exchange, exchange.has_part)
        chunk = exchange.next_chunk()
        if chunk is None:
            raise_failure(exchange, request)
        else:
            exchange.notify()
        return chunk


class _Body(httpx.AsyncByteStream):
    def __init__(
        self, client: ResponseFirstAsyncClient, exchange: ConnectedExchange, request: httpx.Request
    ) -> None:
        self._client = client
        self._exchange = exchange
        self._request = request

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:  # no generator: trio warns of those that are not exhausted
        chunk = await self._client.next_chunk(self._exchange, self._request)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        self._exchange.close()


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, client: ResponseFirstAsyncClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = await self._client.begin(request)
        body = _Body(self._client, exchange, request)
        return response_of(exchange, request, body)
