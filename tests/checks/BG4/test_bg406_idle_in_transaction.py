"""BG406: a transaction is open while its task waits for something else."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from database_apps import ASYNC, SYNC

HTTP = """
import subprocess, sys, time, anyio, httpx
client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200)))
aclient = httpx.AsyncClient(transport=httpx.MockTransport(lambda request: httpx.Response(200)))
"""
WAITS = {
    "sleep": "time.sleep(0.001)",
    "request": "client.get('http://service')",
    "process": "subprocess.run([sys.executable, '-c', ''])",
}
ASYNC_WAITS = {
    "asyncio": "await asyncio.sleep(0.001)",
    "anyio": "await anyio.sleep(0.001)",
    "request": "await aclient.get('http://service')",
}


def sync_task(wait: str) -> str:
    body = f"with SessionLocal() as db:\n    db.get(User, 1)\n    {wait}\n"
    return f"{SYNC}{HTTP}\ndef work():\n{indent(body, '    ')}" + endpoint("tasks.add_task(work)")


def async_task(wait: str) -> str:
    body = f"async with SessionLocal() as db:\n    await db.get(User, 1)\n    {wait}\n"
    define = f"{ASYNC}{HTTP}\nasync def work():\n{indent(body, '    ')}"
    return define + endpoint("tasks.add_task(work)")


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_task_waits(lab: Lab, wait: str) -> None:
    finding = lab.assert_found("BG406", sync_task(wait), "POST /orders", line="add_task(work)")
    assert {"waits for", "in", "session opened"} <= {label for label, _ in finding["evidence"]}


@pytest.mark.parametrize("wait", ASYNC_WAITS.values(), ids=ASYNC_WAITS)
def test_async_task_waits(lab: Lab, wait: str) -> None:
    lab.assert_found("BG406", async_task(wait), "POST /orders", line="add_task(work)")


def test_virtual_time(lab: Lab) -> None:
    test = """
    def test_it(bgtasks):
        with bgtasks.virtual_time():
            with TestClient(app) as client:
                client.post("/orders")
    """
    lab.assert_found("BG406", async_task("await asyncio.sleep(3600)"), test=test)


@pytest.mark.parametrize("before", ["db.commit()", "db.rollback()", "db.close()"])
def test_ended_before_the_wait(lab: Lab, before: str) -> None:
    lab.assert_silent(sync_task(f"{before}\n    time.sleep(0.001)"), "POST /orders")


SILENT = {
    "waits first": "time.sleep(0.001)\nwith SessionLocal() as db:\n    db.get(User, 1)",
    "waits afterwards": "with SessionLocal() as db:\n    db.get(User, 1)\ntime.sleep(0.001)",
    "computes": "with SessionLocal() as db:\n    db.get(User, 1)\n    sum(range(1000))",
    "nothing sent yet": "with SessionLocal() as db:\n    time.sleep(0.001)",
    "autocommit": (
        "with engine.connect().execution_options(isolation_level='AUTOCOMMIT') as c:\n"
        "    c.execute(select(1)).all()\n    time.sleep(0.001)"
    ),
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    app = f"{SYNC}{HTTP}\ndef work():\n{indent(body, '    ')}\n"
    lab.assert_silent(app + endpoint("tasks.add_task(work)"), "POST /orders")


def test_only_waits_for_the_database(lab: Lab) -> None:
    app = async_task("await db.get(User, 2); await asyncio.sleep(0)")
    lab.assert_silent(app, "POST /orders")


POSTGRESQL = """
import asyncio, time
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from sqlalchemy.orm import Session
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
"""


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
@pytest.mark.parametrize("end", ["", "await db.commit()"])
def test_postgresql_is_asked(lab: Lab, postgresql_url: str, driver: str, end: str) -> None:
    url = postgresql_url.replace("postgresql://", f"postgresql+{driver}://")
    app = f"""{POSTGRESQL}
engine = create_async_engine({url!r}, poolclass=NullPool)

async def work():
    async with AsyncSession(engine) as db:
        await db.execute(text("select 1"))
        {end or "pass"}
        await asyncio.sleep(0.001)
""" + endpoint("tasks.add_task(work)")
    if end:
        lab.assert_silent(app, "POST /orders")
        return
    finding = lab.assert_found("BG406", app, "POST /orders", line="add_task(work)")
    assert dict(finding["evidence"])["server says"] == "idle in transaction"


@pytest.mark.parametrize("failing", [True, False])
def test_postgresql_sync(lab: Lab, postgresql_url: str, failing: bool) -> None:
    url = postgresql_url.replace("postgresql://", "postgresql+psycopg://")
    statement = "select nothing" if failing else "select 1"
    app = f"""{POSTGRESQL}
engine = create_engine({url!r}, poolclass=NullPool)

def work():
    with Session(engine) as db:
        try:
            db.execute(text({statement!r}))
        except Exception as error:
            print(error)
        time.sleep(0.001)
""" + endpoint("tasks.add_task(work)")
    finding = lab.assert_found("BG406", app, "POST /orders", line="add_task(work)")
    state = dict(finding["evidence"])["server says"]
    assert state == "idle in transaction" + (" (aborted)" if failing else "")
