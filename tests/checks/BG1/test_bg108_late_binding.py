"""BG108: a captured variable was rebound between scheduling and run."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASKS = """
class User:
    def __init__(self, name): self.name = name

def send(user): ...
"""

FAULTY = {
    "a lambda in a loop": """
        for user in ("ada", "grace"):
            tasks.add_task(lambda: send(user))
    """,
    "objects": """
        for user in (User("ada"), User("grace")):
            tasks.add_task(lambda: send(user))
    """,
    "an async closure": """
        for user in ("ada", "grace"):
            async def work():
                send(user)
            tasks.add_task(work)
    """,
    "reused later": """
        user = "ada"
        tasks.add_task(lambda: send(user))
        user = "grace"
    """,
    "in a partial": """
        import functools
        for user in ("ada", "grace"):
            tasks.add_task(functools.partial(lambda n: send(user), 1))
    """,
}

CORRECT = {
    "an argument": """
        for user in ("ada", "grace"):
            tasks.add_task(send, user)
    """,
    "a default": """
        for user in ("ada", "grace"):
            tasks.add_task(lambda user=user: send(user))
    """,
    "a closure that stays": """
        user = "ada"
        tasks.add_task(lambda: send(user))
    """,
    "bound on purpose after scheduling": """
        tasks.add_task(lambda: send(user))
        user = "ada"
    """,
    "rebound to an equal value": """
        user = ["ada"]
        tasks.add_task(lambda: send(user))
        user = ["ada"]
    """,
    "changed by an earlier task": """
        done = False
        def work():
            nonlocal done
            done = True
        tasks.add_task(work)
        tasks.add_task(lambda: send(done))
    """,
    "changed by its own task": """
        count = 0
        def work():
            nonlocal count
            count += 1
        tasks.add_task(work)
    """,
}


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_a_variable_that_moved_on(lab: Lab, body: str) -> None:
    finding = lab.assert_found("BG108", TASKS + endpoint(body), "POST /orders", line="add_task")
    assert "closes over user, which was rebound before the task ran." in finding["message"]


@pytest.mark.parametrize("body", CORRECT.values(), ids=CORRECT)
def test_a_variable_that_stays(lab: Lab, body: str) -> None:
    lab.assert_silent(TASKS + endpoint(body), "POST /orders")
