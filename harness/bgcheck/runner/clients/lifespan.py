"""The lifespan of an application, run as uvicorn does."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from bgcheck.runner.clients.backends import Backend, Changes, Deadline, Task

if TYPE_CHECKING:
    from bgcheck.runner.clients.exchange import ASGIApp, Message

_logger = logging.getLogger("bgcheck.clients")

END_GRACE = 1.0
"""Seconds that the application call has to return after it said that the shutdown is complete."""

LifespanMode = Literal["auto", "on", "off"]


class LifespanError(RuntimeError):
    """The application reported that its startup or shutdown failed, or did not end in time."""


class Lifespan:
    """One run of an application's lifespan, in a task of its own."""

    def __init__(
        self, app: ASGIApp, state: dict[str, Any], backend: Backend, mode: LifespanMode
    ) -> None:
        """Prepare a run.

        Args:
            app: the ASGI application.
            state: the lifespan state that requests get a copy of.
            backend: the library of the loop.
            mode: `auto` goes on where the application has no lifespan, `on` raises, `off` does
                nothing.
        """
        self._app = app
        self._state = state
        self._backend = backend
        self._mode = mode
        self._changes = Changes(backend)
        self._incoming: deque[Message] = deque()
        self._outgoing: Message | None = None
        self._task: Task | None = None
        self._finished = False
        self._error: BaseException | None = None
        self._supported = mode != "off"

    async def startup(self) -> None:
        """Start the application up.

        Raises:
            LifespanError: the application said that its startup failed and raised nothing.
            BaseException: what the application raised.
        """
        if not self._supported:
            return
        self._task = self._backend.spawn(self._run, "lifespan")
        await self._exchange("lifespan.startup", None)
        if self._outgoing is None:
            self._supported = False
            _logger.info("The application has no lifespan", exc_info=self._error)
            if self._mode == "on":
                raise self._failure("The application has no lifespan.")

    async def shutdown(self, timeout: float | None) -> None:
        """Shut the application down, in at most `timeout` seconds.

        Raises:
            LifespanError: the shutdown failed without an error, or did not end in time.
            BaseException: what the application raised.
        """
        if not self._supported or self._task is None:
            return
        self._supported = False
        try:
            await self._exchange("lifespan.shutdown", timeout)
            await self._changes.until_or_timeout(lambda: self._finished, Deadline(END_GRACE))
        finally:
            self._task.cancel()
            await self._changes.until_or_timeout(lambda: self._finished, Deadline(END_GRACE))
        if self._error is not None:
            raise self._error

    async def _exchange(self, kind: str, timeout: float | None) -> None:
        """Send one message and wait for its answer, or for the end of the application call."""
        self._outgoing = None
        self._incoming.append({"type": kind})
        self._changes.notify()
        await self._until(lambda: self._outgoing is not None or self._finished, kind, timeout)
        if self._outgoing is not None and self._outgoing["type"] == f"{kind}.failed":
            await self._until(lambda: self._finished, kind, timeout)
            raise self._failure(self._outgoing.get("message") or f"{kind} failed.")

    def _failure(self, message: str) -> BaseException:
        """What the application raised, else an error with this message."""
        return LifespanError(message) if self._error is None else self._error

    async def _until(self, condition: Callable[[], bool], kind: str, timeout: float | None) -> None:
        if not await self._changes.until_or_timeout(condition, Deadline(timeout)):
            raise LifespanError(f"The application's {kind} did not end within {timeout:g} s.")

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self._state,
        }
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:
            self._error = error
        finally:
            self._finished = True
            self._changes.notify()

    async def _receive(self) -> Message:
        await self._changes.until(lambda: bool(self._incoming))
        return self._incoming.popleft()

    async def _send(self, message: Message) -> None:
        self._outgoing = message
        self._changes.notify()
