"""BG211: a retry repeats an INSERT or an HTTP POST that had succeeded."""

from __future__ import annotations

import sys

import pytest
from checks_lab import Lab, endpoint

needs_monitoring = pytest.mark.skipif(sys.version_info < (3, 12), reason="needs sys.monitoring")

POSTS = """
import logging
import httpx

log = logging.getLogger("app")
failures = []

class Down(Exception): ...

def answer(request):
    return httpx.Response(503 if request.url.path == "/down" else 201)

def post(path="/charges", **kwargs):
    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://pay") as client:
        return client.post(path, **(kwargs or {"json": {"order": 1}}))

async def apost(path="/charges"):
    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://pay") as client:
        return await client.post(path, json={"order": 1})

def mail(times=2):
    failures.append(1)
    if len(failures) <= times:
        raise Down("no server")
"""


def app_with(helpers: str, body: str) -> str:
    """Write an app whose task `work` has a body."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return f"{helpers}\nasync def work():\n{lines}" + endpoint("tasks.add_task(work)")


FAULTY_POSTS = {
    "a range": (
        "for attempt in range(3):\n    try:\n        post()\n        mail()\n        break\n"
        "    except Down:\n        log.warning('again: %s', attempt)"
    ),
    "while True": (
        "while True:\n    try:\n        await apost()\n        mail()\n        return\n"
        "    except Down:\n        await asyncio.sleep(0)"
    ),
    "delays": (
        "for delay in (0, 0, 0):\n    try:\n        post()\n        mail()\n    except Down:\n"
        "        await asyncio.sleep(delay)\n    else:\n        break"
    ),
    "in a helper": (
        "def once():\n    post()\n    mail()\nfor attempt in range(3):\n    try:\n"
        "        once()\n        break\n    except Down:\n        log.warning('again')"
    ),
}


@needs_monitoring
@pytest.mark.parametrize("body", FAULTY_POSTS.values(), ids=FAULTY_POSTS)
def test_a_post_is_repeated(lab: Lab, body: str) -> None:
    app = app_with(POSTS, body)
    finding = lab.assert_found("BG211", app, "POST /orders", line="add_task(work)")
    assert finding["message"].startswith(
        "work did POST http://pay/charges 3 times with the same data, because it tried again after "
    )
    assert dict(finding["evidence"])["raised"].endswith("in mail")


@needs_monitoring
def test_a_decorator_that_retries(lab: Lab) -> None:
    tenacity = pytest.importorskip("tenacity")
    assert tenacity
    body = (
        "import tenacity\n"
        "@tenacity.retry(stop=tenacity.stop_after_attempt(5))\ndef once():\n    post()\n"
        "    mail()\nonce()"
    )
    lab.assert_found("BG211", app_with(POSTS, body), "POST /orders")


SILENT_POSTS = {
    "only what failed is tried again": (
        "post()\nfor attempt in range(3):\n    try:\n        mail()\n        break\n"
        "    except Down:\n        log.warning('again')"
    ),
    "a post that failed": (
        "for attempt in range(3):\n    try:\n        post('/down').raise_for_status()\n"
        "        break\n    except httpx.HTTPStatusError:\n        log.warning('again')"
    ),
    "an idempotency key": (
        "for attempt in range(3):\n    try:\n"
        "        post(json={}, headers={'Idempotency-Key': 'k'})\n        mail()\n        break\n"
        "    except Down:\n        log.warning('again')"
    ),
    "other data": (
        "for attempt in range(3):\n    try:\n        post(json={'attempt': attempt})\n"
        "        mail()\n        break\n    except Down:\n        log.warning('again')"
    ),
    "the same data in a loop over data": (
        "for user in 'abc':\n    try:\n        post()\n        print(user)\n        mail(9)\n"
        "    except Down:\n        log.warning('no mail')"
    ),
    "a loop over data where some succeed": (
        "for number in range(4):\n    try:\n        post()\n        mail(1)\n"
        "    except Down:\n        log.warning('no mail')"
    ),
    "two posts without an error": "post()\npost()",
    "two lines with an error between": (
        "post()\ntry:\n    mail(1)\nexcept Down:\n    log.warning('no mail')\npost()"
    ),
    "an error that is handled elsewhere": (
        "for number in range(3):\n    post()\n    try:\n        mail(9)\n"
        "    except Down:\n        log.warning('no mail')"
    ),
    "calls side by side": (
        "async def one(user):\n    try:\n        await apost()\n        mail(9)\n"
        "    except Down:\n        log.warning('no mail')\n"
        "await asyncio.gather(*map(one, 'abc'))"
    ),
    "a comprehension": (
        "def one(user):\n    try:\n        post()\n        mail(9)\n"
        "    except Down:\n        log.warning('no mail')\n"
        "[one(user) for user in 'abc']"
    ),
}


@pytest.mark.parametrize("body", SILENT_POSTS.values(), ids=SILENT_POSTS)
def test_posts_that_are_right(lab: Lab, body: str) -> None:
    lab.assert_silent(app_with(POSTS, body), "POST /orders")


ROWS = """
import logging
import sqlalchemy as sa
from sqlalchemy import orm, pool

