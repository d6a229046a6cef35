"""BG506: an async task starts an event loop inside the one that runs it."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from loop_clients import ASYNCIO, RESPONSE_FIRST, TRIO, UVLOOP, needs_trio

HELPER = """
import anyio
jobs = []
async def other(): ...
def made():
    jobs.append(other())
    return jobs[-1]
"""

FAULTY = {
    "asyncio.run": "asyncio.run(made())",
    "run_until_complete": "asyncio.get_running_loop().run_until_complete(made())",
    "loop of its own": (
        "loop = asyncio.new_event_loop()\n"
        "try:\n    loop.run_until_complete(made())\nfinally:\n    loop.close()"
    ),
    "anyio.run": "anyio.run(other)",
    "swallowed": "try:\n    asyncio.run(made())\nexcept RuntimeError as error:\n    print(error)",
    "helper": "def helper():\n    asyncio.run(made())\nhelper()",
}


def task(body: str, kind: str = "async def") -> str:
    return f"{HELPER}\n{kind} work():\n{indent(body, '    ')}\n" + endpoint("tasks.add_task(work)")


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_found(lab: Lab, body: str) -> None:
    finding = lab.assert_found("BG506", task(body), test=ASYNCIO, line="add_task(work)")
    evidence = dict(finding["evidence"])
    assert evidence.get("at", evidence.get("raised")).endswith((" in work", " in helper"))


def test_message(lab: Lab) -> None:
    finding = lab.assert_found("BG506", task("asyncio.run(made())"), "POST /orders")
    assert finding["message"] == (
        "work starts an event loop inside a running one: it calls asyncio.run."
    )


SILENT = {
    "def task": ("asyncio.run(other())", "def"),
    "anyio in a def task": ("anyio.run(other)", "def"),
    "thread": ("await asyncio.to_thread(lambda: asyncio.run(other()))", "async def"),
    "await": ("await other()", "async def"),
    "asyncio task": ("await asyncio.create_task(other())", "async def"),
    "loop that is not run": ("asyncio.new_event_loop().close()", "async def"),
}


@pytest.mark.parametrize(("body", "kind"), SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str, kind: str) -> None:
    lab.assert_silent(task(body, kind), "POST /orders")


@pytest.mark.parametrize("test", [RESPONSE_FIRST, UVLOOP])
def test_every_client(lab: Lab, test: str) -> None:
    lab.assert_found("BG506", task("asyncio.run(made())"), test=test)
    body = "asyncio.get_running_loop().run_until_complete(made())"
    # uvloop makes an asyncio task of the coroutine before it refuses: BG511 is right as well
    assert lab.run(task(body), test=test, select="BG506,BG201").codes == ["BG506"]


@needs_trio
@pytest.mark.parametrize("body", ["import trio\ntrio.run(other)", "asyncio.run(other())"])
def test_trio(lab: Lab, body: str) -> None:
    """Inside of trio an asyncio loop does run, and trio's stands still."""
    lab.assert_found("BG506", task(body), test=TRIO)
