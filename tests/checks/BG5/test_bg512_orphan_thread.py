"""BG512: a thread, an executor or a job that a task leaves running."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from loop_clients import EVERYWHERE

HELPER = """
import threading, time
from concurrent.futures import ThreadPoolExecutor
go = threading.Event()
kept = []
pool = ThreadPoolExecutor(2)
@pytest.fixture(autouse=True)
def release():
    yield
    go.set()
    for one in kept:
        one.shutdown() if hasattr(one, "shutdown") else one.join()
    pool.shutdown()
def keep(one):
    kept.append(one)
    return one
"""

FAULTY = {
    "thread": "keep(threading.Thread(target=go.wait)).start()",
    "daemon": "keep(threading.Thread(target=go.wait, daemon=True)).start()",
    "timer": "timer = keep(threading.Timer(60, print)); timer.start(); kept[0].join = timer.cancel",
    "executor": "keep(ThreadPoolExecutor()).submit(go.wait)",
    "idle executor": "keep(ThreadPoolExecutor()).submit(print).result()",
}


def task(body: str, kind: str = "def") -> str:
    return f"{HELPER}\n{kind} work():\n{indent(body, '    ')}\n" + endpoint("tasks.add_task(work)")


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_found(lab: Lab, body: str) -> None:
    finding = lab.assert_found("BG512", task(body), "POST /orders", line="add_task(work)")
    assert dict(finding["evidence"])["started"].endswith(" in work")


def test_found_in_an_async_task(lab: Lab) -> None:
    lab.assert_found("BG512", task(FAULTY["thread"], "async def"), "POST /orders")


def test_job_of_the_loop_that_nobody_awaits(lab: Lab) -> None:
    body = "asyncio.get_running_loop().run_in_executor(None, go.wait)"
    test = """
    def test_it():
        import sys
        if sys.version_info < (3, 14):  # anyio 3 leaves uvloop's policy behind
            asyncio.set_event_loop_policy(None)
        with TestClient(app, backend_options={"use_uvloop": False}) as client:
            client.post("/orders")
            go.set()
    """
    finding = lab.assert_found("BG512", task(body, "async def"), test=test)
    assert "job" in dict(finding["evidence"])


SILENT = {
    "joined": ("one = threading.Thread(target=print); one.start(); one.join()", "def"),
    "executor in with": ("with ThreadPoolExecutor() as one: one.submit(print)", "def"),
    "pool of the app": ("pool.submit(print).result()", "def"),
    "pool of the app, async": (
        "await asyncio.get_running_loop().run_in_executor(pool, print)",
        "async def",
    ),
    "thread that ends by itself": (
        "one = threading.Thread(target=print); one.start()\none.join()",
        "def",
    ),
    "to_thread": ("await asyncio.to_thread(print)", "async def"),
    "worker thread of anyio": ("import anyio\nawait anyio.to_thread.run_sync(print)", "async def"),
}


@pytest.mark.parametrize(("body", "kind"), SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str, kind: str) -> None:
    lab.assert_silent(task(body, kind), "POST /orders")


@pytest.mark.parametrize("test", EVERYWHERE)
def test_every_client_and_loop(lab: Lab, test: str) -> None:
    lab.assert_found("BG512", task(FAULTY["thread"]), test=test)
    lab.assert_silent(task(SILENT["joined"][0]), test=test)
