"""Small apps, made afresh for each test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import BackgroundTasks, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


def note(*values: object, **named: object) -> None:
    """A task that does nothing."""


async def async_note(*values: object, **named: object) -> None:
    """An `async def` task that does nothing."""


def fail(message: str = "the task failed") -> None:
    """A task that raises."""
    raise TaskError(message)


class TaskError(Exception):
    """What `fail` raises."""


def fastapi_app(schedule: Callable[[BackgroundTasks], object], **options: Any) -> FastAPI:
    """Return an app whose `POST /items/{item_id}` hands its BackgroundTasks to `schedule`."""
    app = FastAPI(**options)

    @app.post("/items/{item_id}")
    async def create_item(item_id: int, tasks: BackgroundTasks) -> dict[str, int]:
        schedule(tasks)
        return {"item_id": item_id}

    return app


def starlette_app(respond: Callable[[], Response], path: str = "/") -> Starlette:
    """Return a plain Starlette app whose `GET` of a path answers with what `respond` returns."""

    async def endpoint(request: Any) -> Response:
        return respond()

    return Starlette(routes=[Route(path, endpoint)])


def answer(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Response:
    """Return a response that carries one task."""
    return PlainTextResponse("ok", background=BackgroundTask(func, *args, **kwargs))
