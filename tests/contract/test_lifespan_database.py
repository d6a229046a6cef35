"""A factory whose lifespan makes an async engine: verified without a warning, on Starlette."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bgcheck_suites.endpoint.loading import load_app
from bgcheck_suites.endpoint.subject import RequestSpec, Subject
from bgcheck_suites.endpoint.verify import VERIFICATIONS, verify

logger = logging.getLogger("planted")


async def closing(sessions: Any, number: int) -> None:
    async with sessions() as session:
        await session.execute(text("INSERT INTO orders (number) VALUES (:n)"), {"n": number})
        await session.commit()


async def leaving(sessions: Any, number: int) -> None:
    session = sessions()
    await session.execute(text("SELECT 1"))
    logger.info("order %d", number)
    await session.close()


def factory_of(task: Callable[..., Any], file: Path) -> Callable[[], Starlette]:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE IF NOT EXISTS orders (number INTEGER)"))
        app.state.sessions = async_sessionmaker(engine)
        yield
        await engine.dispose()

    async def create(request: Request) -> JSONResponse:
        return JSONResponse({}, 202, background=BackgroundTask(task, request.app.state.sessions, 1))

    def make() -> Starlette:
        return Starlette(routes=[Route("/orders", create, methods=["POST"])], lifespan=lifespan)

    return make


def subject_of(task: Callable[..., Any], tmp_path: Path) -> Subject:
    app = load_app(factory_of(task, tmp_path / "orders.db"))
    return Subject(app, RequestSpec("POST /orders"), seeds=3)


def test_a_correct_app_breaks_none(tmp_path: Path) -> None:
    subject = subject_of(closing, tmp_path)
    found = {id_: verify(subject, id_) for id_ in VERIFICATIONS}
    assert {v.status for v in found.values()} == {"pass", "not-applicable"}, found
    assert found["BGC-DB-01"].status == "pass"


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_a_session_that_is_left_by_a_failure(tmp_path: Path) -> None:
    verdict = verify(subject_of(leaving, tmp_path), "BGC-DB-01")
    assert verdict.status == "fail"
    assert "fails at line" in verdict.message
