"""BG101: the call cannot bind to the task's signature."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASK = """
def send(to: str, retries: int = 3) -> None: ...
"""


@pytest.mark.parametrize(
    "call",
    ["send", "send, 'a', 1, 2", "send, 'a', colour='red'", "send, to='a', retires=1"],
    ids=["missing", "too many", "unknown name", "typo"],
)
def test_wrong_call(lab: Lab, call: str) -> None:
    finding = lab.assert_found(
        "BG101", TASK + endpoint(f"tasks.add_task({call})"), "POST /orders", line="add_task"
    )
    assert finding["evidence"] == [("signature", "send(to: str, retries: int = 3) -> None")]
    assert finding["task"].startswith("send(")


SHAPES = """
import functools

class Mailer:
    def send(self, to): ...
    @classmethod
    def make(cls, to): ...
    @staticmethod
    def check(to): ...

class Sender:
    def __init__(self, to): ...

class Callable:
    def __call__(self, to): ...

def rest(*args, **kwargs): ...

def sent(to, *, how): ...

def with_session(func):
    @functools.wraps(func)
    def inner(*args, **kwargs):
        return func(*args, session=object(), **kwargs)
    return inner

def passed_on(func):
    @functools.wraps(func)
    def inner(*args, **kwargs):
        return func(*args, **kwargs)
    return inner

@with_session
def store(item, session): ...

@passed_on
def note(item): ...

async def later(to): ...
"""


@pytest.mark.parametrize(
    "call",
    [
        "functools.partial(sent, 'a')",
        "functools.partial(sent, 'a', how='x'), 'b'",
        "Mailer().send",
        "Mailer.make",
        "Mailer.check, 1, 2",
        "Sender",
        "Callable()",
        "later",
        "lambda: None, 1",
        "note, 1, 2",
        "note",
    ],
)
def test_wrong_call_of_any_callable(lab: Lab, call: str) -> None:
    lab.assert_found("BG101", SHAPES + endpoint(f"tasks.add_task({call})"), "POST /orders")


@pytest.mark.parametrize(
    "call",
    [
        "functools.partial(sent, how='x'), 'a'",
        "Mailer().send, 'a'",
        "Mailer.make, to='a'",
        "Mailer.check, 'a'",
        "Sender, 'a'",
        "Callable(), 'a'",
        "rest, 1, 2, a=3",
        "store, 1",
        "note, 1",
        "print, 'a', 'b'",
        "dict.update, {}, a=1",
        "lambda *args: None, 1",
        "later, 'a'",
    ],
)
def test_right_call_of_any_callable(lab: Lab, call: str) -> None:
    lab.assert_silent(SHAPES + endpoint(f"tasks.add_task({call})"), "POST /orders")


def test_type_error_of_the_task_itself_is_no_wrong_call(lab: Lab) -> None:
    task = "def send(to):\n    return to + 1\n"
    lab.assert_found("BG201", task + endpoint("tasks.add_task(send, 'a')"), "POST /orders")


def test_type_error_inside_of_a_decorated_task_is_no_wrong_call(lab: Lab) -> None:
    task = SHAPES + "@with_session\ndef broken(item, session):\n    return item + 'a'\n"
    lab.assert_found("BG201", task + endpoint("tasks.add_task(broken, 1)"), "POST /orders")


def test_wrong_call_through_a_background_task(lab: Lab) -> None:
    app = TASK + (
        "@app.post('/orders')\nasync def create():\n"
        "    return JSONResponse({}, background=BackgroundTask(send))\n"
    )
    lab.assert_found("BG101", app, "POST /orders", line="BackgroundTask(send)")


def test_expected_wrong_call_is_found_all_the_same(lab: Lab) -> None:
    test = """
    def test_it():
        with pytest.raises(TypeError):
            TestClient(app).post("/orders")
    """
    lab.assert_found("BG101", TASK + endpoint("tasks.add_task(send)"), test=test)
