"""BG106: a synchronous callable that returns a coroutine, or a generator function."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASKS = """
import functools

async def send(to): ...

def wrapped(to):
    return send(to)

class Sender:
    def __call__(self, to):
        return send(to)

def lines(to):
    yield to

async def chunks(to):
    yield to

def plain_wrapper(func):
    @functools.wraps(func)
    def inner(*args):
        return func(*args)
    return inner

decorated = plain_wrapper(send)
"""


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ("lambda: send('a')", "a coroutine"),
        ("wrapped, 'a'", "a coroutine"),
        ("Sender(), 'a'", "a coroutine"),
        ("decorated, 'a'", "a coroutine"),
        ("lines, 'a'", "a generator"),
        ("functools.partial(lines, 'a')", "a generator"),
        ("chunks, 'a'", "an async generator"),
    ],
)
def test_a_body_that_never_runs(lab: Lab, call: str, kind: str) -> None:
    finding = lab.assert_found(
        "BG106", TASKS + endpoint(f"tasks.add_task({call})"), "POST /orders", line="add_task"
    )
    assert f" returned {kind} that nobody runs: the task did nothing." in finding["message"]


@pytest.mark.parametrize(
    "call",
    [
        "send, 'a'",
        "functools.partial(send, 'a')",
        "lambda: None",
        "lambda: {'a': 1}",
        "lambda: [1, 2]",
        "lambda: iter([1])",
        "lambda: asyncio.run(send('a'))",
        "list, lines('a')",
        "Sender",
    ],
)
def test_what_runs_or_returns_data(lab: Lab, call: str) -> None:
    tasks = TASKS.replace("class Sender:", "class Sender:\n    def __init__(self, *a): ...\n")
    call = call if call != "Sender" else "Sender, 'a'"
    lab.assert_silent(tasks + endpoint(f"tasks.add_task({call})"), "POST /orders")
