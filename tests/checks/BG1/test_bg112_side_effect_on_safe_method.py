"""BG112: a task on HEAD or OPTIONS."""

from __future__ import annotations

import pytest
from checks_lab import Lab

APP = """
def send(): ...

@app.api_route("/orders", methods=["GET", "HEAD", "OPTIONS", "POST"])
async def create(tasks: BackgroundTasks):
    tasks.add_task(send)
"""


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_a_safe_method(lab: Lab, method: str) -> None:
    finding = lab.assert_found("BG112", APP, f"{method} /orders", line="add_task")
    assert finding["message"] == f"send was scheduled on {method}."


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_methods(lab: Lab, method: str) -> None:
    lab.assert_silent(APP, f"{method} /orders")


def test_it_is_opt_in(lab: Lab) -> None:
    assert lab.run(APP, "HEAD /orders", select="BG1").codes == ["BG112"]
    assert lab.run(APP, "HEAD /orders", select="BG101").codes == []
