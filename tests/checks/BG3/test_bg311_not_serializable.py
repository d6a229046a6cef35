"""BG311: an argument could not travel to a queue. Opt-in."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASKS = """
import datetime, threading, uuid
from dataclasses import dataclass
from pathlib import Path
from pydantic import BaseModel
from starlette.requests import Request

class Mail(BaseModel):
    to: str
@dataclass
class Row:
    number: int
class Holder:
    def __init__(self, value): self.value = value
def send(*args, **kwargs): ...
"""


@pytest.fixture
def lab(pytester: pytest.Pytester) -> Lab:
    """Runs small apps under all checks, this one too."""
    return Lab(pytester)


FAULTY = {
    "a lock": ("threading.Lock()", "args[0]", "cannot pickle"),
    "an open file": ("open(__file__)", "args[0]", "TextIOWrapper"),
    "a generator": ("(n for n in 'ab')", "args[0]", "generator: an iterator"),
    "a map": ("map(str, 'ab')", "args[0]", "map: an iterator"),
    "a lock in a dict": ("{'lock': threading.Lock()}", "args[0]", "cannot pickle"),
    "an object that holds one": ("Holder(threading.Lock())", "args[0]", "cannot pickle"),
    "an application": ("app", "args[0]", "FastAPI"),
}

SILENT = {
    "constants": "1, 'a', None, 2.5, (1, 2)",
    "containers": "[1], {'a': [2]}, {3}",
    "a model": "Mail(to='a')",
    "a dataclass": "Row(1)",
    "what JSON does not know": "datetime.datetime(2026, 1, 1), uuid.uuid4(), Path('a'), b'a'",
    "an object of the app": "Holder(1)",
    "a function": "send",
}


@pytest.mark.parametrize(("value", "path", "reason"), FAULTY.values(), ids=FAULTY)
def test_found(lab: Lab, value: str, path: str, reason: str) -> None:
    app = TASKS + endpoint(f"tasks.add_task(send, {value})")
    (finding,) = lab.run(app, "POST /orders", select="BG311").findings
    assert finding["message"] == f"{path} of send could not travel to a task queue."
    assert finding["evidence"][0][0] == path
    assert reason in finding["evidence"][0][1]


@pytest.mark.parametrize("values", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, values: str) -> None:
    app = TASKS + endpoint(f"tasks.add_task(send, {values})")
    outcome = lab.run(app, "POST /orders", select="BG311")
    assert outcome.findings == []
    assert outcome.result.ret == pytest.ExitCode.OK


def test_a_generator_is_not_advanced(lab: Lab) -> None:
    app = (
        TASKS
        + "FOUND = []\ndef keep(x): FOUND.extend(x)\n"
        + endpoint("tasks.add_task(keep, (n for n in 'ab'))")
    )
    test = """
        def test_it():
            TestClient(app).post("/orders")
            assert FOUND == ["a", "b"]
    """
    outcome = lab.run(app, test=test, select="BG311")
    assert outcome.codes == ["BG311"]
    assert outcome.result.ret == pytest.ExitCode.OK


def test_off_by_default(lab: Lab) -> None:
    app = TASKS + endpoint("tasks.add_task(send, threading.Lock())")
    assert lab.run(app, "POST /orders", select="DEFAULT").findings == []
