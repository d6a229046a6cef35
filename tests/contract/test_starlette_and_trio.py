"""The contract on plain Starlette, on asyncio and on trio: the same verdicts on both."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from contract_lab import Planted, broken
from loop_clients import needs_trio
from planted_responses import AnsweringTwice
from starlette.applications import Starlette
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bgcheck_suites.endpoint.subject import RequestSpec, Subject, SubjectError

logger = logging.getLogger("planted")


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.orders = []
    yield
    app.state.orders.clear()


def scheduling(*tasks: Any, middleware: Any = None) -> Starlette:
    """Return an app whose `POST /orders` schedules functions with the list of orders."""

    async def create(request: Request) -> JSONResponse:
        orders = request.app.state.orders
        scheduled = BackgroundTasks([BackgroundTask(task, len(orders)) for task in tasks])
        return JSONResponse({"waiting": len(waiting)}, background=scheduled)

    app = Starlette(routes=[Route("/orders", create, methods=["POST"])], lifespan=lifespan)
    if middleware is not None:
        app.add_middleware(middleware)
    return app


waiting: list[int] = []


def work(number: int) -> None:
    logger.info("order %d", number)


async def work_async(number: int) -> None:
    await anyio.sleep(0.01)
    logger.info("order %d", number)
    await anyio.to_thread.run_sync(work, number)


async def passing_over(number: int) -> None:
    with contextlib.suppress(Exception):
        await anyio.sleep(0.01)


async def blocking(number: int) -> None:
    time.sleep(0.01)  # noqa: ASYNC251 - the fault


async def kept_by_a_cancellation(number: int) -> None:
    waiting.append(number)
    try:
        await anyio.sleep(0.01)
    except Exception:
        logger.exception("failed")
    waiting.pop()


async def undone(number: int) -> None:
    waiting.append(number)
    try:
        await anyio.sleep(0.01)
    finally:
        waiting.pop()


class Answering(AnsweringTwice):
    """Fits Starlette's `add_middleware`."""


FAULTY = {
    "BGC-RESP-02": lambda: scheduling(work, middleware=Answering),
    "BGC-ERR-01": lambda: scheduling(passing_over),
    "BGC-ERR-02": lambda: scheduling(work_async, work),
    "BGC-ERR-03": lambda: scheduling(kept_by_a_cancellation),
    "BGC-LOOP-01": lambda: scheduling(blocking),
}
ALSO = {"BGC-ERR-03": {"BGC-RESP-02"}}  # what is kept shows in the next response
CORRECT = {
    "def": lambda: scheduling(work),
    "async def": lambda: scheduling(work_async),
    "undone": lambda: scheduling(undone),
}


@pytest.fixture(params=["asyncio", pytest.param("trio", marks=needs_trio)])
def backend(request: pytest.FixtureRequest) -> dict[str, Any]:
    waiting.clear()
    return {"backend": request.param}


@pytest.mark.parametrize("id_", FAULTY)
def test_a_fault_breaks_its_requirement_only(id_: str, backend: dict[str, Any]) -> None:
    found = broken(Planted(FAULTY[id_], subject=backend))
    assert set(found) == {id_} | ALSO.get(id_, set()), found


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_app_breaks_none(name: str, backend: dict[str, Any]) -> None:
    assert broken(Planted(CORRECT[name], subject=backend)) == {}


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(SubjectError, match="'curio' is no backend; there are 'asyncio', 'trio'"):
        Subject(scheduling(work), RequestSpec("POST /orders"), backend="curio")
