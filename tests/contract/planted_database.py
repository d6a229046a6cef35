"""Planted apps with a database: faulty ones by the requirement they break, and their twins."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from contract_lab import Planted, left_open, logger, scheduling
from fastapi import FastAPI, Request
from sqlalchemy import Column, Engine, Integer, create_engine, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, declarative_base, sessionmaker
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool
from starlette.background import BackgroundTasks

Base: Any = declarative_base()


class Counter(Base):
    """One row that tasks change."""

    __tablename__ = "counters"
    id = Column(Integer, primary_key=True)
    value = Column(Integer)


ONE = update(Counter).where(Counter.id == 1).values(value=Counter.value + 1)
ROOM = 20
"""Connections of a pool: leaks must not exhaust it before they are counted."""


def engine_of(url: str) -> Engine:
    """Make an engine with its table and row."""
    if url.startswith("sqlite"):
        engine = create_engine(
            url, poolclass=QueuePool, pool_size=ROOM, connect_args={"check_same_thread": False}
        )
    else:
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), pool_size=ROOM)
    left_open.callback(engine.dispose)
    Base.metadata.create_all(engine)
    with sessionmaker(engine).begin() as session:
        if session.get(Counter, 1) is None:
            session.add(Counter(id=1, value=0))
    return engine


def sessions_of(url: str) -> sessionmaker[Session]:
    return sessionmaker(engine_of(url), expire_on_commit=False)


def async_sessions_of(url: str) -> async_sessionmaker[AsyncSession]:
    engine_of(url).dispose()
    if url.startswith("sqlite"):
        url = url.replace("sqlite:", "sqlite+aiosqlite:")
        engine = create_async_engine(url, poolclass=AsyncAdaptedQueuePool, pool_size=ROOM)
    else:
        engine = create_async_engine(
            url.replace("postgresql:", "postgresql+psycopg:"), pool_size=ROOM
        )
    return async_sessionmaker(engine, expire_on_commit=False)


def app_of(task: Callable[[Any], Any], sessions: Callable[[str], Any]) -> Callable[[str], FastAPI]:
    """Return a maker of an app whose task is given a session factory."""
    return lambda url: scheduling(_with(task, sessions(url)))


def _with(task: Callable[[Any], Any], sessions: Any) -> Callable[[BackgroundTasks], None]:
    return lambda tasks: tasks.add_task(task, sessions)


# BGC-DB-01


def never_closed(sessions: Any) -> None:
    sessions().execute(select(Counter.value))


def closed_on_success(sessions: Any) -> None:
    session = sessions()
    session.execute(select(Counter.value))
    logger.info("counted")
    session.close()


async def never_closed_async(sessions: Any) -> None:
    session = sessions()
    await session.execute(select(Counter.value))
    left_open.callback(list, [session])  # keeps it


async def closed_unless_cancelled(sessions: Any) -> None:
    session = sessions()
    try:
        await session.execute(select(Counter.value))
        await asyncio.sleep(0.01)
    except Exception:
        await session.close()
        raise
    await session.close()


def in_with(sessions: Any) -> None:
    with sessions.begin() as session:
        session.execute(ONE)


async def in_with_async(sessions: Any) -> None:
    async with sessions.begin() as session:
        await session.execute(ONE)


def in_finally(sessions: Any) -> None:
    session = sessions()
    try:
        session.execute(select(Counter.value))
    finally:
        session.close()


# BGC-DB-02


def sleeps_in_transaction(sessions: Any) -> None:
    with sessions() as session:
        session.execute(select(Counter.value))
        time.sleep(0.01)


async def sleeps_in_transaction_async(sessions: Any) -> None:
    async with sessions() as session:
        await session.execute(select(Counter.value))
        await asyncio.sleep(0.01)


def commits_before_it_sleeps(sessions: Any) -> None:
    with sessions() as session:
        session.execute(select(Counter.value))
        session.commit()
        time.sleep(0.01)


async def sleeps_outside(sessions: Any) -> None:
    async with sessions() as session:
        await session.execute(select(Counter.value))
    await asyncio.sleep(0.01)


class SessionOfRequest:
    """A session that ends after the tasks."""

    def __init__(self, app: Any, sessions: Any, commits: bool) -> None:
        self.app, self.sessions, self.commits = app, sessions, commits

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        with self.sessions() as scope["db"]:
            scope["commits"] = self.commits
            await self.app(scope, receive, send)


def held_by_the_request(*, commits: bool) -> Callable[[str], FastAPI]:
    def make(url: str) -> FastAPI:
        app = FastAPI()
        app.add_middleware(SessionOfRequest, sessions=sessions_of(url), commits=commits)

        @app.post("/orders")
        def create(request: Request, tasks: BackgroundTasks) -> dict[str, int]:
            db = request.scope["db"]
            db.execute(select(Counter.value))
            if commits:
                db.commit()
            tasks.add_task(logger.info, "done")
            return {}

        return app

    return make


# BGC-DB-03


def query(session: Any, go: list[bool], done: list[bool]) -> None:
    spin(go)
    try:
        session.execute(select(Counter.value))
    finally:
        done.append(True)


def busy(session: Any, go: list[bool], done: list[bool]) -> None:
    session.execute(select(Counter.value))
    go.append(True)
    spin(done)


def spin(until: list[bool]) -> None:
    """Work on until another thread says that it is done."""
    end = time.monotonic() + 1
    while not until and time.monotonic() < end:
        pass


def thread_beside_the_task(sessions: Any) -> None:
    go: list[bool] = []
    done: list[bool] = []
    with sessions() as session:
        session.execute(select(Counter.value))
        thread = threading.Thread(target=query, args=(session, go, done))
        thread.start()
        try:
            go.append(True)
            spin(done)
        finally:
            thread.join()


def two_threads(sessions: Any) -> None:
    go: list[bool] = []
    done: list[bool] = []
    with sessions() as session, ThreadPoolExecutor(2) as pool:
        pool.submit(busy, session, go, done)
        pool.submit(query, session, go, done)


async def threads_of_an_async_task(sessions: Any) -> None:
    go: list[bool] = []
    done: list[bool] = []
    with sessions() as session:
        await asyncio.gather(
            asyncio.to_thread(busy, session, go, done), asyncio.to_thread(query, session, go, done)
        )


def one_after_the_other(sessions: Any) -> None:
    with sessions() as session, ThreadPoolExecutor(2) as pool:
        pool.submit(query, session, [True], []).result()
        pool.submit(query, session, [True], []).result()


async def session_for_each(sessions: Any) -> None:
    await asyncio.gather(in_with_async(sessions), in_with_async(sessions))


# others that need a database


async def synchronous_session(sessions: Any) -> None:
    with sessions.begin() as session:
        session.execute(ONE)


def read_then_write(sessions: Any) -> Callable[[BackgroundTasks], None]:
    """The request reads, and its task writes what follows."""

    def store(value: int) -> None:
        with sessions.begin() as session:
            session.execute(update(Counter).where(Counter.id == 1).values(value=value))

    def schedule(tasks: BackgroundTasks) -> None:
        with sessions() as session:
            tasks.add_task(store, session.scalar(select(Counter.value)) + 1)

    return schedule


FAULTY: dict[str, dict[str, Planted]] = {
    "BGC-DB-01": {
        "never closed": Planted(app_of(never_closed, sessions_of)),
        "closed on success": Planted(app_of(closed_on_success, sessions_of)),
        "never closed, async": Planted(app_of(never_closed_async, async_sessions_of)),
        "not closed when cancelled": Planted(
            app_of(closed_unless_cancelled, async_sessions_of), also=frozenset({"BGC-DB-02"})
        ),
    },
    "BGC-DB-02": {
        "sleeps in a transaction": Planted(app_of(sleeps_in_transaction, sessions_of)),
        "sleeps in a transaction, async": Planted(
            app_of(sleeps_in_transaction_async, async_sessions_of)
        ),
        "held by the request": Planted(held_by_the_request(commits=False)),
    },
    "BGC-DB-03": {
        "a thread beside the task": Planted(app_of(thread_beside_the_task, sessions_of)),
        "two threads": Planted(app_of(two_threads, sessions_of)),
        "two threads of an async task": Planted(app_of(threads_of_an_async_task, sessions_of)),
    },
    "BGC-LOOP-01": {
        "a synchronous session": Planted(app_of(synchronous_session, sessions_of)),
    },
    "BGC-RUN-01": {
        "read in the request": Planted(lambda url: scheduling(read_then_write(sessions_of(url)))),
    },
}

CORRECT: dict[str, Planted] = {
    "with": Planted(app_of(in_with, sessions_of)),
    "async with": Planted(app_of(in_with_async, async_sessions_of)),
    "finally": Planted(app_of(in_finally, sessions_of)),
    "commits before it sleeps": Planted(app_of(commits_before_it_sleeps, sessions_of)),
    "sleeps outside": Planted(app_of(sleeps_outside, async_sessions_of)),
    "committed by the request": Planted(held_by_the_request(commits=True)),
    "one after the other": Planted(app_of(one_after_the_other, sessions_of)),
    "a session for each": Planted(app_of(session_for_each, async_sessions_of)),
}
