"""BG303: two tasks share a mutable argument, and one changes it before the other runs."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASKS = """
import functools
from dataclasses import dataclass, field
from pydantic import BaseModel

class Mail(BaseModel):
    to: str
    tags: list[str] = []
    def first(self): return self.tags[0]

@dataclass
class Row:
    number: int

class Names(list): ...

class Box:
    def __init__(self):
        self.items = []

class Mailer:
    def __init__(self):
        self.sent = []
        self.count = 0
    def send(self, to):
        self.sent.append(to)
        self.count += 1

def read(*args, **kwargs):
    repr((args, kwargs))
async def later(x): ...
def append(x, n=1): x.append(n)
async def append_later(x):
    await asyncio.sleep(0)
    x.append(1)
def pop(x): x.pop("to")
def rename(x): x.to = "b"
def tag(x): x.tags.append("b")
def count(x): x.number += 1
def nested(x): x["rows"][0]["n"] = 2
def put(x): x.items.append(1)
def own_copy(x):
    x = list(x)
    x.append(1)
"""

SHARED = {
    "a list": ("x = []", "append, x", "read, x", "x[0]"),
    "an async task": ("x = []", "append_later, x", "later, x", "x[0]"),
    "a dict": ("x = {'to': 'a'}", "pop, x", "read, x", "x['to']"),
    "by keyword": ("x = []", "append, x", "read, mail=x", "x[0]"),
    "a model": ("x = Mail(to='a')", "rename, x", "read, x", "x.to"),
    "in a model": ("x = Mail(to='a')", "tag, x", "read, x.tags", "x.tags[0]"),
    "a dataclass": ("x = Row(1)", "count, x", "read, x", "x.number"),
    "a subclass of list": ("x = Names()", "append, x", "read, x", "x[0]"),
    "nested": ("x = {'rows': [{'n': 1}]}", "nested, x", "read, x['rows']", "x['rows'][0]['n']"),
    "inside of different containers": ("x = []", "append, x", "read, {'x': x}", "x[0]"),
    "an object of the app": ("x = Box()", "put, x", "read, x", "x.items[0]"),
    "in a partial": ("x = []", "functools.partial(append, x)", "read, x", "x[0]"),
    "the same task twice": ("x = []", "append, x", "append, x, 2", "x[0]"),
}


@pytest.mark.parametrize(("make", "first", "second", "path"), SHARED.values(), ids=SHARED)
def test_changed_by_the_earlier_task(
    lab: Lab, make: str, first: str, second: str, path: str
) -> None:
    app = TASKS + endpoint(f"{make}\ntasks.add_task({first})\ntasks.add_task({second})")
    finding = lab.assert_found("BG303", app, "POST /orders", line=f"add_task({first})")
    assert finding["evidence"][0][0] == path


def test_message(lab: Lab) -> None:
    app = TASKS + endpoint("x = ['a']\ntasks.add_task(append, x)\ntasks.add_task(read, x)")
    finding = lab.assert_found("BG303", app, "POST /orders")
    assert finding["message"] == "append changes x[1], which read gets too and is to run after it."
    assert finding["evidence"][0] == ("x[1]", "nothing before, 1 after")
    label, place = finding["evidence"][1]
    assert label == "scheduled"
    assert place.endswith(" in create")


def test_bg301_tells_where_this_check_is_off(lab: Lab) -> None:
    app = TASKS + endpoint("x = []\ntasks.add_task(append, x)\ntasks.add_task(read, x)")
    assert lab.run(app, "POST /orders", select="BG301").codes == ["BG301"]


SILENT = {
    "read-only": "x = []\ntasks.add_task(read, x)\ntasks.add_task(read, x)",
    "own copies": "x = []\ntasks.add_task(append, list(x))\ntasks.add_task(read, x)",
    "the task copies": "x = []\ntasks.add_task(own_copy, x)\ntasks.add_task(read, x)",
    "changed by the last": "x = []\ntasks.add_task(read, x)\ntasks.add_task(append, x)",
    "a single task": "x = []\ntasks.add_task(append, x)",
    "equal but not the same": "tasks.add_task(append, [])\ntasks.add_task(read, [])",
    "a service": "x = Mailer()\ntasks.add_task(x.send, 'a')\ntasks.add_task(x.send, 'b')",
    "a service as an argument": "x = Mailer()\ntasks.add_task(Mailer.send, x, 'a')\n"
    "tasks.add_task(Mailer.send, x, 'b')",
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    outcome = lab.run(TASKS + endpoint(body), "POST /orders", select="BG303")
    assert outcome.findings == []
    assert outcome.result.ret == pytest.ExitCode.OK


STORES = {
    "module-level": "JOBS = []\n" + endpoint(
        "tasks.add_task(append, JOBS)\ntasks.add_task(read, JOBS)"
    ),
    "entry of a store": "JOBS = {}\n" + endpoint(
        "job = JOBS['a'] = []\ntasks.add_task(append, job)\ntasks.add_task(read, job)"
    ),
    "app.state": "app.state.jobs = []\n" + endpoint(
        "tasks.add_task(append, app.state.jobs)\ntasks.add_task(read, app.state.jobs)"
    ),
}  # fmt: skip


@pytest.mark.parametrize("app", STORES.values(), ids=STORES)
def test_stores_are_shared_on_purpose(lab: Lab, app: str) -> None:
    lab.assert_silent(TASKS + app, "POST /orders", "POST /orders")


def test_two_requests_do_not_share(lab: Lab) -> None:
    lab.assert_silent(
        TASKS + endpoint("tasks.add_task(append, [])"), "POST /orders", "POST /orders"
    )
