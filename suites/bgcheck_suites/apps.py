"""Small apps that the probes measure."""

from collections.abc import Callable
from typing import Any

import anyio.lowlevel
from fastapi import APIRouter, BackgroundTasks, FastAPI

Schedule = Callable[[BackgroundTasks], object]


def scheduling_app(schedule: Schedule, app: FastAPI | None = None) -> FastAPI:
    """Return an app whose `GET /` schedules by the given function and answers with JSON."""
    app = FastAPI() if app is None else app
    add_scheduling_route(app, schedule)
    return app


def add_scheduling_route(
    app: FastAPI | APIRouter, schedule: Schedule, path: str = "/", **options: Any
) -> None:
    """Add a `GET` route that schedules by the given function."""

    @app.get(path, **options)
    async def accepted(tasks: BackgroundTasks) -> dict[str, str]:
        schedule(tasks)
        return {"state": "accepted"}


def raising(error: Exception) -> Callable[[], None]:
    """Return a `def` task that raises this error."""

    def fail() -> None:
        raise error

    return fail


class TaskError(Exception):
    """The error that a failing task raises."""


async def let_the_others_go_on() -> None:
    """Give the loop away so often that every coroutine that can go on has done so.

    Nothing is timed: what still waits after that, waits for the caller.
    """
    for _ in range(200):
        await anyio.lowlevel.checkpoint()
