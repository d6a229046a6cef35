"""BG407: a task waits for a connection that its own request holds."""

from __future__ import annotations

import pytest
from checks_lab import Lab
from database_apps import ASYNC, DEPENDENCIES_END_BEFORE_TASKS, MIDDLEWARE, SYNC

SMALL = "poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01"
WORK = """
def work():
    with SessionLocal() as db:
        db.execute(select(1))
"""
ENDPOINT = """
@app.post("/orders")
def create(tasks: BackgroundTasks, db=Depends(get_request_db)):
    db.get(User, 1)
    {before}
    tasks.add_task(work)
"""


def create(before: str = "pass", pool: str = SMALL) -> str:
    head = SYNC.replace("poolclass=QueuePool", pool)
    return f"{head}\nCOMMITS = False\n{MIDDLEWARE}{WORK}{ENDPOINT.format(before=before)}"


def test_waits_for_its_own_request(lab: Lab) -> None:
    finding = lab.assert_found("BG407", create(), "POST /orders", line="add_task(work)")
    evidence = dict(finding["evidence"])
    assert "Current Checked out connections: 1" in evidence["pool"]
    assert evidence["task waits"].endswith(" in work")


def test_async_with_a_dependency(lab: Lab) -> None:
    """FastAPI 0.106 to 0.117 leave dependencies before the tasks, so that it can't occur."""
    app = ASYNC.replace("poolclass=AsyncAdaptedQueuePool", SMALL.replace("=Q", "=AsyncAdaptedQ"))
    app += """
async def work():
    async with SessionLocal() as db:
        await db.execute(select(1))

@app.post("/orders")
async def create(tasks: BackgroundTasks, db=Depends(get_db)):
    await db.get(User, 1)
    tasks.add_task(work)
"""
    outcome = lab.run(app, "POST /orders")
    assert outcome.codes == ([] if DEPENDENCIES_END_BEFORE_TASKS else ["BG407"])


@pytest.mark.parametrize("before", ["db.close()", "db.commit()"])
def test_returned_before(lab: Lab, before: str) -> None:
    lab.assert_silent(create(before), "POST /orders")


def test_room_in_the_pool(lab: Lab) -> None:
    app = create(pool=SMALL.replace("max_overflow=0", "max_overflow=1"))
    assert lab.run(app, "POST /orders").codes == ["BG405"]


def test_taken_by_somebody_else(lab: Lab) -> None:
    """A pool that others have emptied is no fault of the request."""
    test = """
    def test_it():
        with engine.connect(), TestClient(app, raise_server_exceptions=False) as client:
            client.post("/orders")
    """
    app = SYNC.replace("poolclass=QueuePool", SMALL) + WORK
    app += "\n@app.post('/orders')\ndef create(tasks: BackgroundTasks):\n    tasks.add_task(work)\n"
    assert lab.run(app, test=test).codes == ["BG201"]
