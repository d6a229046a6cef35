"""Apps in the styles that projects are written in: correct ones, and the same with a fault."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from contract_lab import Planted, logger, only, scheduling, work, work_async
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Header, HTTPException, Request
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, RedirectResponse, StreamingResponse
from starlette.routing import Route


class Shop:
    """A service with a state of its own, as apps keep it in `app.state`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sold: dict[str, int] = {}
        self.failures: list[str] = []

    def sell(self, name: str) -> None:
        with self.lock:
            self.sold[name] = self.sold.get(name, 0) + 1

    async def sell_without_lock(self, name: str) -> None:
        before = self.sold.get(name, 0)
        await asyncio.sleep(5)
        self.sold[name] = before + 1

    async def sell_and_record(self, name: str) -> None:
        try:
            await work_async()
            self.sell(name)
        except Exception as error:
            self.failures.append(str(error))

    def sell_in_silence(self, name: str) -> None:
        with contextlib.suppress(Exception):
            work(len(name))
            self.sell(name)


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Keep a shop, and a task of the app's own that runs all the time."""

    async def beat() -> None:
        while True:  # noqa: ASYNC110 - what it does is of no interest
            await asyncio.sleep(0.01)

    app.state.shop = Shop()
    beating = asyncio.create_task(beat())
    yield
    beating.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await beating


def plain_starlette(task: str) -> Callable[[], Starlette]:
    def create(request: Any) -> JSONResponse:
        sell = getattr(request.app.state.shop, task)
        return JSONResponse({"id": str(uuid.uuid4())}, background=BackgroundTask(sell, "chair"))

    routes = [Route("/orders", create, methods=["POST"])]
    return lambda: Starlette(routes=routes, lifespan=lifespan)


def authorized(authorization: str = Header()) -> str:
    if authorization != "Bearer secret":
        raise HTTPException(401)
    return "ada"


def factory(task: str) -> Callable[[], FastAPI]:
    """Return a factory of an app with a router under a prefix, and a token to be given."""

    def make() -> FastAPI:
        router = APIRouter(prefix="/v1")

        @router.post("/orders", status_code=201)
        def create(
            request: Request, tasks: BackgroundTasks, user: str = Depends(authorized)
        ) -> dict[str, str]:
            tasks.add_task(getattr(request.app.state.shop, task), "chair")
            return {"user": user, "id": str(uuid.uuid4())}

        app = FastAPI(lifespan=lifespan)
        app.include_router(router, prefix="/api")
        return app

    return make


def several(*tasks: Any) -> Callable[[], FastAPI]:
    def schedule(background: BackgroundTasks) -> None:
        for number, task in enumerate(tasks):
            background.add_task(task, number)

    return lambda: scheduling(schedule)


def logs(number: int) -> None:
    try:
        work(number)
    except Exception:
        logger.exception("failed")


async def logs_async(number: int) -> None:
    try:
        await work_async(number)
        await asyncio.sleep(30)
    except Exception:
        logger.exception("failed")


def chain(first: Any, second: Any) -> Callable[[], FastAPI]:
    """Return the maker of an app whose task schedules another one of the same response."""

    def start(tasks: BackgroundTasks) -> None:
        first(1)
        tasks.add_task(second, 2)

    def make() -> FastAPI:
        app = FastAPI()

        @app.post("/orders")
        async def create(tasks: BackgroundTasks) -> None:
            tasks.add_task(start, tasks)

        return app

    return make


def responding(make_response: Callable[[BackgroundTask], Any], task: Any) -> Callable[[], FastAPI]:
    """Return the maker of an app that answers with a response of its own."""

    def make() -> FastAPI:
        app = FastAPI()

        @app.post("/orders")
        def create() -> Any:
            return make_response(BackgroundTask(task, 1))

        return app

    return make


def streaming(background: BackgroundTask) -> StreamingResponse:
    return StreamingResponse((f"row {n}\n" for n in range(3)), background=background)


