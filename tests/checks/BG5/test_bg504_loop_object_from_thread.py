"""BG504: an object of an event loop used from a worker thread."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from loop_clients import ASYNC_RESPONSE_FIRST, ASYNCIO, RESPONSE_FIRST

HELPER = """
import anyio, queue as plain, threading
async def other(): ...
kept = []
"""

FAULTY = {
    "queue": ("asyncio.Queue.put_nowait", "app.state.queue.put_nowait(1)"),
    "event": ("asyncio.Event.set", "app.state.event.set()"),
    "lock": ("asyncio.Lock.release", "app.state.lock.release()"),
    "call_soon": ("loop.call_soon", "app.state.loop.call_soon(print)"),
    "call_later": ("loop.call_later", "app.state.loop.call_later(0, print)"),
    "asyncio task": ("loop.create_task", "kept.append(app.state.loop.create_task(other()))"),
    "future that is awaited": ("loop.call_soon", "app.state.future.set_result(1)"),
}
ENDPOINT = """
app.state.loop = asyncio.get_running_loop()
app.state.queue, app.state.event, app.state.lock = asyncio.Queue(), asyncio.Event(), asyncio.Lock()
await app.state.lock.acquire()
app.state.future = app.state.loop.create_future()
app.state.future.add_done_callback(print)
tasks.add_task(work)
"""


def task(body: str, kind: str = "def") -> str:
    return f"{HELPER}\n{kind} work():\n{indent(body, '    ')}\n" + endpoint(ENDPOINT)


@pytest.mark.parametrize(("call", "body"), FAULTY.values(), ids=FAULTY)
def test_found(lab: Lab, call: str, body: str) -> None:
    outcome = lab.run(task(body), test=ASYNCIO, select="BG504")
    [finding] = outcome.findings
    evidence = dict(finding["evidence"])
    assert evidence["calls"] == call
    assert evidence["at"].endswith(" in work")


@pytest.mark.parametrize(("call", "body"), FAULTY.values(), ids=FAULTY)
def test_async_task_is_silent(lab: Lab, call: str, body: str) -> None:
    outcome = lab.run(task(body, "async def"), "POST /orders", select="BG504")
    assert outcome.findings == []


SILENT = {
    "call_soon_threadsafe": ("app.state.loop.call_soon_threadsafe(app.state.queue.put_nowait, 1)"),
    "run_coroutine_threadsafe": (
        "asyncio.run_coroutine_threadsafe(app.state.queue.put(1), app.state.loop).result()"
    ),
    "anyio.from_thread": "anyio.from_thread.run(app.state.queue.put, 1)",
    "anyio.from_thread.run_sync": "anyio.from_thread.run_sync(app.state.event.set)",
    "queue of threads": "plain.Queue().put(1)",
    "event of threads": "threading.Event().set()",
    "loop of its own": (
        "async def main():\n    own = asyncio.Queue(); own.put_nowait(1); await own.get()\n"
        "    await asyncio.create_task(other())\n"
        "asyncio.run(main())"
    ),
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(task(body), "POST /orders")


@pytest.mark.parametrize("test", [RESPONSE_FIRST, ASYNC_RESPONSE_FIRST])
def test_every_client(lab: Lab, test: str) -> None:
    lab.assert_found("BG504", task("app.state.queue.put_nowait(1)"), test=test)
    lab.assert_silent(task(SILENT["call_soon_threadsafe"]), test=test)
