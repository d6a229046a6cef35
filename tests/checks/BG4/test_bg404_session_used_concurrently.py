"""BG404: one session used by two tasks or threads at the same time."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint
from database_apps import ASYNC, SYNC

THREADS = """
import contextvars, threading
from concurrent.futures import ThreadPoolExecutor

def query(db, go, done):
    while not go:
        pass
    db.execute(select(1))
    done.append(True)

def helper(db, go, done):
    thread = threading.Thread(target=query, args=(db, go, done))
    thread.start()
    return thread
"""

FAULTY = {
    "thread beside the task": """
def work():
    go, done = [], []
    with SessionLocal() as db:
        db.execute(select(1))
        thread = helper(db, go, done)
        go.append(True)
        while not done:
            pass
        thread.join()
""",
    "two threads of a task": """
def first(db, go, done):
    db.execute(select(1))
    go.append(True)
    while not done:
        pass

def work():
    go, done = [], []
    with SessionLocal() as db, ThreadPoolExecutor(2) as pool:
        pool.submit(first, db, go, done)
        pool.submit(query, db, go, done)
""",
    "two threads of an async task": """
def first(db, go, done):
    db.execute(select(1))
    go.append(True)
    while not done:
        pass

async def work():
    go, done = [], []
    with SessionLocal() as db:
        await asyncio.gather(
            asyncio.to_thread(first, db, go, done), asyncio.to_thread(query, db, go, done)
        )
""",
}


@pytest.mark.parametrize("work", FAULTY.values(), ids=FAULTY)
def test_threads(lab: Lab, work: str) -> None:
    app = SYNC + THREADS + work + endpoint("tasks.add_task(work)")
    finding = lab.assert_found("BG404", app, "POST /orders", line="add_task(work)")
    assert "session opened" in dict(finding["evidence"])


@pytest.mark.parametrize("connected", ["await db.execute(select(1))", "pass"])
def test_asyncio_tasks(lab: Lab, connected: str) -> None:
    """The second user meets a statement under way; or SQLAlchemy refuses it by itself."""
    app = f"""{ASYNC}
async def query(db):
    return await db.scalar(select(func.count(User.id)))

async def work():
    async with SessionLocal() as db:
        {connected}
        await asyncio.gather(query(db), query(db))
""" + endpoint("tasks.add_task(work)")
    outcome = lab.run(app, "POST /orders", select="BG404,BG201")
    assert outcome.codes == ["BG404"]


SILENT = {
    "handed over and waited for": """
def work():
    go, done = [True], []
    with SessionLocal() as db:
        db.execute(select(1))
        helper(db, go, done).join()
        db.execute(select(1))
""",
    "one after the other in a pool": """
def work():
    with SessionLocal() as db, ThreadPoolExecutor(2) as pool:
        pool.submit(query, db, [True], []).result()
        pool.submit(query, db, [True], []).result()
""",
    "a session for each": """
def query_alone():
    with SessionLocal() as db:
        db.execute(select(1))

def work():
    with ThreadPoolExecutor(2) as pool:
        pool.submit(query_alone)
        pool.submit(query_alone)
""",
    "steps in threads": """
async def work():
    with SessionLocal() as db:
        await asyncio.to_thread(query, db, [True], [])
        await asyncio.to_thread(query, db, [True], [])
""",
}


@pytest.mark.parametrize("work", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, work: str) -> None:
    lab.assert_silent(SYNC + THREADS + work + endpoint("tasks.add_task(work)"), "POST /orders")


ASYNC_SILENT = {
    "one after the other": "await query(db); await query(db)",
    "children that are awaited": (
        "await asyncio.create_task(query(db)); await asyncio.create_task(query(db))"
    ),
    "a session for each": "await asyncio.gather(alone(), alone())",
}


@pytest.mark.parametrize("body", ASYNC_SILENT.values(), ids=ASYNC_SILENT)
def test_silent_async(lab: Lab, body: str) -> None:
    app = f"""{ASYNC}
async def query(db):
    return await db.scalar(select(func.count(User.id)))

async def alone():
    async with SessionLocal() as db:
        await query(db)

async def work():
    async with SessionLocal() as db:
        {body}
""" + endpoint("tasks.add_task(work)")
    lab.assert_silent(app, "POST /orders")


def test_request_and_then_its_task(lab: Lab) -> None:
    app = f"""{SYNC}
def work(db):
    db.execute(select(1))
    db.close()

@app.post("/orders")
def create(tasks: BackgroundTasks):
    db = SessionLocal()
    db.execute(select(1))
    tasks.add_task(work, db)
"""
    lab.assert_silent(app, "POST /orders")
