"""BG107: a marker reaches the task as a default value."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASKS = """
import functools
from fastapi import Header, Query, Security

def get_limit(): return 10

def depends(limit=Depends(get_limit)): ...
def security(limit=Security(get_limit)): ...
def query(limit: int = Query(5)): ...
def uses(limit=Depends(get_limit)): return limit + 1

class Service:
    def work(self, limit=Depends(get_limit)): ...
"""


@pytest.mark.parametrize(
    ("call", "marker"),
    [
        ("depends", "Depends(...)"),
        ("security", "Security(...)"),
        ("query", "Query(...)"),
        ("uses", "Depends(...)"),
        ("Service().work", "Depends(...)"),
        ("functools.partial(depends)", "Depends(...)"),
    ],
)
def test_a_marker_is_left_to_its_default(lab: Lab, call: str, marker: str) -> None:
    finding = lab.assert_found(
        "BG107", TASKS + endpoint(f"tasks.add_task({call})"), "POST /orders", line="add_task"
    )
    assert f"gets {marker} itself as limit, not what it stands for." in finding["message"]


@pytest.mark.parametrize(
    "call", ["depends, 5", "depends, limit=get_limit()", "functools.partial(security, 5)"]
)
def test_the_value_is_passed(lab: Lab, call: str) -> None:
    lab.assert_silent(TASKS + endpoint(f"tasks.add_task({call})"), "POST /orders")
