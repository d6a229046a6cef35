"""The e-mail task: early validation, retries, and how a final failure is seen."""

from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest
from fastapi import FastAPI

from bgcheck import BackgroundTasksLog
from bgcheck_reference.mailer import get_mailer
from bgcheck_reference.schemas import EmailTask
from bgcheck_reference.tasks.email import send_email_task, send_email_task_reporting
from bgcheck_suites.conftest import Observe
from bgcheck_suites.marks import requirement

PATHS: dict[str, Callable[..., Any]] = {
    "/send-email/": send_email_task,
    "/send-email/reporting": send_email_task_reporting,
}
EMAIL: dict[str, Any] = {
    "recipients": ["ada@example.com"],
    "content": {"subject": "Welcome", "body": "Good to have you."},
    "retry_count": 3,
}


class FailingMailer:
    """A mailer that fails so many times, and then sends."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.attempts = 0
        self.sent: list[EmailMessage] = []

    async def send(self, message: EmailMessage) -> None:
        """Send a message, or fail."""
        self.attempts += 1
        if self.attempts <= self.failures:
            raise ConnectionError("the mail server is away")
        self.sent.append(message)


def mailed_by(app: FastAPI, failures: int = 0) -> FailingMailer:
    """Have the app send with a mailer that fails so many times."""
    mailer = FailingMailer(failures)
    app.dependency_overrides[get_mailer] = lambda: mailer
    return mailer


@requirement("BGR-EMAIL-01")
@pytest.mark.parametrize("path", PATHS)
def test_the_email_is_sent(
    client: Any, app: FastAPI, bgtasks: BackgroundTasksLog, path: str
) -> None:
    mailer = mailed_by(app)
    assert client.post(path, json=EMAIL).status_code in (200, 202)
    task = bgtasks.one(PATHS[path], task_data=EmailTask.model_validate(EMAIL), log_success=True)
    assert task.outcome == "succeeded"
    assert [message["Subject"] for message in mailer.sent] == ["Welcome"]


@requirement("BGR-EMAIL-02")
@pytest.mark.parametrize("path", PATHS)
def test_a_failed_attempt_is_repeated(
    client: Any, app: FastAPI, bgtasks: BackgroundTasksLog, path: str
) -> None:
    mailer = mailed_by(app, failures=2)
    client.post(path, json=EMAIL)
    assert bgtasks.one(PATHS[path]).outcome == "succeeded"
    assert (mailer.attempts, len(mailer.sent)) == (3, 1)


@requirement("BGR-EMAIL-03")
def test_how_the_documented_task_ends_when_every_attempt_fails(
    client: Any, app: FastAPI, bgtasks: BackgroundTasksLog, observe: Observe
) -> None:
    mailer = mailed_by(app, failures=3)
    assert client.post("/send-email/", json=EMAIL).status_code == 200
    assert (mailer.attempts, mailer.sent) == (3, [])
    observe(bgtasks.one(send_email_task).outcome)


@requirement("BGR-EMAIL-04")
def test_a_final_failure_is_recorded(
    client: Any, app: FastAPI, bgtasks: BackgroundTasksLog
) -> None:
    mailed_by(app, failures=3)
    response = client.post("/send-email/reporting", json=EMAIL)
    bgtasks.expect(send_email_task_reporting, times=1)
    delivery = client.get(response.headers["location"]).json()
    assert (delivery["state"], delivery["attempts"]) == ("failed", 3)
    assert delivery["error"] == "ConnectionError: the mail server is away"


@requirement("BGR-EMAIL-05")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"recipients": []}, 400),
        ({"content": {"subject": "Welcome", "body": "Hi"}}, 400),
        ({"recipients": ["nobody"]}, 422),
        ({"retry_count": 0}, 422),
    ],
)
def test_an_invalid_email_schedules_nothing(
    client: Any, bgtasks: BackgroundTasksLog, path: str, change: dict[str, Any], status: int
) -> None:
    assert client.post(path, json={**EMAIL, **change}).status_code == status
    assert bgtasks == []
