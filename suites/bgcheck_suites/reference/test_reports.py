"""A report that a client polls for."""

from typing import Any

import pytest
from fastapi import FastAPI

from bgcheck import BackgroundTasksLog
from bgcheck_reference.tasks import reports
from bgcheck_suites.marks import requirement


@requirement("BGR-REPORT-01")
def test_a_client_sees_the_report_pending_and_then_done(
    app: FastAPI, bgtasks: BackgroundTasksLog
) -> None:
    with bgtasks.client(app) as client, bgtasks.hold() as gate:
        response = client.post("/reports", json={"title": "Unread"})
        location = response.headers["location"]
        assert client.get(location).json()["state"] == "pending"
        assert gate.drain().succeeded == 1
        assert client.get(location).json()["state"] == "done"
    task = bgtasks.one(reports.make_report)
    assert (task.outcome, task.response_status) == ("succeeded", 202)


@requirement("BGR-REPORT-02")
def test_a_failed_report_says_so(
    client: Any, bgtasks: BackgroundTasksLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no lines")

    monkeypatch.setattr(reports, "count_notifications", refuse)
    response = client.post("/reports", json={"title": "Unread"})
    bgtasks.expect(reports.make_report, times=1)
    report = client.get(response.headers["location"]).json()
    assert (report["state"], report["error"]) == ("failed", "RuntimeError: no lines")
