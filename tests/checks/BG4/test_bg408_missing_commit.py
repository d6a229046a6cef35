"""BG408: what a task wrote is rolled back when its session is closed."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from database_apps import ASYNC, SYNC

FAULTY = {
    "flushed": "with SessionLocal() as db:\n    db.add(User(id=2, name='bob'))\n    db.flush()",
    "only added": "with SessionLocal() as db:\n    db.add(User(id=2, name='bob'))",
    "deleted": "with SessionLocal() as db:\n    db.delete(db.get(User, 1))",
    "changed and flushed": (
        "with SessionLocal() as db:\n    db.get(User, 1).name = 'eve'\n    db.flush()"
    ),
    "flushed by a query": (
        "with SessionLocal() as db:\n    db.add(User(id=2, name='bob'))\n    db.query(User).all()"
    ),
    "statement": "with SessionLocal() as db:\n    db.execute(update(User).values(name='eve'))",
    "text": 'with SessionLocal() as db:\n    db.execute(text("DELETE FROM users"))',
    "connection": "with engine.connect() as c:\n    c.execute(insert(User).values(name='bob'))",
    "closed by hand": "db = SessionLocal()\ndb.add(User(id=2, name='bob'))\ndb.flush()\ndb.close()",
    "savepoint alone": (
        "with SessionLocal() as db:\n    with db.begin_nested():\n        db.add(User(id=2))"
    ),
    "helper": "with SessionLocal() as db:\n    save(db)",
}
HELPER = "\ndef save(db):\n    db.add(User(id=3, name='cy'))\n    db.flush()\n"


def task(body: str, head: str = SYNC) -> str:
    define = "async def" if head is ASYNC else "def"
    work = f"{HELPER}\n{define} work():\n{indent(body, '    ')}\n"
    return head + work + endpoint("tasks.add_task(work)")


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_lost(lab: Lab, body: str) -> None:
    finding = lab.assert_found("BG408", task(body), "POST /orders", line="add_task(work)")
    assert "lost" in dict(finding["evidence"])


ASYNC_FAULTY = {
    "flushed": (
        "async with SessionLocal() as db:\n    db.add(User(id=2, name='bob'))\n    await db.flush()"
    ),
    "added": "async with SessionLocal() as db:\n    db.add(User(id=2, name='bob'))",
    "connection": (
        "async with engine.connect() as c:\n    await c.execute(insert(User).values(name='bob'))"
    ),
}


@pytest.mark.parametrize("body", ASYNC_FAULTY.values(), ids=ASYNC_FAULTY)
def test_lost_async(lab: Lab, body: str) -> None:
    lab.assert_found("BG408", task(body, ASYNC), "POST /orders", line="add_task(work)")


def test_request_session_closed_after_the_task(lab: Lab) -> None:
    """The middleware closes on every version after the tasks."""
    app = f"""{SYNC}
from fastapi import Request

class Closing:
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        with SessionLocal() as scope["db"]:
            await self.app(scope, receive, send)

app.add_middleware(Closing)

def work(db):
    db.add(User(id=2, name="bob"))
    db.flush()

@app.post("/orders")
def create(request: Request, tasks: BackgroundTasks):
    tasks.add_task(work, request.scope["db"])
