"""BG502: a synchronous database call on the event loop, in an async task."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from loop_clients import EVERYWHERE

HELPER = """
import contextlib, sqlite3
import socket
from sqlalchemy import create_engine, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, StaticPool

engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
async_engine = create_async_engine("sqlite+aiosqlite://", poolclass=NullPool)
"""

DRIVER = f"{HELPER}\nimport pymysql"

FAULTY = {
    "session": "with Session(engine) as session: session.execute(text('SELECT 1'))",
    "scalars": "with Session(engine) as session: session.scalars(select(1)).all()",
    "connection": "with engine.connect() as connection: connection.execute(text('SELECT 1'))",
    "transaction": "with engine.begin() as connection: connection.execute(text('SELECT 1'))",
    "several statements": (
        "with Session(engine) as session:\n"
        "    session.execute(text('SELECT 1'))\n    session.execute(text('SELECT 2'))"
    ),
    "sqlite3": (
        "with contextlib.closing(sqlite3.connect(':memory:')) as one: one.execute('SELECT 1')"
    ),
}


def task(body: str, kind: str = "async def", helper: str = HELPER) -> str:
    return f"{helper}\n{kind} work():\n{indent(body, '    ')}\n" + endpoint("tasks.add_task(work)")


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_found(lab: Lab, body: str) -> None:
    finding = lab.assert_found("BG502", task(body), "POST /orders", line="add_task(work)")
    assert dict(finding["evidence"])["at"].endswith(" in work")
    assert finding["count"] == 1


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_def_task_is_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(task(body, "def"), "POST /orders")


def test_driver_that_talks_by_a_socket(lab: Lab) -> None:
    """A package of the name of a driver makes the call one of a database."""
    package = lab.pytester.mkpydir("site-packages")
    package.joinpath("pymysql.py").write_text(
        "import socket\ndef connect():\n    return socket.create_connection(('127.0.0.1', 1))\n"
    )
    lab.pytester.syspathinsert(package)
    app = task("with contextlib.suppress(OSError): pymysql.connect()", helper=DRIVER)
    finding = lab.assert_found("BG502", app, "POST /orders")
    assert dict(finding["evidence"])["calls"] == "pymysql.connect"


SILENT = {
    "async session": (
        "async with AsyncSession(async_engine) as session: await session.execute(text('SELECT 1'))"
    ),
    "async connection": (
        "async with async_engine.connect() as one: await one.execute(text('SELECT 1'))"
    ),
    "run_sync": (
        "async with AsyncSession(async_engine) as session:\n"
        "    await session.run_sync(lambda sync: sync.execute(text('SELECT 1')))"
    ),
    "aiosqlite": (
        "import aiosqlite\n"
        "async with aiosqlite.connect(':memory:') as one: await one.execute('SELECT 1')"
    ),
    "thread": (
        "def sync():\n    with Session(engine) as session: session.execute(text('SELECT 1'))\n"
        "await asyncio.to_thread(sync)"
    ),
    "engine that is only made": "create_engine('sqlite://').dispose()",
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(task(body), "POST /orders")


def test_endpoint_is_no_task(lab: Lab) -> None:
    body = "with Session(engine) as session: session.execute(text('SELECT 1'))"
    app = f"{HELPER}\nasync def work(): ...\n" + endpoint(f"{body}\ntasks.add_task(work)")
    lab.assert_silent(app, "POST /orders")


@pytest.mark.parametrize("test", EVERYWHERE)
def test_every_client_and_loop(lab: Lab, test: str) -> None:
    body = FAULTY["session"]
    lab.assert_found("BG502", task(body), test=test)
    lab.assert_silent(task(body, "def"), test=test)
