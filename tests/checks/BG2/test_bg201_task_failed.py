"""BG201: a task raised, and the test did not expect it."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

APP = """
class OrderError(Exception): ...

def boom():
    raise ValueError("no stock")

async def later():
    await asyncio.sleep(0)
    raise OrderError("no stock")
""" + endpoint("tasks.add_task(boom)")

LATER = endpoint("tasks.add_task(later)", "/later")


def test_error_behind_a_plain_200(lab: Lab) -> None:
    finding = lab.assert_found("BG201", APP, "POST /orders", line="add_task(boom)")
    evidence = dict(finding["evidence"])
    assert evidence["error"] == "ValueError: no stock"
    assert evidence["client saw"] == "200"
    assert evidence["raised"].endswith("test_case_1.py:14 in boom")
    assert finding["message"] == "boom failed with ValueError, and the test did not expect it."


UNSEEN = {
    "a client that answers 500": """
def test_it():
    TestClient(app, raise_server_exceptions=False).post("/later")
""",
    "an ASGI transport that answers 500": """
import httpx
def test_it():
    async def main():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            await client.post("/later")
    asyncio.run(main())
""",
    "a middleware of the app that catches": """
class Catch:
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        try:
            await self.app(scope, receive, send)
        except OrderError:
            pass
app.add_middleware(Catch)
def test_it():
    TestClient(app).post("/later")
""",
    "a catch in the test around another request": """
def test_it():
    with pytest.raises(ValueError):
        TestClient(app).post("/orders")
    TestClient(app, raise_server_exceptions=False).post("/later")
""",
    "an assertion on the task, not on its failure": """
def test_it(bgtasks):
    TestClient(app, raise_server_exceptions=False).post("/later")
    assert bgtasks.one(later)
    assert len(bgtasks) == 1
""",
}


@pytest.mark.parametrize("test", UNSEEN.values(), ids=UNSEEN)
def test_unseen(lab: Lab, test: str) -> None:
    lab.assert_found("BG201", APP + LATER, test=test, line="add_task(later)")


def test_a_test_that_fails_by_it(lab: Lab) -> None:
    test = "def test_it():\n    TestClient(app).post('/later')\n"
    outcome = lab.run(APP + LATER, test=test)
    assert outcome.codes == ["BG201"]
    outcome.result.assert_outcomes(failed=1)


EXPECTED = {
    "pytest.raises": """
def test_it():
    with pytest.raises(OrderError):
        TestClient(app).post("/later")
""",
    "pytest.raises in a lifespan": """
def test_it():
    with TestClient(app) as client:
        with pytest.raises(OrderError):
            client.post("/later")
""",
    "except": """
def test_it():
    try:
        TestClient(app).post("/later")
    except OrderError:
        pass
""",
    "assertRaises": """
import unittest
class TestIt(unittest.TestCase):
    def test_it(self):
        with self.assertRaises(OrderError):
            TestClient(app).post("/later")
""",
    "suppress": """
import contextlib
def test_it():
    with contextlib.suppress(Exception):
        TestClient(app).post("/later")
""",
    "httpx": """
import httpx
def test_it():
    async def main():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            with pytest.raises(Exception) as caught:
                await client.post("/later")
    asyncio.run(main())
""",
    "a group of errors": """
from starlette.middleware.base import BaseHTTPMiddleware
class Passing(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        return await call_next(request)
app.add_middleware(Passing)
def test_it():
    with pytest.raises(Exception):
        TestClient(app).post("/later")
""",
    "an error that was raised from it": """
class Wrap:
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        try:
            await self.app(scope, receive, send)
        except OrderError as error:
            raise RuntimeError("wrapped") from error
app.add_middleware(Wrap)
def test_it():
    with pytest.raises(RuntimeError):
        TestClient(app).post("/later")
""",
    "an app that is called by hand": """
def test_it():
    async def main():
        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}
        async def send(message): ...
        scope = {"type": "http", "method": "POST", "path": "/later", "headers": [],
                 "query_string": b"", "root_path": ""}
        with pytest.raises(OrderError):
            await app(scope, receive, send)
    asyncio.run(main())
""",
    "injected": """
def test_it(bgtasks):
    client = TestClient(app, raise_server_exceptions=False)
    bgtasks.fail(later, OSError("down"))
    client.post("/later")
""",
    "task.error": """
def test_it(bgtasks):
    TestClient(app, raise_server_exceptions=False).post("/later")
    assert isinstance(bgtasks[0].error, OrderError)
""",
    "task.outcome": """
def test_it(bgtasks):
    TestClient(app, raise_server_exceptions=False).post("/later")
    assert bgtasks.one(later).outcome == "failed"
""",
    "raise_errors": """
def test_it(bgtasks):
    TestClient(app, raise_server_exceptions=False).post("/later")
    with pytest.raises(OrderError):
        bgtasks.raise_errors()
""",
    "a view of the failed": """
def test_it(bgtasks):
    TestClient(app, raise_server_exceptions=False).post("/later")
    assert len(bgtasks.of(outcome="failed")) == 1
""",
    "drain": """
def test_it(bgtasks):
    with bgtasks.client(app) as client, bgtasks.hold() as gate:
        client.post("/later")
        with pytest.raises(OrderError):
            gate.drain()
""",
    "by hand": """
def test_it():
    with pytest.raises(OrderError):
        asyncio.run(BackgroundTask(later)())
""",
}


@pytest.mark.parametrize("test", EXPECTED.values(), ids=EXPECTED)
def test_expected(lab: Lab, test: str) -> None:
    lab.assert_silent(APP + LATER, test=test)


def test_task_that_catches(lab: Lab) -> None:
    task = """
def send():
    try:
        raise ValueError
    except ValueError:
        print("no stock")
"""
    lab.assert_silent(task + endpoint("tasks.add_task(send)"), "POST /orders")
