"""BG313: a naive datetime crosses from request to task. Opt-in."""

from __future__ import annotations

import pytest
from checks_lab import Lab, endpoint

TASKS = """
from datetime import date, datetime, time, timedelta, timezone
from pydantic import BaseModel
NAIVE = datetime(2026, 1, 1)
AWARE = datetime(2026, 1, 1, tzinfo=timezone.utc)
class Mail(BaseModel):
    at: datetime
def send(at, **kwargs): ...
"""

FAULTY = {
    "positional": ("NAIVE", "at"),
    "now": ("datetime.now()", "at"),
    "by name": ("1, due=NAIVE", "due"),
    "in a dict": ("{'at': NAIVE}", "at['at']"),
    "in a list": ("[AWARE, NAIVE]", "at[1]"),
    "in a model": ("Mail(at=NAIVE)", "at.at"),
    "in a set": ("{NAIVE}", "at"),
}

SILENT = {
    "aware": "AWARE",
    "aware in a model": "Mail(at=AWARE)",
    "a date": "date(2026, 1, 1)",
    "a time": "time(12)",
    "text": "NAIVE.isoformat()",
    "a duration": "timedelta(1)",
}


@pytest.mark.parametrize(("value", "path"), FAULTY.values(), ids=FAULTY)
def test_found(lab: Lab, value: str, path: str) -> None:
    app = TASKS + endpoint(f"tasks.add_task(send, {value})")
    (finding,) = lab.run(app, "POST /orders", select="BG313").findings
    assert finding["message"] == f"{path} of send is a datetime without a time zone."


@pytest.mark.parametrize("value", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, value: str) -> None:
    outcome = lab.run(
        TASKS + endpoint(f"tasks.add_task(send, {value})"), "POST /orders", select="BG313"
    )
    assert outcome.findings == []
    assert outcome.result.ret == pytest.ExitCode.OK


def test_off_by_default(lab: Lab) -> None:
    app = TASKS + endpoint("tasks.add_task(send, NAIVE)")
    assert lab.run(app, "POST /orders", select="DEFAULT").findings == []
