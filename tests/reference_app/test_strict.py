"""bgcheck's own checks on the reference app: each documented request once, in strict mode.

What the documentation shows and does not hold is found, and nothing else is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

import bgcheck_reference
from bgcheck.recorder.usercode import is_user_file

ROOT = Path(__file__).parents[2]
TESTS = "tests/reference_app/test_app.py::test_documented_example_works"

CLOSES_BEFORE_TASKS = Version("0.106") <= Version(version("fastapi")) < Version("0.118")
"""FastAPI leaves dependencies before it sends the response."""

EXPECTED = [("BG502", "send_notifications", "broadcast_message")]
if CLOSES_BEFORE_TASKS:
    EXPECTED.insert(0, ("BG402", "send_notifications", "broadcast_message"))

pytestmark = pytest.mark.skipif(
    not is_user_file(bgcheck_reference.__file__),
    reason="the app is installed here: what is no user's code is not found at fault",
)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The JSON lines of a run in strict mode, warnings included."""
    file = tmp_path_factory.mktemp("strict") / "findings.jsonl"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS,
         "--bgcheck=strict", f"--bgcheck-json={file}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout
    failed = [line for line in run.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1, run.stdout
    assert failed[0].startswith(f"FAILED {TESTS}[post /broadcast/]")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_findings(lines: list[dict[str, Any]]) -> None:
    found = [
        (line["code"], line["func"], line["site"]["function"])
        for line in lines
        if line["type"] == "finding"
    ]
    assert sorted(found) == EXPECTED


def test_tasks_that_were_looked_at(lines: list[dict[str, Any]]) -> None:
    """Every task of the patterns ran under the checks, the ways that hold among them."""
    ran = {line["func"] for line in lines if line["type"] == "task" and line["outcome"] != "lost"}
    assert ran >= {
        *("process_item", "process_complex_task", "log_request", "process_text"),
        *("send_notifications", "send_notifications_own_session"),
        *("send_notifications_async_session", "send_email_task", "send_email_task_reporting"),
        *("make_report", "send_mailing", "make_export", "work_in_steps", "run_job"),
    }


def test_nothing_went_wrong_in_bgcheck(lines: list[dict[str, Any]]) -> None:
    assert lines[-1]["type"] == "footer"
    assert (lines[-1]["complete"], lines[-1]["errors"]) == (True, [])
