"""BG102: something that cannot be called is scheduled."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASKS = """
import functools

def send(): ...
async def later(): ...
def counted(): yield 1
class Service:
    def __call__(self): ...
class Sender:
    def __init__(self): ...
class Rows(list): ...
"""


@pytest.mark.parametrize(
    ("thing", "described"),
    [
        ("send()", "None"),
        ("later()", "the coroutine of later()"),
        ("counted()", "the generator of counted()"),
        ("{'a': 1}", "a dict"),
        ("Rows()", "a Rows"),
        ("1", "an int"),
    ],
)
def test_result_instead_of_function(lab: Lab, thing: str, described: str) -> None:
    finding = lab.assert_found(
        "BG102", TASKS + endpoint(f"tasks.add_task({thing})"), "POST /orders", line="add_task"
    )
    assert finding["message"] == f"{described} was scheduled as a task; it cannot be called."


@pytest.mark.parametrize(
    "thing", ["send", "later", "Service()", "Sender", "functools.partial(send)", "lambda: None"]
)
def test_anything_callable(lab: Lab, thing: str) -> None:
    lab.assert_silent(TASKS + endpoint(f"tasks.add_task({thing})"), "POST /orders")
