"""BG109: a default that was computed at definition."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASKS = """
import datetime as dt
import time
import uuid
from datetime import datetime
from uuid import uuid4

class Own:
    @staticmethod
    def now(): return 5

EPOCH = datetime(1970, 1, 1)

def {name}({parameter}): ...
"""


@pytest.mark.parametrize(
    "parameter",
    [
        "at=datetime.now()",
        "at=datetime.now().isoformat()",
        "key=uuid4()",
        "at=dt.datetime.now(dt.timezone.utc)",
        "key=str(uuid.uuid4())",
        "*, at=time.time()",
    ],
)
def test_a_moving_default(lab: Lab, parameter: str) -> None:
    app = TASKS.format(name="note", parameter=parameter) + endpoint("tasks.add_task(note)")
    finding = lab.assert_found("BG109", app, "POST /orders", line="add_task")
    name = parameter.removeprefix("*, ").partition("=")[0]
    assert f"the default of {name} in note was computed once, at definition." in finding["message"]


@pytest.mark.parametrize(
    ("parameter", "call"),
    [
        ("at=datetime.now()", "note, datetime.now(dt.timezone.utc)"),
        ("at=EPOCH", "note"),
        ("at=datetime(2020, 1, 1)", "note"),
        ("at=None", "note"),
        ("now=5", "note"),
        ("at=Own.now()", "note"),
        ("make=lambda: uuid4()", "note"),
        ("limit=int('5')", "note"),
    ],
)
def test_a_constant_or_a_given_value(lab: Lab, parameter: str, call: str) -> None:
    app = TASKS.format(name="note", parameter=parameter) + endpoint(f"tasks.add_task({call})")
    lab.assert_silent(app, "POST /orders")
