"""BG304: a task changed a mutable default of its own signature."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

FAULTY = {
    "a list": ("def work(n, seen=[]): seen.append(n)", "work, 1", "seen[0]"),
    "a dict": ("def work(n, seen={}): seen[n] = True", "work, 1", "seen[1]"),
    "a set": ("def work(n, seen=set()): seen.add(n)", "work, 1", "seen[1]"),
    "nested": ("def work(options={'tags': []}): options['tags'].append(1)", "work",
               "options['tags'][0]"),
    "keyword only": ("def work(*, seen=[]): seen.append(1)", "work", "seen[0]"),
    "an async task": ("async def work(seen=[]):\n    await asyncio.sleep(0)\n    seen.append(1)",
                      "work", "seen[0]"),
    "a partial": ("import functools\ndef work(n, seen=[]): seen.append(n)",
                  "functools.partial(work, 1)", "seen[0]"),
    "a method": ("class Mailer:\n    def work(self, seen=[]): seen.append(1)", "Mailer().work",
                 "seen[0]"),
    "a callable object": ("class Work:\n    def __call__(self, seen=[]): seen.append(1)",
                          "Work()", "seen[0]"),
    "a decorated function": ("import functools\ndef logged(f):\n    @functools.wraps(f)\n"
                             "    def call(*args):\n        return f(*args)\n    return call\n"
                             "@logged\ndef work(n, seen=[]): seen.append(n)", "work, 1", "seen[0]"),
    "a model": ("from pydantic import BaseModel\nclass Options(BaseModel):\n    retries: int = 1\n"
                "def work(options=Options()): options.retries += 1", "work", "options.retries"),
}  # fmt: skip


@pytest.mark.parametrize(("task", "call", "path"), FAULTY.values(), ids=FAULTY)
def test_changed(lab: Lab, task: str, call: str, path: str) -> None:
    app = f"{task}\n{endpoint(f'tasks.add_task({call})')}"
    finding = lab.assert_found("BG304", app, "POST /orders", line="add_task")
    assert finding["evidence"][0][0] == path


def test_message(lab: Lab) -> None:
    app = "def work(n, seen=[]): seen.append(n)\n" + endpoint("tasks.add_task(work, 1)")
    finding = lab.assert_found("BG304", app, "POST /orders")
    assert finding["message"] == (
        "work changed the default of its parameter seen, which every later call gets."
    )
    assert finding["evidence"][0] == ("seen[0]", "nothing before, 1 after")
    assert finding["evidence"][1][0] == "defined"


def test_a_task_that_fails_after_it(lab: Lab) -> None:
    app = "def work(seen=[]):\n    seen.append(1)\n    raise ValueError\n"
    outcome = lab.run(app + endpoint("tasks.add_task(work)"), "POST /orders")
    assert outcome.codes == ["BG201", "BG304"]


def test_a_local_function_scheduled_twice(lab: Lab) -> None:
    body = """
        def work(n, seen=[]):
            seen.append(n)
        tasks.add_task(work, 1)
        tasks.add_task(work, 2)
    """
    lab.assert_found("BG304", endpoint(body), "POST /orders")


def test_a_local_function_of_a_factory(lab: Lab) -> None:
    app = """
def register(app):
    def work(n, seen=[]):
        seen.append(n)
    @app.post("/orders")
    async def create(tasks: BackgroundTasks):
        tasks.add_task(work, 1)
register(app)
"""
    lab.assert_found("BG304", app, "POST /orders")


SILENT = {
    "only read": ("def work(n, seen=[]): len(seen)", "work, 1"),
    "copied": ("def work(n, seen=[]): list(seen).append(n)", "work, 1"),
    "given": ("def work(n, seen=[]): seen.append(n)", "work, 1, []"),
    "None": ("def work(n, seen=None):\n    seen = seen or []\n    seen.append(n)", "work, 1"),
    "a tuple": ("def work(n, seen=()): len(seen)", "work, 1"),
    "the idiom of a cache": ("def work(n, _cache={}): _cache[n] = 1", "work, 1"),
    "a store with a name": ("JOBS = {}\ndef work(n, jobs=JOBS): jobs[n] = 1", "work, 1"),
    "a service": ("class Metrics:\n    def __init__(self): self.n = 0\n"
                  "    def add(self): self.n += 1\n"
                  "def work(n, metrics=Metrics()): metrics.add()", "work, 1"),
    "changed back": ("def work(n, seen=[]):\n    seen.append(n)\n    seen.pop()", "work, 1"),
    "a builtin": ("", "print"),
    "a mock": ("from unittest.mock import Mock, AsyncMock", "Mock()"),
    "a mock's method": ("from unittest.mock import Mock, AsyncMock", "AsyncMock().send, 1"),
    "a class": ("class Work:\n    def __init__(self, n): ...", "Work, 1"),
}  # fmt: skip


@pytest.mark.parametrize(("task", "call"), SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, task: str, call: str) -> None:
    app = f"{task}\n{endpoint(f'tasks.add_task({call})')}"
    lab.assert_silent(app, "POST /orders", "POST /orders")


def test_a_local_function_is_made_anew(lab: Lab) -> None:
    body = """
        def work(n, seen=[]):
            seen.append(n)
        tasks.add_task(work, 1)
    """
    lab.assert_silent(endpoint(body), "POST /orders", "POST /orders")
