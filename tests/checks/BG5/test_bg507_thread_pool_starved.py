"""BG507: tasks that wait because all worker threads are taken."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint
from loop_clients import EVERYWHERE

HELPER = """
import anyio, anyio.to_thread
from starlette.concurrency import run_in_threadpool

def limit():
    return anyio.to_thread.current_default_thread_limiter()
async def take():
    # A thread of somebody else: taken now, free when the others have waited.
    limit().total_tokens = 1
    limit().acquire_on_behalf_of_nowait("somebody")
    async def give_back():
        for _ in range(50):
            await asyncio.sleep(0)
        limit().release_on_behalf_of("somebody")
    kept.append(asyncio.ensure_future(give_back()))
kept = []
def quick(): ...
"""
TAKEN = "tasks.add_task(take)\n"


def test_found_at_a_def_task_itself(lab: Lab) -> None:
    app = HELPER + endpoint(TAKEN + "tasks.add_task(quick)")
    (finding,) = lab.run(app, "POST /orders", select="BG507").findings
    assert finding["message"] == "quick waits for a worker thread: all 1 are taken."
    assert finding["evidence"] == [("asks", "to run itself"), ("waiting", "1")]


def test_found_in_an_async_task(lab: Lab) -> None:
    app = f"{HELPER}\nasync def work():\n    await run_in_threadpool(quick)\n"
    (finding,) = lab.run(
        app + endpoint(TAKEN + "tasks.add_task(work)"), "POST /orders", select="BG507"
    ).findings
    assert finding["code"] == "BG507"
    assert dict(finding["evidence"])["asks"].endswith(" in work")


GREEDY = """
async def work():
    limit().total_tokens = 1
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(one)

async def one():
    await run_in_threadpool(quick)
"""


@pytest.mark.parametrize("test", EVERYWHERE)
def test_each_line_once_with_every_client_and_loop(lab: Lab, test: str) -> None:
    app = HELPER + GREEDY + endpoint("tasks.add_task(work)")
    finding = lab.assert_found("BG507", app, test=test)
    assert finding["count"] == 1


def test_silent_where_a_thread_is_free(lab: Lab) -> None:
    app = f"{HELPER}\nasync def work():\n    await run_in_threadpool(quick)\n"
    lab.assert_silent(app + endpoint("tasks.add_task(work)\ntasks.add_task(quick)"), "POST /orders")


def test_silent_with_a_limiter_of_its_own(lab: Lab) -> None:
    work = """
async def work():
    await anyio.to_thread.run_sync(quick, limiter=anyio.CapacityLimiter(1))
"""
    app = HELPER + work + endpoint(TAKEN + "tasks.add_task(work)")
    assert lab.run(app, "POST /orders", select="BG507").findings == []


def test_silent_for_an_endpoint_that_waits(lab: Lab) -> None:
    app = HELPER + endpoint("await take()\nawait run_in_threadpool(quick)")
    lab.assert_silent(app, "POST /orders")
