"""BG205: a task caught its cancellation and did not raise it again."""

from __future__ import annotations

import sys

import pytest
from checks_lab import Lab, endpoint

needs_monitoring = pytest.mark.skipif(sys.version_info < (3, 12), reason="needs sys.monitoring")

HELPERS = """
import logging
from contextlib import suppress

import anyio
import httpx

log = logging.getLogger("app")
under_way = []

async def wait(seconds=60):
    under_way[-1].set()
    await asyncio.sleep(seconds)

async def main():
    under_way.append(asyncio.Event())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        call = asyncio.create_task(client.post("/orders"))
        await under_way[-1].wait()
        call.cancel()
        await asyncio.wait([call])
"""
TEST = "def test_it():\n    asyncio.run(main())\n"


def app_with(body: str) -> str:
    """Write an app whose task `work` has a body; the test cancels it once it waits."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return f"{HELPERS}\nasync def work():\n{lines}" + endpoint("tasks.add_task(work)")


FAULTY = {
    "CancelledError": "try:\n    await wait()\nexcept asyncio.CancelledError:\n    pass",
    "logged": "try:\n    await wait()\nexcept asyncio.CancelledError:\n    log.info('stopped')",
    "bare": "try:\n    await wait()\nexcept:\n    log.exception('failed')",
    "BaseException": "try:\n    await wait()\nexcept BaseException as error:\n    print(error)",
    "anyio's": (
        "try:\n    await wait()\nexcept anyio.get_cancelled_exc_class():\n    print('stopped')"
    ),
    "suppress": "with suppress(asyncio.CancelledError):\n    await wait()",
    "in a tuple": (
        "try:\n    await wait()\nexcept (OSError, asyncio.CancelledError):\n    print('stopped')"
    ),
    "in a loop that goes on": (
        "for _ in range(2):\n    try:\n        await wait(0 if _ else 60)\n"
        "    except BaseException:\n        log.exception('failed')"
    ),
    "in a helper": (
        "async def helper():\n    try:\n        await wait()\n"
        "    except asyncio.CancelledError:\n        return\nawait helper()"
    ),
}


@needs_monitoring
@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_caught_and_not_raised_again(lab: Lab, body: str) -> None:
    finding = lab.assert_found("BG205", app_with(body), test=TEST, line="add_task(work)")
    where = "helper" if "helper" in body else "work"
    assert finding["message"] == (
        f"{where} caught the cancellation of work and did not raise it again."
    )
    assert dict(finding["evidence"])["the task"] == "succeeded"


@needs_monitoring
def test_ended_by_another_error(lab: Lab) -> None:
    body = "try:\n    await wait()\nexcept BaseException:\n    pass\nraise ValueError('no stock')"
    outcome = lab.run(app_with(body), test=TEST)
    assert "BG205" in outcome.codes


RAISED_AGAIN = {
    "raise": "try:\n    await wait()\nexcept asyncio.CancelledError:\n    print('x')\n    raise",
    "finally": "try:\n    await wait()\nfinally:\n    print('x')",
    "Exception": "try:\n    await wait()\nexcept Exception:\n    pass",
    "another context manager": "with suppress(Exception):\n    await wait()",
}


@pytest.mark.parametrize("body", RAISED_AGAIN.values(), ids=RAISED_AGAIN)
def test_raised_again(lab: Lab, body: str) -> None:
    outcome = lab.run(app_with(body), test=TEST)
    assert outcome.codes == ["BG203"]  # the task was cancelled, and says so


SILENT = {
    "an inner time-out": (
        "try:\n    await asyncio.wait_for(asyncio.sleep(60), 0.001)\n"
        "except (TimeoutError, asyncio.TimeoutError):\n    print('late')"
    ),
    "a scope that is left": "with anyio.move_on_after(0.001):\n    await asyncio.sleep(60)",
    "a scope that is cancelled": (
        "with anyio.CancelScope() as scope:\n    scope.cancel()\n    await anyio.sleep(60)"
    ),
    "a child that is cancelled and awaited": (
        "child = asyncio.create_task(asyncio.sleep(60))\nawait asyncio.sleep(0)\nchild.cancel()\n"
        "with suppress(asyncio.CancelledError):\n    await child"
    ),
    "a child that ends when asked to": (
        "async def serve():\n    try:\n        await asyncio.sleep(60)\n"
        "    except asyncio.CancelledError:\n        print('stopped')\n"
        "child = asyncio.create_task(serve())\nawait asyncio.sleep(0)\nchild.cancel()\nawait child"
    ),
    "a task group of its own": (
        "async with anyio.create_task_group() as group:\n"
        "    group.start_soon(asyncio.sleep, 60)\n    await asyncio.sleep(0)\n"
        "    group.cancel_scope.cancel()"
    ),
}
SINCE_311 = {
    "asyncio.timeout": (
        "try:\n    async with asyncio.timeout(0.001):\n        await asyncio.sleep(60)\n"
        "except TimeoutError:\n    print('late')"
    ),
    "uncancel": (
        "me = asyncio.current_task()\nme.cancel()\ntry:\n    await asyncio.sleep(60)\n"
        "except asyncio.CancelledError:\n    me.uncancel()"
    ),
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(app_with(body), "POST /orders")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio has neither")
@pytest.mark.parametrize("body", SINCE_311.values(), ids=SINCE_311)
def test_protocols_of_asyncio(lab: Lab, body: str) -> None:
    lab.assert_silent(app_with(body), "POST /orders")


@needs_monitoring
def test_under_a_middleware_whose_client_leaves(lab: Lab) -> None:
    app = """
import logging
from starlette.middleware.base import BaseHTTPMiddleware

class Passing(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        return await call_next(request)

async def work():
    try:
        await asyncio.sleep(60)
    except BaseException:
        logging.getLogger("app").exception("failed")
""" + endpoint("tasks.add_task(work)")
    test = """
    import anyio
    def test_it():
        async def main():
            with anyio.move_on_after(0.05):
                scope = {"type": "http", "method": "POST", "path": "/orders", "headers": [],
                         "query_string": b"", "root_path": ""}
                async def receive():
                    return {"type": "http.request", "body": b"", "more_body": False}
                async def send(message): ...
                await app(scope, receive, send)
        anyio.run(main)
    """
    lab.assert_found("BG205", app, test=test)
