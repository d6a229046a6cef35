"""BG203: a task was cancelled from outside before it had ended."""

from __future__ import annotations

import sys

import pytest
from checks_lab import Lab, endpoint

LIMIT = """
import anyio

class Limit:
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with anyio.CancelScope() as cancel:
            scope["cancel"] = cancel.cancel
            await self.app(scope, receive, send)

app.add_middleware(Limit)
"""

OUTSIDE = {
    "async task": """
async def report(cancel):
    cancel()
    await anyio.sleep(1)
""",
    "asyncio": """
async def report(cancel):
    cancel()
    await asyncio.Event().wait()
""",
}

ENDPOINT = """
from starlette.requests import Request
@app.post("/reports")
async def create(request: Request, tasks: BackgroundTasks):
    tasks.add_task(report, request.scope["cancel"])
"""


@pytest.mark.parametrize("task", OUTSIDE.values(), ids=OUTSIDE)
def test_cancelled_by_a_limit_around(lab: Lab, task: str) -> None:
    finding = lab.assert_found("BG203", LIMIT + task + ENDPOINT, "POST /reports", line="add_task")
    assert finding["level"] == "warning"


def test_cancelled_by_cancelling_the_request(lab: Lab) -> None:
    app = "async def report():\n    started.set()\n    await asyncio.Event().wait()\n"
    app += endpoint("tasks.add_task(report)")
    test = """
    import httpx
    def test_it():
        async def main():
            global started
            started = asyncio.Event()
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                request = asyncio.create_task(client.post("/orders"))
                await started.wait()
                request.cancel()
                await asyncio.wait([request])
        asyncio.run(main())
    """
    lab.assert_found("BG203", app, test=test)


OWN = {
    "a limit of its own": """
async def report(cancel):
    with anyio.CancelScope() as own:
        own.cancel()
        await anyio.sleep(1)
""",
    "asyncio.wait_for": """
async def report(cancel):
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 0)
    except asyncio.TimeoutError:
        pass
""",
    "a child cancelled and handled": """
async def report(cancel):
    child = asyncio.create_task(asyncio.sleep(1))
    child.cancel()
    try:
        await child
    except asyncio.CancelledError:
        pass
""",
}


@pytest.mark.parametrize("task", OWN.values(), ids=OWN)
def test_own_limits(lab: Lab, task: str) -> None:
    lab.assert_silent(LIMIT + task + ENDPOINT, "POST /reports")


ASKED_FOR = {
    "raised": "async def report(cancel):\n    raise asyncio.CancelledError\n",
    "a child cancelled and awaited": """
async def report(cancel):
    child = asyncio.create_task(asyncio.sleep(1))
    child.cancel()
    await child
""",
}

NO_CANCELLING = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="asyncio tells who cancelled since Python 3.11"
)


@pytest.mark.parametrize(
    "task",
    [
        pytest.param(ASKED_FOR["raised"], id="raised"),
        pytest.param(ASKED_FOR["a child cancelled and awaited"], id="child", marks=NO_CANCELLING),
    ],
)
def test_asked_for_by_the_task(lab: Lab, task: str) -> None:
    test = """
    def test_it():
        with pytest.raises(BaseException):
            TestClient(app).post("/reports")
    """
    lab.assert_silent(LIMIT + task + ENDPOINT, test=test)


def test_injected(lab: Lab) -> None:
    app = "async def report():\n    await asyncio.sleep(0)\n" + endpoint("tasks.add_task(report)")
    test = """
    def test_it(bgtasks):
        with bgtasks.client(app) as client:
            bgtasks.cancel(report)
            client.post("/orders")
    """
    lab.assert_silent(app, test=test)