"""
    lab.assert_found("BG408", app, "POST /orders", line="add_task(work")


SILENT = {
    "committed": "with SessionLocal() as db:\n    db.add(User(id=2, name='bob'))\n    db.commit()",
    "begin": "with SessionLocal.begin() as db:\n    db.add(User(id=2, name='bob'))",
    "engine begin": "with engine.begin() as c:\n    c.execute(insert(User).values(name='bob'))",
    "dry run": "with SessionLocal() as db:\n    save(db)\n    db.rollback()",
    "dry run of a connection": (
        "with engine.connect() as c:\n    c.execute(delete(User))\n    c.rollback()"
    ),
    "dry run of a transaction": (
        "with engine.connect() as c:\n    transaction = c.begin()\n"
        "    c.execute(insert(User).values(name='b'))\n    transaction.rollback()"
    ),
    "read-only": "with SessionLocal() as db:\n    print(db.get(User, 1).name)",
    "changed in memory only": "with SessionLocal() as db:\n    db.get(User, 1).name = 'ADA'",
    "expunged": (
        "with SessionLocal() as db:\n    user = User(id=2)\n    db.add(user)\n    db.expunge(user)"
    ),
    "early return before the commit": (
        "with SessionLocal() as db:\n    db.add(User(id=2, name='b'))\n    db.flush()\n"
        "    if db.get(User, 1):\n        return\n    db.commit()"
    ),
    "error that is logged": (
        "db = SessionLocal()\ntry:\n    db.add(User(id=2, name='b'))\n    db.flush()\n"
        "    int('x')\n    db.commit()\nexcept ValueError as error:\n    print('no', error)\n"
        "finally:\n    db.close()"
    ),
    "error in a with block": (
        "try:\n    with SessionLocal() as db:\n        save(db)\n        int('x')\n"
        "except ValueError as error:\n    print('no', error)"
    ),
    "error in a flush": (
        "try:\n    with SessionLocal() as db:\n        db.add(User(id=1, name='b'))\n"
        "        db.flush()\nexcept Exception as error:\n    print('no', error)"
    ),
    "autocommit": (
        "with engine.connect().execution_options(isolation_level='AUTOCOMMIT') as c:\n"
        "    c.execute(insert(User).values(name='b'))"
    ),
    "autocommit of the engine": (
        "other = engine.execution_options(isolation_level='AUTOCOMMIT')\n"
        "with other.connect() as c:\n    c.execute(insert(User).values(name='b'))"
    ),
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(task(body), "POST /orders")


ASYNC_SILENT = {
    "committed": (
        "async with SessionLocal() as db:\n    db.add(User(id=2, name='b'))\n    await db.commit()"
    ),
    "begin": "async with SessionLocal.begin() as db:\n    db.add(User(id=2, name='b'))",
    "rollback": (
        "async with SessionLocal() as db:\n    db.add(User(id=2, name='b'))\n    await db.flush()\n"
        "    await db.rollback()"
    ),
    "error in a with block": (
        "try:\n    async with SessionLocal() as db:\n        db.add(User(id=2, name='b'))\n"
        "        await db.flush()\n        int('x')\n"
        "except ValueError as error:\n    print('no', error)"
    ),
    "error before a close": (
        "try:\n    db = SessionLocal()\n    try:\n        db.add(User(id=2, name='b'))\n"
        "        await db.flush()\n        int('x')\n    finally:\n        await db.close()\n"
        "except ValueError as error:\n    print('no', error)"
    ),
}


@pytest.mark.parametrize("body", ASYNC_SILENT.values(), ids=ASYNC_SILENT)
def test_silent_async(lab: Lab, body: str) -> None:
    lab.assert_silent(task(body, ASYNC), "POST /orders")


def test_failed_task_is_a_failure(lab: Lab) -> None:
    body = "with SessionLocal() as db:\n    save(db)\n    raise LookupError"
    lab.assert_found("BG201", task(body), "POST /orders")


def test_transaction_of_a_fixture(lab: Lab) -> None:
    """The usual way to isolate tests: everything in one transaction that is rolled back."""
    body = "with SessionLocal() as db:\n    db.add(User(id=2, name='bob'))\n    db.commit()"
    test = """
    @pytest.fixture
    def isolated():
        with engine.connect() as connection:
            outer = connection.begin()
            SessionLocal.configure(bind=connection, join_transaction_mode="create_savepoint")
            yield
            SessionLocal.configure(bind=engine, join_transaction_mode="conditional_savepoint")
            outer.rollback()

    def test_it(isolated):
        with TestClient(app) as client:
            client.post("/orders")
    """
    lab.assert_silent(task(body), test=test)
