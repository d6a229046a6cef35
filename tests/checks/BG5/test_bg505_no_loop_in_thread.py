"""BG505: a `def` task asks for an event loop, and its worker thread has none."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from loop_clients import RESPONSE_FIRST, TRIO, UVLOOP, needs_trio

HELPER = """
import anyio, sys
jobs = []
async def other(): ...
"""

FAULTY = {
    "get_event_loop": "asyncio.get_event_loop()",
    "get_running_loop": "asyncio.get_running_loop()",
    "call on a loop": "asyncio.get_event_loop().call_soon(print)",
    "create_task": "coroutine = other(); jobs.append(coroutine); asyncio.create_task(coroutine)",
    "ensure_future": "one = other(); jobs.append(one); asyncio.ensure_future(one)",
    "task group of anyio": "anyio.create_task_group()",
    "raised from": (
        "try:\n    asyncio.get_running_loop()\nexcept RuntimeError as error:\n"
        "    raise ValueError('not here') from error"
    ),
}


def task(body: str, kind: str = "def") -> str:
    return f"{HELPER}\n{kind} work():\n{indent(body, '    ')}\n" + endpoint("tasks.add_task(work)")


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_found(lab: Lab, body: str) -> None:
    finding = lab.assert_found("BG505", task(body), "POST /orders", line="add_task(work)")
    evidence = dict(finding["evidence"])
    assert evidence["raised"].endswith(" in work")
    assert "loop" in evidence["error"] or "async" in evidence["error"]


def test_found_where_the_test_expects_the_error(lab: Lab) -> None:
    test = """
    def test_it():
        with pytest.raises(RuntimeError):
            TestClient(app).post("/orders")
    """
    lab.assert_found("BG505", task("asyncio.get_running_loop()"), test=test)


def test_message(lab: Lab) -> None:
    finding = lab.assert_found("BG505", task("asyncio.get_running_loop()"), "POST /orders")
    assert finding["message"] == (
        "work runs in a worker thread, which has no event loop: no running event loop."
    )


SILENT = {
    "loop of its own": "asyncio.run(other())",
    "call into the loop": "anyio.from_thread.run(other)",
    "asked and done without": (
        "try:\n    asyncio.get_running_loop()\nexcept RuntimeError:\n    asyncio.run(other())"
    ),
    "new loop": "loop = asyncio.new_event_loop(); loop.run_until_complete(other()); loop.close()",
    "loop set": (
        "loop = asyncio.new_event_loop(); asyncio.set_event_loop(loop)\n"
        "asyncio.get_event_loop().run_until_complete(other())\n"
        "asyncio.set_event_loop(None); loop.close()"
    ),
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(task(body), "POST /orders")


def test_async_task_is_silent(lab: Lab) -> None:
    lab.assert_silent(task("await asyncio.create_task(other())", "async def"), "POST /orders")


def test_another_error_after_the_question_is_not_it(lab: Lab) -> None:
    body = "try:\n    asyncio.get_running_loop()\nexcept RuntimeError:\n    raise KeyError('x')"
    lab.assert_found("BG201", task(body), "POST /orders")


@pytest.mark.parametrize("test", [RESPONSE_FIRST, UVLOOP, pytest.param(TRIO, marks=needs_trio)])
def test_every_client_and_loop(lab: Lab, test: str) -> None:
    lab.assert_found("BG505", task("asyncio.get_running_loop()"), test=test)
