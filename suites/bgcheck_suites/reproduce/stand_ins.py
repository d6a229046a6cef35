"""What stands in a reproduction for the machinery of the suites, in process: short, without checks.

The definitions are copied into scripts, each only where it is used, and inlined where it is used
once. `events` holds the labels in order; `details` the first event of each, where it matters.
"""

# The scripts take each name from here.
# ruff: noqa: F401
import asyncio
import json
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
from fastapi import APIRouter, BackgroundTasks, FastAPI
from starlette.testclient import TestClient

from bgcheck_suites.framework.test_loops import need_trio

events: list[str] = []
details: dict[str, Any] = {}


def mark(label: str, value: object = None) -> None:
    """Record that something happened, and where."""
    events.append(label)
    event = SimpleNamespace(
        value=value,
        loop=asyncio._get_running_loop(),  # noqa: SLF001
        thread=threading.get_ident(),
        thread_name=threading.current_thread().name,
    )
    details.setdefault(label, event)


async def mark_async(label: str) -> None:
    """Record that something happened, as a coroutine function."""
    events.append(label)


async def mark_details_async(label: str) -> None:
    """Record that something happened, and where, as a coroutine function."""
    mark(label)


def wait(label: str) -> None:
    """Wait until something happens."""
    while label not in events:
        time.sleep(0.01)


def order_of(*labels: str) -> str:
    """Return labels in the order in which they first happened."""
    return ", ".join(sorted(labels, key=events.index))


def scheduling_app(schedule: Any, app: FastAPI) -> FastAPI:
    """Give an app a `GET /` that schedules by the given function."""

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> Any:
        schedule(tasks)
        return {"state": "accepted"}

    return app


def add_scheduling_route(
    app: FastAPI | APIRouter, schedule: Any, path: str = "/", **options: Any
) -> None:
    """Add a `GET` route that schedules by the given function."""

    @app.get(path, **options)
    async def endpoint(tasks: BackgroundTasks) -> Any:
        schedule(tasks)
        return {"state": "accepted"}


def completing(app: Any) -> Any:
    """Record when the response is complete."""

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def watching(message: Any) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                events.append("response complete")

        await app(scope, receive, watching)

    return watched


def request(
    app: Any, path: str = "/", method: str = "GET", backend: str = "asyncio", **options: Any
) -> Any:
    """Send a request; what the app raises is kept as `error` of the response."""
    caught: list[BaseException | None] = [None]

    async def catching(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except BaseException as error:
            caught.append(error)
            raise

    client = TestClient(catching, raise_server_exceptions=False, backend=backend)  # type: ignore[arg-type]
    response: Any = client.request(method, path, **options)
    response.error = caught[-1]
    return response


def roots(error: BaseException | None) -> list[BaseException]:
    """Take exception groups apart."""
    inner = getattr(error, "exceptions", [])
    return [leaf for part in inner for leaf in roots(part)] or ([error] if error else [])


def told(response: Any) -> str:
    """Say what the client got, and what the app raised to its server."""
    raised = ", ".join(type(error).__name__ for error in roots(response.error)) or "nothing"
    return f"client got {response.status_code or 'no whole response'}, app raised {raised}"


def on_trio(app: Any) -> Any:
    """Send one request with trio as the event loop."""
    need_trio()
    return request(app, backend="trio")


async def call_app(app: Any, path: str = "/") -> Any:
    """Send `GET path` to an app on the running loop, and return the status when its call ends."""
    status: list[Any] = []
    requests: list[Any] = [{"type": "http.request"}]

    async def receive() -> Any:
        return requests.pop() if requests else await anyio.sleep_forever()

    async def send(message: Any) -> None:
        status.append(message.get("status"))

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    await app(scope, receive, send)
    return status[0]


async def call_directly(
    app: Any, spec_version: str = "2.3", refuses: Any = lambda _: False
) -> list[BaseException]:
    """Call an app whose client stays, but refuses some messages; return what it raised."""
    requests: list[Any] = [{"type": "http.request"}]

    async def receive() -> Any:
        return requests.pop() if requests else await anyio.sleep_forever()

    async def send(message: Any) -> None:
        if refuses(message):
            raise OSError("the client has gone")

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"spec_version": spec_version},
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [],
    }
    try:
        await app(scope, receive, send)
    except Exception as error:
        return roots(error)
    return []


try:
    import httpx2 as httpx
except ModuleNotFoundError:
    import httpx  # type: ignore[no-redef]
