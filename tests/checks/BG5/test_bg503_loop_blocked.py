"""BG503: the event loop held for long by computation."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from loop_clients import ON_ASYNCIO, TRIO, UVLOOP, needs_trio

HELPER = """
import gc, select, time

def compute(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
async def helper():
    compute(0.3)
class Slow:
    def __init__(self):
        self.me = self
    def __del__(self):
        compute(0.3)
"""

FAULTY = {
    "all of it": "compute(0.3)",
    "after an await": "await asyncio.sleep(0)\ncompute(0.3)",
    "before an await": "compute(0.3)\nawait asyncio.sleep(0)",
    "in what it awaits": "await helper()",
    "before an error": "compute(0.3)\nraise ValueError",
    "after an error": (
        "try:\n    await asyncio.wait_for(asyncio.sleep(60), 0.001)\n"
        "except asyncio.TimeoutError:\n    compute(0.3)"
    ),
}


def task(body: str, kind: str = "async def") -> str:
    return f"{HELPER}\n{kind} work():\n{indent(body, '    ')}\n" + endpoint("tasks.add_task(work)")


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_found(lab: Lab, body: str) -> None:
    outcome = lab.run(task(body), "POST /orders")
    assert outcome.codes == (["BG201", "BG503"] if "raise" in body else ["BG503"])
    finding = next(one for one in outcome.findings if one["code"] == "BG503")
    assert finding["message"].startswith("work held the event loop for 0.")


def test_evidence_names_the_stretch(lab: Lab) -> None:
    body = "await asyncio.sleep(0)\ncompute(0.3)\nawait asyncio.sleep(0)"
    finding = lab.assert_found("BG503", task(body), "POST /orders", line="add_task(work)")
    places = [text.rpartition(":")[2] for _, text in finding["evidence"]]
    first, last = (int(place.split(" ")[0]) for place in places)
    assert last - first == 2


SILENT = {
    "short": "compute(0.001)",
    "long on the wall": "select.select([], [], [], 0.3)",  # as if others had the processor
    "in many steps": "for _ in range(6):\n    compute(0.05)\n    await asyncio.sleep(0)",
    "thread": "await asyncio.to_thread(compute, 0.3)",
    "garbage of others": "one = Slow(); del one; gc.collect()",
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(task(body), "POST /orders")


def test_def_task_is_silent(lab: Lab) -> None:
    lab.assert_silent(task("compute(0.3)", "def"), "POST /orders")


@pytest.mark.parametrize(
    "test", [*ON_ASYNCIO, UVLOOP, pytest.param(TRIO, marks=needs_trio, id="trio")]
)
def test_every_client_and_loop(lab: Lab, test: str) -> None:
    lab.assert_found("BG503", task("compute(0.3)"), test=test)


def test_awaits_go_on_as_they_were(lab: Lab) -> None:
    """Values, errors, cancellation and the end pass through what measures the steps."""
    body = """
loop = asyncio.get_running_loop()
future = loop.create_future()
loop.call_soon(future.set_result, 5)
assert await future == 5
future = loop.create_future()
loop.call_soon(future.set_exception, KeyError("x"))
try:
    await future
except KeyError as error:
    assert error.args == ("x",)
else:
    raise AssertionError
me = asyncio.current_task()
loop.call_soon(me.cancel)
try:
    await asyncio.sleep(60)
except asyncio.CancelledError:
    getattr(me, "uncancel", int)()
await asyncio.sleep(0)
seen.append("done")
"""
    test = """
    def test_it():
        TestClient(app).post("/orders")
        assert seen == ["done"]
    """
    lab.assert_silent("seen = []\n" + task(body), test=test)
