"""Async SQLAlchemy sessions, and sessions of a middleware, as a task finds them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from starlette.types import ASGIApp, Receive, Scope, Send

from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import LIMIT, Log
from bgcheck_suites.lab import Lab
from bgcheck_suites.marks import requirement
from bgcheck_suites.tables import Base, Item, first_item, state_of

Task = Callable[[AsyncSession, Item], Awaitable[None]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the database."""
    return tmp_path / "probe.db"


def cause(error: SQLAlchemyError) -> str:
    """Name the error, or the one that SQLAlchemy has wrapped in it from 2.1 on."""
    return type(getattr(error, "orig", None) or error).__name__


def async_app(path: Path, task: Task, *, commits: bool) -> ASGIApp:
    """Return an app whose async task gets the async session of a dependency, and an item of it.

    The engine belongs to one call of the app, as its connections belong to one event loop.
    """
    engines: list[AsyncEngine] = []

    async def opened() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engines[-1]) as session:
            yield session

    app = FastAPI()

    @app.get("/")
    async def endpoint(
        tasks: BackgroundTasks, session: Annotated[AsyncSession, Depends(opened)]
    ) -> None:
        session.add(first_item())
        await session.commit()
        item = (await session.scalars(select(Item))).one()
        if commits:
            await session.commit()
        tasks.add_task(task, session, item)

    async def with_engine(scope: Scope, receive: Receive, send: Send) -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        engines.append(engine)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(Base.metadata.drop_all)
                await connection.run_sync(Base.metadata.create_all)
            await app(scope, receive, send)
        finally:
            await engine.dispose()

    return with_engine


@requirement("BGF-SESSION-14")
def test_the_async_session_of_a_yield_dependency(
    lab: Lab, log: Log, path: Path, observe: Observe
) -> None:
    async def task(session: AsyncSession, item: Item) -> None:
        log.mark("task", state_of(session.sync_session))

    lab.send(async_app(path, task, commits=False)).settle()
    observe(str(log.first("task").value))


@requirement("BGF-SESSION-15")
def test_an_object_that_an_async_session_committed(
    lab: Lab, log: Log, path: Path, observe: Observe
) -> None:
    async def task(session: AsyncSession, item: Item) -> None:
        try:
            log.mark("task", f"reads {item.name}")
        except SQLAlchemyError as error:
            log.mark("task", f"raises {cause(error)}")

    lab.send(async_app(path, task, commits=True)).settle()
    observe(str(log.first("task").value))


@requirement("BGF-SESSION-16")
def test_an_object_that_the_task_refreshes_in_the_async_session(
    lab: Lab, log: Log, path: Path, observe: Observe
) -> None:
    async def task(session: AsyncSession, item: Item) -> None:
        try:
            await asyncio.wait_for(session.refresh(item), LIMIT)
            log.mark("task", f"reads {item.name}")
        except SQLAlchemyError as error:
            log.mark("task", f"raises {cause(error)}")

    lab.send(async_app(path, task, commits=True)).settle()
    observe(str(log.first("task").value))