log = logging.getLogger("app")
failures = []

class Down(Exception): ...
class Base(orm.DeclarativeBase): ...

class Charge(Base):
    __tablename__ = "charges"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    order: orm.Mapped[str] = orm.mapped_column(UNIQUE)

engine = sa.create_engine(
    "sqlite://", poolclass=pool.StaticPool, connect_args={"check_same_thread": False}
)
Base.metadata.create_all(engine)
Session = orm.sessionmaker(engine)

def mail(times=2):
    failures.append(1)
    if len(failures) <= times:
        raise Down("no server")

def store(order="book"):
    with Session() as session:
        session.add(Charge(order=order))
        session.commit()
"""
SQL = ROWS.replace("UNIQUE", "")

FAULTY_ROWS = {
    "committed each time": (
        "for attempt in range(3):\n    try:\n        store()\n        mail()\n        break\n"
        "    except Down:\n        log.warning('again')"
    ),
    "committed in the end": (
        "with Session() as session:\n    for attempt in range(3):\n        try:\n"
        "            session.execute(sa.insert(Charge).values(order='book'))\n"
        "            mail()\n            break\n        except Down:\n"
        "            log.warning('again')\n    session.commit()"
    ),
}


@needs_monitoring
@pytest.mark.parametrize("body", FAULTY_ROWS.values(), ids=FAULTY_ROWS)
def test_a_row_is_inserted_again(lab: Lab, body: str) -> None:
    pytest.importorskip("sqlalchemy", minversion="2.0")
    app = app_with(SQL, body).replace("async def work", "def work")
    finding = lab.assert_found("BG211", app, "POST /orders")
    assert finding["message"].startswith(
        "work did INSERT INTO charges 3 times with the same data, because it tried again after "
    )


SILENT_ROWS = {
    "rolled back before it tries again": (
        "for attempt in range(3):\n    try:\n        with Session.begin() as session:\n"
        "            session.add(Charge(order='book'))\n            session.flush()\n"
        "            mail()\n        break\n    except Down:\n        log.warning('again')"
    ),
    "other rows": (
        "for order in ('a', 'b', 'c'):\n    try:\n        store(order)\n        mail(9)\n"
        "    except Down:\n        log.warning('no mail')"
    ),
    "the same row for other data": (
        "for user in ('a', 'b', 'c'):\n    try:\n        store()\n        print(user)\n"
        "        mail(9)\n    except Down:\n        log.warning('no mail')"
    ),
    "the insert itself failed": (
        "store()\nfor order in ('book', 'book', 'pen'):\n    try:\n        store(order)\n"
        "        break\n    except sa.exc.IntegrityError:\n        log.warning('again')"
    ),
}


@pytest.mark.parametrize("body", SILENT_ROWS.values(), ids=SILENT_ROWS)
def test_rows_that_are_right(lab: Lab, body: str) -> None:
    pytest.importorskip("sqlalchemy", minversion="2.0")
    helpers = ROWS.replace("UNIQUE", "unique=True") if "Integrity" in body else SQL
    lab.assert_silent(app_with(helpers, body).replace("async def work", "def work"), "POST /orders")