def redirecting(background: BackgroundTask) -> RedirectResponse:
    return RedirectResponse("/orders/1", 303, background=background)


def no_content(task: Any) -> Callable[[], FastAPI]:
    def make() -> FastAPI:
        app = FastAPI()

        @app.delete("/orders/{number}", status_code=204, response_model=None)
        def delete(number: int, tasks: BackgroundTasks) -> None:
            tasks.add_task(task, number)

        return app

    return make


def behind_middleware(task: Any) -> Callable[[], FastAPI]:
    async def timed(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["X-Request-Id"] = str(uuid.uuid4())
        return response

    def make() -> FastAPI:
        app = only(task, 1)()
        app.add_middleware(GZipMiddleware, minimum_size=1)
        app.add_middleware(BaseHTTPMiddleware, dispatch=timed)
        return app

    return make


def created_once() -> FastAPI:
    """Refuse what is there already, as many apps do."""
    app = FastAPI()
    known: set[str] = set()

    @app.put("/orders/{number}", status_code=201)
    def create(number: str, tasks: BackgroundTasks) -> None:
        if number in known:
            raise HTTPException(409)
        known.add(number)
        tasks.add_task(work)

    return app


def takes_long(number: int) -> None:
    logger.info("begin")
    time.sleep(3600)
    work(number)


async def takes_long_async(number: int) -> None:
    await asyncio.sleep(3600)
    await work_async(number)


pool = ThreadPoolExecutor(1)


def uses_a_pool(number: int) -> None:
    pool.submit(work, number).result()


async def uses_a_thread(number: int) -> None:
    await asyncio.to_thread(work, number)


class Callback:
    """A task that is an object."""

    def __init__(self) -> None:
        self.called = 0

    async def __call__(self, number: int) -> None:
        await work_async(number)
        self.called += 1


TOKEN = {"headers": {"Authorization": "Bearer secret"}}
API = "POST /api/v1/orders"
ONCE = "PUT /orders/1"


def another() -> str:
    return f"PUT /orders/{uuid.uuid4()}"


FAULTY: dict[str, dict[str, Planted]] = {
    "BGC-ERR-01": {
        "plain Starlette": Planted(plain_starlette("sell_in_silence")),
        "app factory": Planted(factory("sell_in_silence"), API, TOKEN),
    },
    "BGC-RUN-01": {
        "plain Starlette": Planted(plain_starlette("sell_without_lock")),
        "app factory": Planted(factory("sell_without_lock"), API, TOKEN),
    },
    "BGC-ERR-02": {
        "several tasks": Planted(several(logs, work_async, logs)),
        "several tasks, the last raises": Planted(several(work, logs)),
    },
}
"""Faulty apps by the requirement that they break."""

CORRECT: dict[str, Planted] = {
    "plain Starlette": Planted(plain_starlette("sell")),
    "plain Starlette, records": Planted(plain_starlette("sell_and_record")),
    "app factory": Planted(factory("sell"), API, TOKEN),
    "app factory, records": Planted(factory("sell_and_record"), API, TOKEN),
    "several tasks": Planted(several(logs, logs_async, work)),
    "a task that schedules": Planted(chain(logs, logs_async)),
    "a stream": Planted(responding(streaming, work)),
    "a redirect": Planted(responding(redirecting, work_async)),
    "no content": Planted(no_content(work), "DELETE /orders/7"),
    "middleware": Planted(behind_middleware(work_async)),
    "created once": Planted(created_once, ONCE, subject={"prepare": another}),
    "takes long": Planted(only(takes_long, 1)),
    "takes long, async": Planted(only(takes_long_async, 1)),
    "a pool of the app": Planted(only(uses_a_pool, 1)),
    "a thread": Planted(only(uses_a_thread, 1)),
    "a partial": Planted(only(functools.partial(work, 1))),
    "an object": Planted(only(Callback(), 1)),
}
