"""BG403: a task loads an attribute of an object whose session is gone."""

from __future__ import annotations

import pytest
from checks_lab import Lab
from database_apps import ASYNC, DEPENDENCIES_END_BEFORE_TASKS, SYNC

ENDPOINT = """
@app.post("/orders")
def create(tasks: BackgroundTasks):
    with SessionLocal() as db:
        user = db.get(User, 1)
        {before}
        tasks.add_task(work, user)
"""

FAULTY = {
    "relationship": ("def work(user):\n    print(user.orders)\n", "pass"),
    "expired by commit": ("def work(user):\n    print(user.name)\n", "db.commit()"),
    "async task": ("async def work(user):\n    print(user.orders)\n", "pass"),
    "raised from": (
        "def work(user):\n    try:\n        user.orders\n    except Exception as error:\n"
        "        raise RuntimeError('no orders') from error\n",
        "pass",
    ),
}


@pytest.mark.parametrize(("work", "before"), FAULTY.values(), ids=FAULTY)
def test_session_of_the_endpoint_is_gone(lab: Lab, work: str, before: str) -> None:
    app = f"{SYNC}\n{work}\n{ENDPOINT.format(before=before)}"
    finding = lab.assert_found("BG403", app, "POST /orders", line="add_task(work, user)")
    assert " at 0x" not in dict(finding["evidence"])["error"]


def test_async_session(lab: Lab) -> None:
    app = f"""{ASYNC}
async def work(user):
    print(user.name)

@app.post("/orders")
async def create(tasks: BackgroundTasks):
    async with SessionLocal() as db:
        user = await db.get(User, 1)
        await db.commit()
        tasks.add_task(work, user)
"""
    lab.assert_found("BG403", app, "POST /orders", line="add_task(work, user)")


def test_dependency(lab: Lab) -> None:
    """Only FastAPI 0.106 to 0.117 close the session before the task; elsewhere it loads."""
    app = f"""{SYNC}
def work(user):
    print(user.orders)

@app.post("/orders")
def create(tasks: BackgroundTasks, db=Depends(get_db)):
    tasks.add_task(work, db.get(User, 1))
"""
    outcome = lab.run(app, "POST /orders", select="DEFAULT")
    assert outcome.codes == (["BG403"] if DEPENDENCIES_END_BEFORE_TASKS else [])


SILENT = {
    "what is loaded": ("def work(user):\n    print(user.name)\n", "pass"),
    "loaded before": ("def work(user):\n    print(user.orders)\n", "user.orders"),
    "refreshed": ("def work(user):\n    print(user.name)\n", "db.commit(); db.refresh(user)"),
    "merged on purpose": (
        "def work(user):\n    from sqlalchemy.orm.exc import DetachedInstanceError\n    try:\n"
        "        user.orders\n    except DetachedInstanceError:\n"
        "        with SessionLocal() as db:\n            print(db.merge(user).orders)\n",
        "pass",
    ),
}


@pytest.mark.parametrize(("work", "before"), SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, work: str, before: str) -> None:
    lab.assert_silent(f"{SYNC}\n{work}\n{ENDPOINT.format(before=before)}", "POST /orders")


def test_eager_loading(lab: Lab) -> None:
    app = f"""{SYNC}
from sqlalchemy.orm import selectinload

def work(user):
    print(user.orders)

@app.post("/orders")
def create(tasks: BackgroundTasks):
    with SessionLocal(expire_on_commit=False) as db:
        user = db.scalar(select(User).options(selectinload(User.orders)))
        db.commit()
        tasks.add_task(work, user)
"""
    lab.assert_silent(app, "POST /orders")


def test_other_error_is_a_failure(lab: Lab) -> None:
    app = f"{SYNC}\ndef work(user):\n    raise LookupError\n{ENDPOINT.format(before='pass')}"
    lab.assert_found("BG201", app, "POST /orders")
