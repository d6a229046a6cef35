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
def test_wrong_call_is_found(lab: Lab, call: str) -> None:
    finding = lab.assert_found(
        "BG101", TASK + endpoint(f"tasks.add_task({call})"), "POST /orders", line="add_task"
    )
    assert finding["evidence"] == (("signature", "send(to: str, retries: int = 3) -> None"),)
    assert finding["task"].startswith("send(")


def test_right_call_is_silent(lab: Lab) -> None:
    lab.assert_silent(TASK + endpoint("tasks.add_task(send, 'a', retries=1)"), "POST /orders")
