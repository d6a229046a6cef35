"""Planted apps whose responses wait for tasks or depend on them, middleware first of all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from contract_lab import Planted, logger, scheduling, work, work_async
from fastapi import FastAPI
from starlette.background import BackgroundTask
from starlette.background import BackgroundTasks as StarletteTasks
from starlette.responses import JSONResponse


class Early(JSONResponse):
    """Runs its task before it is sent."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        task, self.background = self.background, None
        assert task is not None
        await task()
        await super().__call__(scope, receive, send)


def early_response() -> FastAPI:
    app = FastAPI()

    @app.post("/orders")
    async def create() -> JSONResponse:
        return Early({"state": "accepted"}, background=BackgroundTask(work))

    return app


def awaited_in_the_endpoint() -> FastAPI:
    app = FastAPI()

    @app.post("/orders")
    async def create() -> dict[str, str]:
        tasks = StarletteTasks()
        tasks.add_task(work_async, 3)
        await tasks()
        return {"state": "accepted"}

    return app


class Buffering:
    """Sends a response when the app is done with everything."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        kept: list[Any] = []

        async def keep(message: Any) -> None:
            kept.append(message)

        await self.app(scope, receive, keep if scope["type"] == "http" else send)
        for message in kept:
            await send(message)


class PassingOn(Buffering):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def behind(middleware: Any) -> Callable[[], FastAPI]:
    def make() -> FastAPI:
        app = scheduling(lambda tasks: tasks.add_task(work))
        app.add_middleware(middleware)
        return app

    return make


async def say_failed(send: Any) -> None:
    await send({"type": "http.response.start", "status": 500, "headers": []})
    await send({"type": "http.response.body", "body": b"failed"})


class AnsweringTwice(Buffering):
    """Answers an error without a look at whether it has answered."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception:
            logger.exception("failed")
            await say_failed(send)


class AddingToTheBody(Buffering):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception:
            await send({"type": "http.response.body", "body": b"and failed"})
            raise


class AnsweringCancellation(Buffering):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except asyncio.CancelledError:
            await say_failed(send)
            raise


class LoggingErrors(Buffering):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception:
            logger.exception("failed")


class Swallowing(Buffering):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        with contextlib.suppress(Exception):
            await self.app(scope, receive, send)


RESP_02 = frozenset({"BGC-RESP-02"})


FAULTY: dict[str, dict[str, Planted]] = {
    "BGC-RESP-01": {
        "a response runs its task first": Planted(early_response, also=RESP_02),
        "the endpoint awaits the tasks": Planted(awaited_in_the_endpoint, also=RESP_02),
        "middleware buffers": Planted(behind(Buffering), also=RESP_02),
    },
    "BGC-RESP-02": {
        "middleware answers twice": Planted(behind(AnsweringTwice)),
        "middleware adds to the body": Planted(behind(AddingToTheBody)),
        "middleware answers cancellation": Planted(behind(AnsweringCancellation)),
    },
}

CORRECT: dict[str, Planted] = {
    "middleware passes on": Planted(behind(PassingOn)),
    "middleware logs errors": Planted(behind(LoggingErrors)),
}
