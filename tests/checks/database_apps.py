"""Beginnings of apps with a database, for the tests of BG4."""

from __future__ import annotations

from importlib.metadata import version

MODELS = """
from sqlalchemy import String, create_engine, insert, select, text, update, delete, func
from sqlalchemy import Column, ForeignKey, Integer
from sqlalchemy.orm import declarative_base, relationship, scoped_session, sessionmaker, Session
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool, QueuePool, StaticPool

Base = declarative_base()

class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String(50), unique=True)
    orders = relationship("Order", lazy="select")

class Order(Base):
    __tablename__ = "orders"
    id = Column(Integer, primary_key=True)
    user_id = Column(ForeignKey("users.id"))
    item = Column(String(50))
"""

SYNC = (
    MODELS
    + """
import os, tempfile
file = os.path.join(tempfile.mkdtemp(), "app.db")
engine = create_engine(
    f"sqlite:///{file}", poolclass=QueuePool, connect_args={"check_same_thread": False}
)
Base.metadata.create_all(engine)
SessionLocal = sessionmaker(engine)
with SessionLocal.begin() as setup:
    setup.add(User(id=1, name="ada"))

def get_db():
    session = SessionLocal()
    try:
        yield session
    finally:
        session.close()

def get_committed():
    with SessionLocal() as session:
        yield session
        session.commit()

@pytest.fixture(autouse=True)
def dispose():
    yield
    engine.dispose()
    os.remove(file)
    os.rmdir(os.path.dirname(file))
"""
)
"""Models, a SQLite file, `SessionLocal`, and the usual dependencies."""

ASYNC = (
    MODELS
    + """
import os, tempfile
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
file = os.path.join(tempfile.mkdtemp(), "app.db")
setup = create_engine(f"sqlite:///{file}")
Base.metadata.create_all(setup)
with sessionmaker(setup).begin() as session:
    session.add(User(id=1, name="ada"))
setup.dispose()
engine = create_async_engine(f"sqlite+aiosqlite:///{file}", poolclass=AsyncAdaptedQueuePool)
SessionLocal = async_sessionmaker(engine)

async def get_db():
    async with SessionLocal() as session:
        yield session

async def get_committed():
    async with SessionLocal() as session:
        yield session
        await session.commit()

app.router.add_event_handler("shutdown", engine.dispose) if hasattr(
    app.router, "add_event_handler") else None

@pytest.fixture(autouse=True)
def clean():
    yield
    os.remove(file)
    os.rmdir(os.path.dirname(file))
"""
)
"""The same with aiosqlite; the pool is disposed of on the loop that used it."""


def _version(name: str) -> tuple[int, ...]:
    return tuple(map(int, version(name).split(".")[:2]))


DEPENDENCIES_END_BEFORE_TASKS = (0, 106) <= _version("fastapi") < (0, 118)
"""FastAPI leaves dependencies with `yield` before the response, and so before the tasks."""

MIDDLEWARE = """
from fastapi import Request

class SessionOfRequest:
    \"\"\"Ends after the tasks on every version.\"\"\"

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        with SessionLocal() as scope["db"]:
            await self.app(scope, receive, send)
            if COMMITS:
                scope["db"].commit()

app.add_middleware(SessionOfRequest)

def get_request_db(request: Request):
    return request.scope["db"]
"""
"""A session of the request that ends last; `COMMITS` tells whether it is committed then."""
