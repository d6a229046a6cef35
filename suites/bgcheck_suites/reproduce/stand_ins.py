"""What stands in a reproduction for the machinery of the suites: the same, without checks.

The definitions are copied into scripts, each only where it is used.
"""

# Imported for the scripts, which take each name from here.
# ruff: noqa: F401
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI
from starlette.testclient import TestClient

from bgcheck_suites.events import Log
from bgcheck_suites.lab import InProcess, OnServer, roots
from bgcheck_suites.server import running_server

events: list[str] = []


def mark(label: str, value: object = None) -> None:
    """Record that something happened."""
    events.append(label)


async def mark_async(label: str, value: object = None) -> None:
    """Record that something happened, as a coroutine function."""
    events.append(label)


def send(
    app: Any, path: str = "/", *, method: str = "GET", payload: object = None, **options: Any
) -> Any:
    """Send a request; what the app raises is kept as `error` of the response."""
    errors: list[BaseException | None] = [None]

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def watching(message: Any) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                events.append("response complete")

        try:
            await app(scope, receive, watching)
        except BaseException as error:
            errors.append(error)
            raise

    client = TestClient(watched, raise_server_exceptions=False)
    response: Any = client.request(method, path, json=payload, follow_redirects=False, **options)
    response.error = errors[-1]
    return response


def scheduling_app(
    schedule: Callable[[BackgroundTasks], object], app: FastAPI | None = None
) -> FastAPI:
    """Return an app whose `GET /` schedules by the given function."""
    app = app or FastAPI()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> dict[str, str]:
        schedule(tasks)
        return {"state": "accepted"}

    return app


def add_scheduling_route(
    app: FastAPI | APIRouter,
    schedule: Callable[[BackgroundTasks], object],
    path: str = "/",
    **options: Any,
) -> None:
    """Add a `GET` route that schedules by the given function."""

    @app.get(path, **options)
    async def endpoint(tasks: BackgroundTasks) -> dict[str, str]:
        schedule(tasks)
        return {"state": "accepted"}


def observe(value: str) -> None:
    """Show the value of a behaviour."""
    print("observed:", value)  # noqa: T201


try:
    import httpx2 as httpx
except ModuleNotFoundError:
    import httpx  # type: ignore[no-redef]
