"""BG402: a task uses a session that its request has closed."""

from __future__ import annotations

import pytest
from checks_lab import Lab
from database_apps import ASYNC, DEPENDENCIES_END_BEFORE_TASKS, SYNC

WORK = """
def work(db):
    db.add(User(id=2, name="bob"))
    db.commit()
    print(db.scalar(select(func.count(User.id))))
"""

IN_ENDPOINT = {
    "with": "with SessionLocal() as db:\n        tasks.add_task(work, db)",
    "close": "db = SessionLocal(); db.execute(select(1)); db.close(); tasks.add_task(work, db)",
    "class of its own": "with Session(engine) as db:\n        tasks.add_task(work, db=db)",
    "scoped": "db = scoped(); scoped.remove(); tasks.add_task(work, db)",
}


def create(body: str, work: str = WORK, head: str = SYNC) -> str:
    define = "async def" if head is ASYNC else "def"
    return (
        f"{head}\nscoped = scoped_session(SessionLocal) if {head is SYNC} else None\n{work}\n"
        f"@app.post('/orders')\n{define} create(tasks: BackgroundTasks):\n    {body}\n"
    )


@pytest.mark.parametrize("body", IN_ENDPOINT.values(), ids=IN_ENDPOINT)
def test_closed_in_the_endpoint(lab: Lab, body: str) -> None:
    finding = lab.assert_found("BG402", create(body), "POST /orders", line="add_task(work")
    assert {"session opened", "closed"} <= {label for label, _ in finding["evidence"]}


@pytest.mark.parametrize(
    "used", ["db.execute(select(1))", "db.get(User, 1)", "db.query(User).all()"]
)
def test_any_use_counts(lab: Lab, used: str) -> None:
    app = create(IN_ENDPOINT["with"], f"def work(db):\n    {used}\n")
    lab.assert_found("BG402", app, "POST /orders")


def test_async(lab: Lab) -> None:
    work = "async def work(db):\n    await db.execute(select(1))\n    await db.commit()\n"
    work += "    await db.execute(select(1))\n"
    body = "async with SessionLocal() as db:\n        tasks.add_task(work, db)"
    lab.assert_found("BG402", create(body, work, ASYNC), "POST /orders", line="add_task(work")


DEPENDENCY = """
@app.post("/orders")
def create(tasks: BackgroundTasks, db=Depends(get_db)):
    tasks.add_task(work, db)
"""


def test_closed_by_a_dependency(lab: Lab) -> None:
    """Only FastAPI 0.106 to 0.117 leave dependencies before the tasks; elsewhere it is open."""
    outcome = lab.run(SYNC + WORK + DEPENDENCY, "POST /orders")
    assert outcome.codes == (["BG402"] if DEPENDENCIES_END_BEFORE_TASKS else [])


SILENT = {
    "closed in the task and used on there": (
        "def work(db):\n    db = SessionLocal()\n    db.execute(select(1)); db.close()\n"
        "    db.execute(select(1)); db.close()\n"
    ),
    "opened again by a task that closes it": (
        "def work(db):\n    with db:\n        db.add(User(id=2, name='bob'))\n        db.commit()\n"
    ),
    "only looked at": "def work(db):\n    print(db.bind, db.new)\n",
    "its own session": "def work(db):\n    with Session(engine) as db:\n        db.get(User, 1)\n",
}


@pytest.mark.parametrize("work", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, work: str) -> None:
    lab.assert_silent(create(IN_ENDPOINT["with"], work), "POST /orders")


def test_open_session(lab: Lab) -> None:
    body = "db = SessionLocal(); tasks.add_task(work, db); tasks.add_task(db.close)"
    lab.assert_silent(create(body), "POST /orders")


def test_session_of_a_fixture(lab: Lab) -> None:
    test = """
    @pytest.fixture
    def session():
        with SessionLocal() as session:
            def override():
                yield session
                session.close()
            app.dependency_overrides[get_db] = override
            yield session
            app.dependency_overrides.clear()

    def test_it(session):
        with TestClient(app) as client:
            client.post("/orders")
    """
    lab.assert_silent(SYNC + WORK + DEPENDENCY, test=test)
