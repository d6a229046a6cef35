"""BG409: a session used on after an error without rollback."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from database_apps import ASYNC, SYNC

BAD = "db.add(User(id=1, name='twice'))"
FAULTY = {
    "swallowed in a loop": (
        "with SessionLocal() as db:\n    for number in (1, 2, 3):\n        try:\n"
        "            db.add(User(id=number, name=f'n{number}'))\n            db.flush()\n"
        "        except Exception as error:\n            print('no', error)\n"
    ),
    "error leaves the task": (
        f"with SessionLocal() as db:\n    {BAD}\n    try:\n        db.flush()\n"
        "    except Exception as error:\n        print('no', error)\n"
        "    db.execute(select(1))\n"
    ),
    "rolled back only at the end": (
        f"with SessionLocal() as db:\n    try:\n        {BAD}\n"
        "        try:\n            db.flush()\n"
        "        except Exception as error:\n            print('no', error)\n        db.commit()\n"
        "    except Exception:\n        db.rollback()\n        raise\n"
    ),
}


def task(body: str, head: str = SYNC) -> str:
    define = "async def" if head is ASYNC else "def"
    return f"{head}\n{define} work():\n{indent(body, '    ')}\n" + endpoint("tasks.add_task(work)")


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_used_on(lab: Lab, body: str) -> None:
    finding = lab.assert_found("BG409", task(body), "POST /orders", line="add_task(work)")
    assert "rolled back" in dict(finding["evidence"])["refused"]


def test_async(lab: Lab) -> None:
    body = (
        "async with SessionLocal() as db:\n    for number in (1, 2):\n        try:\n"
        "            db.add(User(id=number, name=f'n{number}'))\n            await db.flush()\n"
        "        except Exception as error:\n            print('no', error)\n"
    )
    lab.assert_found("BG409", task(body, ASYNC), "POST /orders", line="add_task(work)")


SILENT = {
    "rolled back": (
        f"with SessionLocal() as db:\n    {BAD}\n    try:\n        db.flush()\n"
        "    except Exception as error:\n        print('no', error)\n        db.rollback()\n"
        "    db.add(User(id=2, name='bob'))\n    db.commit()\n"
    ),
    "savepoints": (
        "with SessionLocal.begin() as db:\n    for number in (1, 2):\n        try:\n"
        "            with db.begin_nested():\n                db.add(User(id=number))\n"
        "        except Exception as error:\n            print('no', error)\n"
    ),
    "error of a query alone": (
        "with SessionLocal() as db:\n    try:\n        db.execute(text('SELECT nothing'))\n"
        "    except Exception as error:\n        print('no', error)\n    db.execute(select(1))\n"
    ),
    "a new session": (
        f"with SessionLocal() as db:\n    {BAD}\n    try:\n        db.flush()\n"
        "    except Exception as error:\n        print('no', error)\n"
        "with SessionLocal.begin() as db:\n    db.add(User(id=2, name='bob'))\n"
    ),
    "retried after the refusal": (
        f"from sqlalchemy.exc import PendingRollbackError\nwith SessionLocal() as db:\n    {BAD}\n"
        "    try:\n        db.flush()\n    except Exception as error:\n        print('no', error)\n"
        "    try:\n        db.execute(select(1))\n    except PendingRollbackError:\n"
        "        db.rollback()\n    db.execute(select(1))\n"
    ),
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(task(body), "POST /orders")
