"""Engines, session factories, and the dependencies that hand them out."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import Engine, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool

from bgcheck_reference.models import Base, User

_SYNC_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+aiosqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+asyncpg": "postgresql+psycopg",
}
_ASYNC_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+pysqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg2": "postgresql+psycopg",
}


@dataclass(frozen=True)
class Database:
    """One database, reached by a synchronous and by an asynchronous engine."""

    engine: Engine
    async_engine: AsyncEngine
    session_factory: sessionmaker[Session]
    async_session_factory: async_sessionmaker[AsyncSession]

    @classmethod
    def from_url(cls, url: str, *, pooled: bool = True) -> "Database":
        """Make both engines for a URL; nothing connects yet.

        Args:
            url: an SQLite or PostgreSQL URL. Its driver is kept where it serves the engine, else
                replaced: `aiosqlite` and `pysqlite` for SQLite, `psycopg` for PostgreSQL.
            pooled: keep connections for later; else each session opens one and closes it.

        Returns:
            The engines with their session factories. Objects stay loaded after a commit, so that
            reading one never takes a connection again.

        Raises:
            ModuleNotFoundError: the driver is not installed.
        """
        parsed = make_url(url)
        options: dict[str, Any] = {} if pooled else {"poolclass": NullPool}
        engine = create_engine(_with_driver(parsed, _SYNC_DRIVERS), **options)
        async_engine = create_async_engine(_with_driver(parsed, _ASYNC_DRIVERS), **options)
        if parsed.get_backend_name() == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(async_engine.sync_engine, "connect", _prepare_sqlite)
        return cls(
            engine,
            async_engine,
            sessionmaker(engine, expire_on_commit=False),
            async_sessionmaker(async_engine, expire_on_commit=False),
        )

    def create_tables(self, demo_users: int = 0) -> None:
        """Create the tables that are missing, and users if there are none.

        Args:
            demo_users: how many users to create when the table is empty.
        """
        Base.metadata.create_all(self.engine)
        with self.session_factory.begin() as db:
            if not db.scalar(select(func.count()).select_from(User)):
                db.add_all(User(name=f"Demo user {number + 1}") for number in range(demo_users))

    async def dispose(self) -> None:
        """Close the pooled connections of both engines; the engines can be used again."""
        self.engine.dispose()
        await self.async_engine.dispose()


def _with_driver(url: URL, drivers: dict[str, str]) -> URL:
    return url.set(drivername=drivers.get(url.drivername, url.drivername))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    # Readers of one engine must not stop the writer of the other.
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


def get_database(request: Request) -> Database:
    """Give the database of the app; override it, and every session follows."""
    database: Database = request.app.state.database
    return database


def get_session_factory(
    database: Annotated[Database, Depends(get_database)],
) -> sessionmaker[Session]:
    """Give the factory by which a `def` task makes its own session."""
    return database.session_factory


def get_async_session_factory(
    database: Annotated[Database, Depends(get_database)],
) -> async_sessionmaker[AsyncSession]:
    """Give the factory by which an `async def` task makes its own session."""
    return database.async_session_factory


SessionFactory = Annotated[sessionmaker[Session], Depends(get_session_factory)]
AsyncSessionFactory = Annotated[
    async_sessionmaker[AsyncSession], Depends(get_async_session_factory)
]


def get_db(session_factory: SessionFactory) -> Iterator[Session]:
    """Give a session for the request.

    FastAPI below 0.106 and from 0.118 closes it after the background tasks; in between, before
    the response is sent.
    """
    with session_factory() as db:
        yield db


async def get_async_db(session_factory: AsyncSessionFactory) -> AsyncIterator[AsyncSession]:
    """Give an asynchronous session for the request; see `get_db` for its lifetime."""
    async with session_factory() as db:
        yield db


Db = Annotated[Session, Depends(get_db)]
AsyncDb = Annotated[AsyncSession, Depends(get_async_db)]
