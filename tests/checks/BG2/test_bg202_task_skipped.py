"""BG202: a task never started because an earlier one of the same response did not succeed."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASKS = "def boom():\n    raise ValueError('no')\ndef send(): ...\n"
APP = TASKS + endpoint("tasks.add_task(boom)\ntasks.add_task(send)")

EXPECTED_FAILURE = """
def test_it():
    with pytest.raises(ValueError):
        TestClient(app).post("/orders")
"""


def test_skipped(lab: Lab) -> None:
    finding = lab.assert_found("BG202", APP, test=EXPECTED_FAILURE, line="add_task(send)")
    assert finding["message"] == "send never started, because boom before it failed."
    assert dict(finding["evidence"])["error"] == "ValueError: no"


def test_skipped_after_cancellation(lab: Lab) -> None:
    app = """
async def stop():
    raise asyncio.CancelledError
def send(): ...
""" + endpoint("tasks.add_task(stop)\ntasks.add_task(send)")
    test = """
def test_it():
    with pytest.raises(BaseException):
        TestClient(app).post("/orders")
"""
    finding = lab.assert_found("BG202", app, test=test)
    assert finding["message"] == "send never started, because stop before it was cancelled."


SILENT = {
    "the last one fails": (
        TASKS + endpoint("tasks.add_task(send)\ntasks.add_task(boom)"),
        EXPECTED_FAILURE,
    ),
    "two responses": (
        TASKS + endpoint("tasks.add_task(boom)") + endpoint("tasks.add_task(send)", "/other"),
        EXPECTED_FAILURE + "    TestClient(app).post('/other')\n",
    ),
    "the test looks at it": (
        APP,
        """
def test_it(bgtasks):
    with pytest.raises(ValueError):
        TestClient(app).post("/orders")
    assert bgtasks.one(send).outcome == "skipped"
""",
    ),
    "an injected failure": (
        TASKS + endpoint("tasks.add_task(print)\ntasks.add_task(send)"),
        """
def test_it(bgtasks):
    with bgtasks.fail(print, ValueError("no")):
        with pytest.raises(ValueError):
            TestClient(app).post("/orders")
""",
    ),
}


@pytest.mark.parametrize(("app", "test"), SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, app: str, test: str) -> None:
    lab.assert_silent(app, test=test)
