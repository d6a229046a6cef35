"""BG410: the transaction of the request is open while its tasks run, and that matters."""

from __future__ import annotations

import pytest
from checks_lab import Lab
from database_apps import ASYNC, DEPENDENCIES_END_BEFORE_TASKS, MIDDLEWARE, SYNC

MIDDLEWARE_APP = f"{SYNC}\nCOMMITS = True\n{MIDDLEWARE}"
ENDPOINT = """
@app.post("/orders")
def create(tasks: BackgroundTasks, db=Depends(get_request_db)):
    order = Order(item="book", user_id=1)
    db.add(order)
    db.flush()
    {before}
    tasks.add_task(work, order.id)
"""

FAULTY = {
    "get": "print(db.get(Order, order_id))",
    "query by another column": "print(db.scalars(select(Order).where(Order.item == 'book')).all())",
    "join": "print(db.execute(select(User).join(Order).where(Order.user_id == order_id)).all())",
    "in": "print(db.execute(select(Order).where(Order.id.in_([order_id, 77]))).all())",
    "count of all": "print(db.scalar(select(func.count()).select_from(Order)))",
    "text": "db.execute(text('SELECT id FROM orders WHERE id = :id'), {'id': order_id}).all()",
    "fails": "db.scalars(select(Order).where(Order.id == order_id)).one()",
}


def work(body: str) -> str:
    return f"\ndef work(order_id):\n    with SessionLocal() as db:\n        {body}\n"


@pytest.mark.parametrize("body", list(FAULTY.values())[:-1], ids=list(FAULTY)[:-1])
def test_task_looks_for_what_is_not_committed(lab: Lab, body: str) -> None:
    app = MIDDLEWARE_APP + work(body) + ENDPOINT.format(before="pass")
    finding = lab.assert_found("BG410", app, "POST /orders", line="add_task(work")
    evidence = dict(finding["evidence"])
    assert "orders" in evidence["task sends"]
    assert evidence["not committed yet"].startswith("INSERT INTO orders")


def test_task_fails_for_it(lab: Lab) -> None:
    app = MIDDLEWARE_APP + work(FAULTY["fails"]) + ENDPOINT.format(before="pass")
    outcome = lab.run(app, "POST /orders")
    assert outcome.codes == ["BG201", "BG410"]
    assert "rolled back what the client was told" in outcome.findings[0]["message"]


def test_flushed_only_by_the_commit(lab: Lab) -> None:
    app = f"""{MIDDLEWARE_APP}
def work(item):
    with SessionLocal() as db:
        print(db.scalars(select(Order).where(Order.item == item)).first())

@app.post("/orders")
def create(tasks: BackgroundTasks, db=Depends(get_request_db)):
    db.add(Order(item="book"))
    tasks.add_task(work, "book")
"""
    lab.assert_found("BG410", app, "POST /orders", line="add_task(work")


DEPENDENCY = """
@app.post("/orders")
def create(tasks: BackgroundTasks, db=Depends(get_committed)):
    order = Order(item="book")
    db.add(order)
    db.flush()
    tasks.add_task(work, order.id)
"""


def test_commit_after_yield(lab: Lab) -> None:
    """FastAPI 0.106 to 0.117 leave dependencies before the tasks, so that it can't occur."""
    outcome = lab.run(SYNC + work(FAULTY["get"]) + DEPENDENCY, "POST /orders")
    assert outcome.codes == ([] if DEPENDENCIES_END_BEFORE_TASKS else ["BG410"])


def test_async_commit_after_yield(lab: Lab) -> None:
    app = f"""{ASYNC}
async def work(order_id):
    async with SessionLocal() as db:
        print(await db.get(Order, order_id))

@app.post("/orders")
async def create(tasks: BackgroundTasks, db=Depends(get_committed)):
    order = Order(item="book")
    db.add(order)
    await db.flush()
    tasks.add_task(work, order.id)
"""
    outcome = lab.run(app, "POST /orders")
    assert outcome.codes == ([] if DEPENDENCIES_END_BEFORE_TASKS else ["BG410"])


FAILS = "\ndef work(order_id):\n    raise LookupError\n"


def test_failing_task_rolls_back_what_was_promised(lab: Lab) -> None:
    outcome = lab.run(MIDDLEWARE_APP + FAILS + ENDPOINT.format(before="pass"), "POST /orders")
    assert outcome.codes == ["BG201", "BG410"]
    finding = next(one for one in outcome.findings if one["code"] == "BG410")
    assert dict(finding["evidence"])["client saw"] == "200"


def test_failing_task_with_a_dependency(lab: Lab) -> None:
    outcome = lab.run(SYNC + FAILS + DEPENDENCY, "POST /orders")
    expected = ["BG201"] if DEPENDENCIES_END_BEFORE_TASKS else ["BG201", "BG410"]
    assert outcome.codes == expected


SILENT = {
    "commit before the response": (FAULTY["get"], "db.commit()"),
    "another row": ("print(db.get(Order, 77))", "pass"),
    "another table": ("print(db.get(User, order_id))", "pass"),
}


@pytest.mark.parametrize(("body", "before"), SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str, before: str) -> None:
    app = MIDDLEWARE_APP + work(body) + ENDPOINT.format(before=before)
    outcome = lab.run(app, "POST /orders", select="DEFAULT")
    assert [code for code in outcome.codes if code != "BG405"] == []


def test_session_that_is_handed_over(lab: Lab) -> None:
    app = f"""{MIDDLEWARE_APP}
def work(db, order_id):
    print(db.get(Order, order_id))
    db.execute(select(Order)).all()
{ENDPOINT.format(before="pass").replace("work, order", "work, db, order")}"""
    lab.assert_silent(app, "POST /orders")


def test_failing_task_after_a_commit(lab: Lab) -> None:
    app = MIDDLEWARE_APP + FAILS + ENDPOINT.format(before="db.commit()")
    outcome = lab.run(app, "POST /orders", select="BG201,BG4")
    assert [code for code in outcome.codes if code != "BG405"] == ["BG201"]


def test_rolled_back_request(lab: Lab) -> None:
    """A dry run that succeeds rolls back, and no task has failed."""
    app = f"{SYNC}\nCOMMITS = False\n{MIDDLEWARE}" + work(FAULTY["get"])
    outcome = lab.run(app + ENDPOINT.format(before="pass"), "POST /orders")
    assert "BG410" not in outcome.codes
