"""BG511: an asyncio task that a task has started, and that runs on after it."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from loop_clients import ASYNCIO, ON_ASYNCIO, UVLOOP

HELPER = """
import contextlib
kept = set()
async def other():
    await asyncio.sleep(60)
async def quick():
    await asyncio.sleep(0)
async def boom():
    raise KeyError("x")
"""

FAULTY = {
    "create_task": "kept.add(asyncio.create_task(other()))",
    "create_task of the loop": "kept.add(asyncio.get_running_loop().create_task(other()))",
    "ensure_future": "kept.add(asyncio.ensure_future(other()))",
    "set of background tasks": (
        "one = asyncio.create_task(other()); kept.add(one); one.add_done_callback(kept.discard)"
    ),
    "not yet begun": "kept.add(asyncio.create_task(quick()))",
    "shielded": (
        "one = asyncio.ensure_future(other()); kept.add(one)\n"
        "with contextlib.suppress(asyncio.TimeoutError):\n"
        "    await asyncio.wait_for(asyncio.shield(one), 0.001)"
    ),
    "first of several": (
        "one, two = asyncio.create_task(quick()), asyncio.create_task(other()); kept.add(two)\n"
        "await asyncio.wait([one, two], return_when=asyncio.FIRST_COMPLETED)"
    ),
    "gather that failed": (
        "with contextlib.suppress(KeyError): await asyncio.gather(boom(), other())"
    ),
}


def task(body: str) -> str:
    return f"{HELPER}\nasync def work():\n{indent(body, '    ')}\n" + endpoint(
        "tasks.add_task(work)"
    )


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_found(lab: Lab, body: str) -> None:
    finding = lab.assert_found("BG511", task(body), test=ASYNCIO, line="add_task(work)")
    evidence = dict(finding["evidence"])
    assert evidence["asyncio task"] in ("other", "quick")
    assert evidence["started"].endswith(" in work")


SILENT = {
    "awaited": "await asyncio.create_task(quick())",
    "gathered": "await asyncio.gather(quick(), quick())",
    "waited for": "await asyncio.wait([asyncio.create_task(quick())])",
    "time-out": (
        "with contextlib.suppress(asyncio.TimeoutError): await asyncio.wait_for(other(), 0.001)"
    ),
    "cancelled and awaited": (
        "one = asyncio.create_task(other()); await asyncio.sleep(0); one.cancel()\n"
        "with contextlib.suppress(asyncio.CancelledError): await one"
    ),
    "cancelled": "one = asyncio.create_task(other()); await asyncio.sleep(0); one.cancel()",
    "task group of anyio": (
        "import anyio\nasync with anyio.create_task_group() as group: group.start_soon(quick)"
    ),
    "thread": "await asyncio.to_thread(print)",
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(task(body), "POST /orders")


def test_worker_of_the_lifespan(lab: Lab) -> None:
    app = """
    import contextlib
    items = []
    async def serve(queue):
        while True:
            items.append(await queue.get())
    @contextlib.asynccontextmanager
    async def lifespan(app):
        app.state.queue = asyncio.Queue()
        worker = asyncio.create_task(serve(app.state.queue))
        yield
        worker.cancel()
    app = FastAPI(lifespan=lifespan)
    async def work():
        await app.state.queue.put(1)
    @app.post("/orders")
    async def create(tasks: BackgroundTasks):
        tasks.add_task(work)
    """
    lab.assert_silent(app, "POST /orders")


def test_task_of_a_library(lab: Lab) -> None:
    package = lab.pytester.mkpydir("site-packages")
    package.joinpath("pooling_library.py").write_text(
        "import asyncio\nkept = []\n"
        "async def connect():\n    kept.append(asyncio.create_task(asyncio.sleep(60)))\n"
    )
    lab.pytester.syspathinsert(package)
    lab.assert_silent(
        "import pooling_library\n" + task("await pooling_library.connect()"), "POST /orders"
    )


@pytest.mark.parametrize("test", [*ON_ASYNCIO, UVLOOP])
def test_every_client(lab: Lab, test: str) -> None:
    lab.assert_found("BG511", task("kept.add(asyncio.create_task(other()))"), test=test)
    lab.assert_silent(task("await asyncio.create_task(quick())"), test=test)
