"""The kinds of databases, sessions and models that the checks of BG4 see."""

from __future__ import annotations

import gc

import pytest
from checks_lab import Lab, endpoint
from database_apps import ASYNC, SYNC

POSTGRESQL = """
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool
"""


def url_of(url: str, driver: str) -> str:
    return url.replace("postgresql://", f"postgresql+{driver}://")


def test_leak_on_postgresql(lab: Lab, postgresql_url: str) -> None:
    app = f"""{POSTGRESQL}
engine = create_engine({url_of(postgresql_url, "psycopg")!r})

def work():
    Session(engine).execute(text("select 1"))
""" + endpoint("tasks.add_task(work)")
    finding = lab.assert_found("BG401", app, "POST /orders", line="add_task(work)")
    url = dict(finding["evidence"])["database"]
    assert url.startswith("postgresql+psycopg://")
    assert ":postgres@" not in url


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_aborted_transaction(lab: Lab, postgresql_url: str, driver: str) -> None:
    app = f"""{POSTGRESQL}
engine = create_async_engine({url_of(postgresql_url, driver)!r}, poolclass=NullPool)

async def work():
    async with AsyncSession(engine) as db:
        for statement in ("select nothing", "select 1"):
            try:
                await db.execute(text(statement))
            except Exception as error:
                print(error)
""" + endpoint("tasks.add_task(work)")
    finding = lab.assert_found("BG409", app, "POST /orders", line="add_task(work)")
    assert "current transaction is aborted" in dict(finding["evidence"])["refused"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_asyncpg_on_another_loop(lab: Lab, postgresql_url: str) -> None:
    # The loop of the app waits for the thread: where two loops read from the same connection,
    # asyncpg crashes the interpreter once in thirty times.
    app = f"""{POSTGRESQL}
import contextvars, threading

engine = create_async_engine({url_of(postgresql_url, "asyncpg")!r})

async def count():
    async with AsyncSession(engine) as db:
        await db.execute(text("select 1"))

async def work():
    call = contextvars.copy_context().run
    thread = threading.Thread(target=call, args=(lambda: asyncio.run(count()),))
    thread.start()
    thread.join()

@app.post("/orders")
async def create(tasks: BackgroundTasks):
    await count()
    tasks.add_task(work)
"""
    outcome = lab.run(app, "POST /orders")
    # When the connection of the ended loop is collected, others may see what is left of it.
    (finding,) = [found for found in outcome.findings if found["code"] == "BG411"]
    assert "add_task(work)" in lab._source_line(finding)
    gc.collect()


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_silent_on_postgresql(lab: Lab, postgresql_url: str, driver: str) -> None:
    app = f"""{POSTGRESQL}
engine = create_async_engine({url_of(postgresql_url, driver)!r}, poolclass=NullPool)

async def work():
    async with AsyncSession(engine) as db:
        await db.execute(text("create temp table orders (id serial primary key, item text)"))
        await db.execute(text("insert into orders (item) values (:item)"), {{"item": "book"}})
        await db.commit()
    async with engine.begin() as connection:
        await connection.execute(text("select 1"))
""" + endpoint("tasks.add_task(work)")
    lab.assert_silent(app, "POST /orders")


SQLMODEL = """
from sqlmodel import Field, Session, SQLModel, create_engine, select
from sqlalchemy.pool import StaticPool

class Item(SQLModel, table=True):
    __table_args__ = {"extend_existing": True}
    id: int | None = Field(default=None, primary_key=True)
    name: str

engine = create_engine(
    "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
)
SQLModel.metadata.create_all(engine)
"""
SQLMODEL_CASES = {
    "BG401": "session = Session(engine); session.exec(select(Item)).all()",
    "BG408": "with Session(engine) as session:\n        session.add(Item(name='book'))",
    "": (
        "with Session(engine) as session:\n        session.add(Item(name='book'))\n"
        "        session.commit()"
    ),
}


@pytest.mark.parametrize(("code", "body"), SQLMODEL_CASES.items())
def test_sqlmodel(lab: Lab, code: str, body: str) -> None:
    pytest.importorskip("sqlmodel", reason="SQLModel needs SQLAlchemy 2.0, which is older")
    app = f"{SQLMODEL}\ndef work():\n    {body}\n" + endpoint("tasks.add_task(work)")
    outcome = lab.run(app, "POST /orders")
    assert outcome.codes == ([code] if code else [])


SCOPED = """
Scoped = scoped_session(SessionLocal)

def work():
    Scoped.add(User(id=2, name="bob"))
    {end}
"""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("Scoped.commit(); Scoped.remove()", []),
        ("Scoped.flush()", ["BG401"]),
        ("Scoped.flush(); Scoped.remove()", ["BG408"]),
    ],
)
def test_scoped_session(lab: Lab, end: str, code: list[str]) -> None:
    app = SYNC + SCOPED.format(end=end) + endpoint("tasks.add_task(work)")
    test = """
    def test_it():
        with TestClient(app) as client:
            client.post("/orders")
        engine.dispose()
    """
    assert lab.run(app, test=test).codes == code


def test_async_scoped_session(lab: Lab) -> None:
    app = f"""{ASYNC}
from sqlalchemy.ext.asyncio import async_scoped_session
Scoped = async_scoped_session(SessionLocal, scopefunc=asyncio.current_task)

async def work():
    Scoped.add(User(id=2, name="bob"))
    await Scoped.commit()
    await Scoped.remove()
""" + endpoint("tasks.add_task(work)")
    lab.assert_silent(app, "POST /orders")


def test_nothing_is_kept_alive(lab: Lab) -> None:
    app = f"""{SYNC}
import gc, weakref
seen = []

def work(user_id):
    session = SessionLocal()
    user = session.get(User, user_id)
    seen.extend(map(weakref.ref, (session, user, session.connection())))

""" + endpoint("tasks.add_task(work, 1)")
    test = """
    def test_it():
        with TestClient(app) as client:
            client.post("/orders")
        gc.collect()
        assert [ref() for ref in seen] == [None, None, None]
    """
    outcome = lab.run(app, test=test)
    assert outcome.codes == ["BG401"]
    outcome.result.assert_outcomes(passed=1)
