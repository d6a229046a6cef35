"""BG104: one task object ran more than once."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASK = "def send(number=0): ...\n"

SHARED = {
    "module-level task": """
TASK = BackgroundTask(send)
@app.post("/orders")
async def create():
    return JSONResponse({}, background=TASK)
""",
    "module-level response": """
DONE = JSONResponse({}, background=BackgroundTask(send))
@app.post("/orders")
async def create():
    return DONE
""",
    "module-level group": """
TASKS = StarletteTasks()
COUNT = iter(range(100))
@app.post("/orders")
async def create():
    TASKS.add_task(send, next(COUNT))
    return JSONResponse({}, background=TASKS)
""",
    "default argument": """
@app.post("/orders", include_in_schema=False)
async def create():
    return respond()
def respond(tasks=StarletteTasks([BackgroundTask(send)])):
    return JSONResponse({}, background=tasks)
""",
}


@pytest.mark.parametrize("app", SHARED.values(), ids=SHARED)
def test_shared_object(lab: Lab, app: str) -> None:
    finding = lab.assert_found("BG104", TASK + app, "POST /orders", "POST /orders")
    assert dict(finding["evidence"])["first run"] == "POST /orders, 1st request"


def test_shared_object_in_two_tests(lab: Lab) -> None:
    test = """
    @pytest.mark.parametrize("number", [1, 2])
    def test_it(number):
        TestClient(app).post("/orders")
    """
    finding = lab.assert_found("BG104", TASK + SHARED["module-level response"], test=test)
    assert finding["test"].endswith("[2]")


def test_one_object_twice_in_one_group(lab: Lab) -> None:
    app = endpoint("task = BackgroundTask(send)\ntasks.tasks += [task, task]")
    lab.assert_found("BG104", TASK + app, "POST /orders")


OWN = {
    "same function and arguments": endpoint("tasks.add_task(send, 1)\ntasks.add_task(send, 2)"),
    "new in each request": """
@app.post("/orders")
async def create():
    return JSONResponse({}, background=BackgroundTask(send, 1))
""",
}


@pytest.mark.parametrize("app", OWN.values(), ids=OWN)
def test_own_objects(lab: Lab, app: str) -> None:
    lab.assert_silent(TASK + app, "POST /orders", "POST /orders")


def test_run_by_hand_in_tests(lab: Lab) -> None:
    test = """
    TASK = BackgroundTask(send)
    @pytest.mark.parametrize("number", [1, 2])
    def test_it(number):
        asyncio.run(TASK())
    """
    lab.assert_silent(TASK, test=test)
