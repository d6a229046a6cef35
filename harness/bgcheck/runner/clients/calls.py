"""The application calls of one client: which are under way, and how they are left."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count

from bgcheck.runner.clients.backends import Backend, Changes, Deadline
from bgcheck.runner.clients.exchange import ASGIApp, Exchange
from bgcheck.runner.clients.hangs import StillRunningError, describe

LateErrorCallback = Callable[[BaseException, Exchange], object]

_logger = logging.getLogger("bgcheck.clients")
CANCEL_GRACE = 1.0
"""Seconds that a cancelled application call has to end."""


class ApplicationCalls:
    """Starts application calls in tasks of their own and keeps those that are not over.

    Attributes:
        app: the ASGI application.
        pending: the exchanges whose application call is not over, oldest first.
        late_errors: what the application raised after its response and no callback took.
        on_change: called when any exchange has changed, in the loop's thread.
        before_leave: called when the client is left, before what is pending is waited for.
    """

    def __init__(self, app: ASGIApp, on_late_error: LateErrorCallback | None = None) -> None:
        """Call this application; give late errors to `on_late_error(error, exchange)`."""
        self.app = app
        self.pending: list[Exchange] = []
        self.late_errors: list[tuple[BaseException, Exchange]] = []
        self.on_change: Callable[[], object] | None = None
        self.before_leave: Callable[[], object] | None = None
        self._on_late_error = on_late_error
        self._numbers = count(1)
        self._idle: list[Changes] = []

    def next_number(self) -> int:
        """Return 1, then 2, and so on."""
        return next(self._numbers)

    def start(self, exchange: Exchange) -> None:
        """Start the application call in a task with a copy of the caller's context."""
        self.pending.append(exchange)
        exchange.task = exchange.backend.spawn(
            lambda: exchange.run(self.app), f"{exchange.method} {exchange.path}"
        )

    def finish(self, exchange: Exchange) -> None:
        """Note that an application call is over."""
        self.pending.remove(exchange)
        for changes in self._idle:
            changes.notify()

    def changed(self) -> None:
        """Tell the owner of the loop that a condition may hold now."""
        if self.on_change is not None:
            self.on_change()

    def report_late(self, error: BaseException, exchange: Exchange) -> None:
        """Hand an error that no caller can be given to the callback, else keep and log it."""
        if self._on_late_error is not None:
            self._on_late_error(error, exchange)
            return
        self.late_errors.append((error, exchange))
        _logger.error(
            "%s %s failed after its response", exchange.method, exchange.path, exc_info=error
        )

    async def wait_idle(self, backend: Backend, deadline: Deadline) -> bool:
        """Wait until no application call is under way; return False at the deadline."""
        changes = Changes(backend)
        self._idle.append(changes)
        try:
            return await changes.until_or_timeout(lambda: not self.pending, deadline)
        finally:
            self._idle.remove(changes)

    async def leave(self, backend: Backend, timeout: float | None) -> StillRunningError | None:
        """Disconnect unfinished responses, wait for all calls, then cancel what still runs.

        Args:
            backend: the library of the running loop.
            timeout: seconds of real time to wait; None waits without end.

        Returns:
            The error to raise for what had to be cancelled, if anything had.
        """
        if self.before_leave is not None:
            self.before_leave()
        for exchange in self.pending:
            if not exchange.unheard:
                exchange.disconnect()
        if await self.wait_idle(backend, Deadline(timeout)):
            return None
        error = StillRunningError.of(describe(self.pending), timeout or 0.0)
        for exchange in list(self.pending):
            self.cancel(exchange)
        if not await self.wait_idle(backend, Deadline(CANCEL_GRACE)):
            error.survivors = len(self.pending)
        return error

    @staticmethod
    def cancel(exchange: Exchange) -> None:
        """Cancel an application call, as a server does whose limit for shutdown is over."""
        if exchange.task is not None:
            exchange.task.cancel()
