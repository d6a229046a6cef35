"""BG110: a chain of tasks without end in sight."""

from __future__ import annotations

from checks_lab import Lab, endpoint

ENDLESS = """
async def poll(tasks):
    tasks.add_task(poll, tasks)
""" + endpoint("tasks.add_task(poll, tasks)")

COUNTED = """
async def count(tasks, left):
    if left:
        tasks.add_task(count, tasks, left - 1)
"""


def test_the_same_call_again_and_again(lab: Lab) -> None:
    test = """
    def test_dropped_in_the_end(bgtasks):
        with bgtasks.client(app) as client:
            with bgtasks.hold() as gate:
                client.post("/orders")
                gate.run_next(); gate.run_next(); gate.run_next()
                drop = bgtasks.drop()
                drop.__enter__()
    """
    finding = lab.assert_found("BG110", ENDLESS, test=test)
    assert finding["message"] == "poll schedules itself without end in sight."
    assert list(map(tuple, finding["evidence"])) == [
        ("chain", "5 generations, the last one is pending")
    ]


def test_a_hundred_generations(lab: Lab) -> None:
    finding = lab.assert_found(
        "BG110", COUNTED + endpoint("tasks.add_task(count, tasks, 120)"), "POST /orders"
    )
    assert finding["evidence"][0][1].startswith("100 generations")


def test_two_generations(lab: Lab) -> None:
    app = """
async def again(tasks, last=False):
    if not last:
        tasks.add_task(again, tasks, True)
"""
    lab.assert_silent(app + endpoint("tasks.add_task(again, tasks)"), "POST /orders")


def test_a_bounded_chain(lab: Lab) -> None:
    lab.assert_silent(COUNTED + endpoint("tasks.add_task(count, tasks, 20)"), "POST /orders")


def test_a_chain_that_ends_by_itself(lab: Lab) -> None:
    app = """
left = [5]
async def poll(tasks):
    left[0] -= 1
    if left[0]:
        tasks.add_task(poll, tasks)
"""
    lab.assert_silent(app + endpoint("tasks.add_task(poll, tasks)"), "POST /orders")
