"""BG103: scheduled in a request and never run."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from checks_lab import Lab, endpoint

FASTAPI = tuple(map(int, version("fastapi").split(".")[:2]))
TASK = "def send(): ...\n"

LOSERS = {
    "handler raised": endpoint("tasks.add_task(send)\nraise ValueError('no')"),
    "http exception": endpoint("tasks.add_task(send)\nraise HTTPException(404)"),
    "dependency raised": """
def refuse():
    raise HTTPException(403)
def audited(tasks: BackgroundTasks):
    tasks.add_task(send)
@app.post("/orders", dependencies=[Depends(audited), Depends(refuse)])
async def create(): ...
""",
    "invalid response": """
from pydantic import BaseModel
class Order(BaseModel):
    number: int
@app.post("/orders", response_model=Order)
async def create(tasks: BackgroundTasks):
    tasks.add_task(send)
    return {"number": "many"}
""",
    "own background": """
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    tasks.add_task(send)
    return JSONResponse({}, background=BackgroundTask(print))
""",
    "never attached": """
@app.post("/orders")
async def create():
    BackgroundTask(send)
    return JSONResponse({})
""",
    "group never attached": """
@app.post("/orders")
async def create():
    tasks = StarletteTasks()
    tasks.add_task(send)
    return JSONResponse({})
""",
    "stream aborted": """
from starlette.responses import StreamingResponse
def rows():
    yield b"a"
    raise ValueError("no more")
@app.post("/orders")
async def create():
    return StreamingResponse(rows(), background=BackgroundTask(send))
""",
}


@pytest.mark.parametrize("app", LOSERS.values(), ids=LOSERS)
def test_lost(lab: Lab, app: str) -> None:
    finding = lab.assert_found("BG103", TASK + app, "POST /orders", line="send)")
    assert finding["message"].startswith("send was scheduled and never ran: ")


AFTER_YIELD = """
def audited(tasks: BackgroundTasks):
    yield
    tasks.add_task(send)
@app.post("/orders", dependencies=[Depends(audited)])
async def create(): ...
"""
BEFORE_THE_RESPONSE = (0, 106) <= FASTAPI < (0, 118)


def test_added_after_the_yield_of_a_dependency(lab: Lab) -> None:
    if BEFORE_THE_RESPONSE:
        lab.assert_silent(TASK + AFTER_YIELD, "POST /orders")
    else:
        lab.assert_found("BG103", TASK + AFTER_YIELD, "POST /orders", line="send)")


def test_websocket(lab: Lab) -> None:
    app = """
    from fastapi import WebSocket
    @app.websocket("/ws")
    async def talk(socket: WebSocket, tasks: BackgroundTasks):
        await socket.accept()
        tasks.add_task(print)
        await socket.close()
    """
    test = """
    def test_it():
        with TestClient(app).websocket_connect("/ws"):
            pass
    """
    finding = lab.assert_found("BG103", app, test=test)
    assert finding["request"]["method"] == "WEBSOCKET"


KEPT = {
    "error response that is returned": endpoint(
        "tasks.add_task(send)\nreturn JSONResponse({}, 400)"
    ),
    "empty group": endpoint("return {}"),
    "dependency": """
def audited(tasks: BackgroundTasks):
    tasks.add_task(send)
@app.post("/orders", dependencies=[Depends(audited)])
async def create(): ...
""",
    "group of its own": """
@app.post("/orders")
async def create():
    tasks = StarletteTasks()
    tasks.add_task(send)
    return JSONResponse({}, background=tasks)
""",
    "group in a group": """
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    inner = StarletteTasks([BackgroundTask(send)])
    tasks.add_task(inner)
""",
    "run by hand": """
@app.post("/orders")
async def create():
    await BackgroundTask(send)()
""",
    "run by hand later": """
started = set()
async def tell(): ...
@app.post("/orders")
async def create():
    task = asyncio.create_task(BackgroundTask(tell)())
    started.add(task)
    await asyncio.sleep(0)
""",
}


@pytest.mark.parametrize("app", KEPT.values(), ids=KEPT)
def test_kept(lab: Lab, app: str) -> None:
    lab.assert_silent(TASK + app, "POST /orders", "POST /orders")


SENDER = TASK + endpoint("tasks.add_task(send)\nraise HTTPException(404)")
BY_HAND = {
    "group of a test": "def test_it():\n    BackgroundTasks().add_task(send)\n",
    "task of a test": "def test_it():\n    BackgroundTask(send)\n",
    "parameter of a function under test": """
def helper(tasks):
    tasks.add_task(send)
def test_it():
    tasks = BackgroundTasks()
    helper(tasks)
    assert tasks.tasks[0].func is send
""",
    "add_task mocked": """
def test_it(monkeypatch):
    monkeypatch.setattr(BackgroundTasks, "add_task", lambda *args: None)
    TestClient(app).post("/orders")
""",
    "add_task mocked by unittest": """
from unittest.mock import patch
def test_it():
    with patch("fastapi.BackgroundTasks.add_task") as add_task:
        TestClient(app).post("/orders")
    add_task.assert_called_once_with(send)
""",
    "dropped": """
def test_it(bgtasks):
    with bgtasks.drop():
        TestClient(app).post("/kept")
    assert len(bgtasks) == 1
""",
    "call of the group patched": """
def test_it(monkeypatch):
    async def nothing(self): ...
    monkeypatch.setattr(BackgroundTasks, "__call__", nothing)
    TestClient(app).post("/kept")
""",
    "call of the task patched": """
def test_it(monkeypatch):
    async def nothing(self): ...
    monkeypatch.setattr(BackgroundTask, "__call__", nothing)
    TestClient(app).post("/kept")
""",
}


@pytest.mark.parametrize("test", BY_HAND.values(), ids=BY_HAND)
def test_what_tests_do_by_hand(lab: Lab, test: str) -> None:
    lab.assert_silent(SENDER + endpoint("tasks.add_task(send)", "/kept"), test=test)
