"""Faults in the middleware around the response."""

import contextlib
from contextvars import ContextVar
from typing import Any

from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware

from .planting import Patches, fault, original_task, run_tasks

_BEHIND: ContextVar[bool] = ContextVar("_BEHIND", default=False)


def _lost_behind(patches: Patches, middleware: type) -> None:
    original = vars(middleware)["__call__"]

    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        token = _BEHIND.set(True)
        try:
            await original(self, scope, receive, send)
        finally:
            _BEHIND.reset(token)

    async def run(task: BackgroundTask) -> None:
        if not _BEHIND.get():
            await original_task(task)

    patches.set(middleware, "__call__", call)
    run_tasks(patches, run)


@fault("lost-behind-base-http-middleware", "tasks behind BaseHTTPMiddleware are dropped")
def _lost_behind_base(patches: Patches) -> None:
    _lost_behind(patches, BaseHTTPMiddleware)


@fault("lost-behind-gzip", "tasks behind GZipMiddleware are dropped")
def _lost_behind_gzip(patches: Patches) -> None:
    _lost_behind(patches, GZipMiddleware)


@fault("gzip-swallows", "GZipMiddleware drops the error of a task in silence")
def _gzip_swallows(patches: Patches) -> None:
    original = GZipMiddleware.__call__

    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        with contextlib.suppress(Exception):
            await original(self, scope, receive, send)

    patches.set(GZipMiddleware, "__call__", call)


@fault("base-http-middleware-waits", "BaseHTTPMiddleware sends the response after the tasks")
def _base_http_middleware_waits(patches: Patches) -> None:
    original = BaseHTTPMiddleware.__call__

    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        held: list[Any] = []

        async def hold(message: Any) -> None:
            held.append(message)

        try:
            await original(self, scope, receive, hold if scope["type"] == "http" else send)
        finally:
            for message in held:
                await send(message)

    patches.set(BaseHTTPMiddleware, "__call__", call)


@fault(
    "base-http-middleware-runs-tasks",
    "call_next of BaseHTTPMiddleware returns only when the tasks have ended",
)
def _errors_from_call_next(patches: Patches) -> None:
    original = BaseHTTPMiddleware.__call__

    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        inner = self.app

        async def late(scope: Any, receive: Any, send: Any) -> None:
            messages: list[Any] = []

            async def keep(message: Any) -> None:
                messages.append(message)

            await inner(scope, receive, keep)
            for message in messages:
                await send(message)

        self.app = late
        try:
            await original(self, scope, receive, send)
        finally:
            self.app = inner

    patches.set(BaseHTTPMiddleware, "__call__", call)
