"""BG405: the request's connection is held all through a task that does not use it."""

from __future__ import annotations

import pytest
from checks_lab import Lab
from database_apps import ASYNC, DEPENDENCIES_END_BEFORE_TASKS, MIDDLEWARE, SYNC

APP = f"{SYNC}\nCOMMITS = False\n{MIDDLEWARE}"
WORK = """
def work(*args):
    print("mail sent")

def use(db):
    db.execute(select(1))
"""


def create(body: str) -> str:
    return f"""{APP}{WORK}
@app.post("/orders")
def create(tasks: BackgroundTasks, db=Depends(get_request_db)):
    db.get(User, 1)
    {body}
"""


def test_held(lab: Lab) -> None:
    finding = lab.assert_found("BG405", create("tasks.add_task(work)"), "POST /orders", line="work")
    assert "connection taken" in dict(finding["evidence"])


def test_handed_over_and_not_used(lab: Lab) -> None:
    lab.assert_found("BG405", create("tasks.add_task(work, db)"), "POST /orders")


def test_each_idle_task_after_the_last_use(lab: Lab) -> None:
    body = "tasks.add_task(work); tasks.add_task(use, db); tasks.add_task(work, 2)"
    outcome = lab.run(create(body), "POST /orders")
    assert [one["task"] for one in outcome.findings] == ["work(2)"]


DEPENDENCY = """
@app.post("/orders")
{define} create(tasks: BackgroundTasks, db=Depends(get_db)):
    {get}
    tasks.add_task(work)
"""


@pytest.mark.parametrize(
    ("head", "define", "get"),
    [(SYNC, "def", "db.get(User, 1)"), (ASYNC, "async def", "await db.get(User, 1)")],
    ids=["sync", "async"],
)
def test_held_by_a_dependency(lab: Lab, head: str, define: str, get: str) -> None:
    """FastAPI 0.106 to 0.117 leave dependencies before the tasks, so that it can't occur."""
    outcome = lab.run(head + WORK + DEPENDENCY.format(define=define, get=get), "POST /orders")
    assert outcome.codes == ([] if DEPENDENCIES_END_BEFORE_TASKS else ["BG405"])


SILENT = {
    "used": "tasks.add_task(use, db)",
    "used by a later task": "tasks.add_task(work); tasks.add_task(use, db)",
    "committed": "db.commit(); tasks.add_task(work)",
    "closed": "db.close(); tasks.add_task(work)",
    "no task": "",
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(create(body or "pass"), "POST /orders")


def test_session_of_a_fixture(lab: Lab) -> None:
    test = """
    @pytest.fixture
    def session():
        with SessionLocal() as session:
            app.dependency_overrides[get_db] = lambda: session
            yield session
            app.dependency_overrides.clear()

    def test_it(session):
        with TestClient(app) as client:
            client.post("/orders")
    """
    app = SYNC + WORK + DEPENDENCY.format(define="def", get="db.get(User, 1)")
    lab.assert_silent(app, test=test)
