"""BG111: an override that the framework ignores."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

APP = """
def send(): ...
def get_limit(): return 10
""" + endpoint("tasks.add_task(send)")


@pytest.mark.parametrize(
    "override", ["app.dependency_overrides[BackgroundTasks] = lambda: None",
                 "app.dependency_overrides[StarletteTasks] = dict"],
)  # fmt: skip
def test_an_override_of_background_tasks(lab: Lab, override: str) -> None:
    finding = lab.assert_found("BG111", f"{APP}\n{override}\n", "POST /orders")
    assert finding["message"] == "dependency_overrides[BackgroundTasks] is set, and has no effect."
    assert finding["request"]["path"] == "/orders"


@pytest.mark.parametrize(
    "override",
    [
        "app.dependency_overrides[get_limit] = lambda: 5",
        "class BackgroundTasksPool: ...\napp.dependency_overrides[BackgroundTasksPool] = dict",
        "class Own:\n    class BackgroundTasks: ...\n"
        "app.dependency_overrides[Own.BackgroundTasks] = dict",
    ],
)
def test_other_overrides(lab: Lab, override: str) -> None:
    test = """
    def test_requests():
        with TestClient(app) as client:
            client.post("/orders")
        app.dependency_overrides.clear()
    """
    lab.assert_silent(f"{APP}\n{override}\n", test=test)
