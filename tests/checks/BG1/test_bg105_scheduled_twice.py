"""BG105: the same call was scheduled twice in one request."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASKS = """
from dataclasses import dataclass
from unittest.mock import Mock
from pydantic import BaseModel
import functools

def send(*args, **kwargs): ...
def mail(to, subject="Hi"): ...

class Mail(BaseModel):
    to: str

@dataclass
class Slack:
    channel: str
    def notify(self, *args): ...

@dataclass
class Row:
    number: int

class Plain:
    def run(self): ...
"""

SAME = {
    "no arguments": "tasks.add_task(send)\ntasks.add_task(send)",
    "values": "tasks.add_task(send, 1, a='x')\ntasks.add_task(send, 1, a='x')",
    "equal dicts": "tasks.add_task(send, {'a': [1]})\ntasks.add_task(send, {'a': [1]})",
    "equal models": "tasks.add_task(send, Mail(to='a'))\ntasks.add_task(send, Mail(to='a'))",
    "equal rows": "tasks.add_task(send, Row(1))\ntasks.add_task(send, Row(1))",
    "one service": "s = Slack('a')\ntasks.add_task(s.notify, 1)\ntasks.add_task(s.notify, 1)",
    "partial and plain": "tasks.add_task(functools.partial(send, 1))\ntasks.add_task(send, 1)",
    "by position and by name": "tasks.add_task(mail, 'a')\ntasks.add_task(mail, to='a')",
    "a default and the same": "tasks.add_task(mail, 'a')\ntasks.add_task(mail, 'a', subject='Hi')",
    "a method of one list": "x = []\ntasks.add_task(x.append, 1)\ntasks.add_task(x.append, 1)",
    "two groups": "StarletteTasks([BackgroundTask(send)])\ntasks.add_task(send)\n"
    "tasks.tasks.append(BackgroundTask(send))",
}


@pytest.mark.parametrize("body", list(SAME.values())[:-1], ids=list(SAME)[:-1])
def test_same_call(lab: Lab, body: str) -> None:
    finding = lab.assert_found("BG105", TASKS + endpoint(body), "POST /orders", line="add_task")
    assert finding["level"] == "warning"
    assert "test_case_1.py:" in dict(finding["evidence"])["first"]


def test_endpoint_and_dependency(lab: Lab) -> None:
    app = """
def audited(tasks: BackgroundTasks):
    tasks.add_task(send, "created")
@app.post("/orders", dependencies=[Depends(audited)])
async def create(tasks: BackgroundTasks):
    tasks.add_task(send, "created")
"""
    lab.assert_found("BG105", TASKS + app, "POST /orders")


DIFFERENT = {
    "values": "tasks.add_task(send, 1)\ntasks.add_task(send, 2)",
    "types": "tasks.add_task(send, 1)\ntasks.add_task(send, True)",
    "names": "tasks.add_task(send, a=1)\ntasks.add_task(send, b=1)",
    "nested values": "tasks.add_task(send, {'a': [1]})\ntasks.add_task(send, {'a': [2]})",
    "models": "tasks.add_task(send, Mail(to='a'))\ntasks.add_task(send, Mail(to='b'))",
    "a default and another": "tasks.add_task(mail, 'a')\ntasks.add_task(mail, 'a', subject='Ho')",
    "methods of two lists": "for x in ([], []):\n    tasks.add_task(x.append, 1)",
    "equal services": "for s in (Slack('a'), Slack('a')):\n    tasks.add_task(s.notify)",
    "equal services as arguments": "for s in (Slack('a'), Slack('a')):\n"
    "    tasks.add_task(send, s)",
    "two objects": "for s in (Plain(), Plain()):\n    tasks.add_task(s.run)",
    "two mocks": "for s in (Mock(), Mock()):\n    tasks.add_task(s)",
    "functions": "tasks.add_task(send)\ntasks.add_task(print)",
    "two lambdas": "for n in (1, 2):\n    tasks.add_task(lambda n=n: send(n))",
}


@pytest.mark.parametrize("body", DIFFERENT.values(), ids=DIFFERENT)
def test_different_calls(lab: Lab, body: str) -> None:
    lab.assert_silent(TASKS + endpoint(body), "POST /orders")


def test_same_call_in_two_requests(lab: Lab) -> None:
    lab.assert_silent(TASKS + endpoint("tasks.add_task(send, 1)"), "POST /orders", "POST /orders")
