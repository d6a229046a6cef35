"""Each exercise of the document: mails, reports as files, images, recovery, progress."""

import io
from typing import Any

import pytest
from PIL import Image as Picture

from bgcheck_reference.models import Job, Mailing, MailingRecipient, RecipientState, TaskState
from bgcheck_suites import TaskContract

WELCOME = {"kind": "welcome", "product": "bgcheck", "start_url": "https://example.com"}


def picture() -> bytes:
    """Return a small PNG."""
    file = io.BytesIO()
    Picture.new("RGB", (8, 6), "teal").save(file, "PNG")
    return file.getvalue()


class OfARow(TaskContract):
    """A request about a row that is another each time: it can be asked for once."""

    @pytest.fixture(autouse=True)
    def _sessions(self, app: Any) -> None:
        self.sessions = app.state.database.session_factory

    def store(self, row: Any) -> str:
        """Store a row, and return its id."""
        with self.sessions.begin() as db:
            db.add(row)
        return str(row.id)


class TestMailing(TaskContract):
    """Exercise 1: an e-mail notification from a template."""

    request = "POST /mailings"
    json = {"recipients": [{"address": "ada@example.com", "name": "Ada"}], "content": WELCOME}
    tasks = ("send_mailing",)


class TestRetriedMailing(OfARow):
    """Exercise 1: a mailing that failed, to those who do not have it yet."""

    request = "POST /mailings/FAILED/retry"
    tasks = ("send_mailing",)
    invalid = ("POST /mailings/unknown/retry",)

    def prepare(self) -> str:
        """Have a mailing fail."""
        recipient = MailingRecipient(address="ada@example.com", state=RecipientState.FAILED.value)
        failed = TaskState.FAILED.value
        mailing = Mailing(kind="welcome", content=WELCOME, style={}, state=failed, attempts=3)
        mailing.recipients.append(recipient)
        return f"POST /mailings/{self.store(mailing)}/retry"


class TestExport(TaskContract):
    """Exercise 2: a report as a file."""

    request = "POST /exports"
    json = {"title": "March", "format": "csv", "since": "2026-03-01", "until": "2026-03-31"}
    tasks = ("make_export",)


class TestImage(TaskContract):
    """Exercise 3: an upload that is resized and filtered."""

    request = "POST /images"
    data = {"width": "4", "height": "4", "filters": ["blur"], "format": "png"}
    files = {"file": ("picture.png", picture(), "image/png")}
    tasks = ("make_image",)
    invalid = (
        {"files": {"file": ("picture.png", b"no picture", "image/png")}},
        {"data": {"width": "0"}},
    )


class TestEmailJob(TaskContract):
    """Exercise 4: an e-mail that no restart loses, tried again where it fails."""

    request = "POST /jobs/email"
    json = {
        "recipients": ["ada@example.com"],
        "content": {"subject": "Hello", "body": "A text that is long enough."},
    }
    tasks = ("run_job",)


class TestBroadcastJob(TaskContract):
    """Exercise 4: rows that are stored once, however often they are tried."""

    request = "POST /jobs/broadcast"
    json = {"message": "Maintenance at noon", "user_ids": [1, 2]}
    tasks = ("run_job",)


class TestRerun(OfARow):
    """Exercise 4: a job that failed for good, and that a person runs again."""

    request = "POST /jobs/FAILED/rerun"
    tasks = ("run_job",)
    invalid = ("POST /jobs/unknown/rerun",)

    def prepare(self) -> str:
        """Have a job fail."""
        payload = {"message": "Maintenance at noon", "user_ids": [1, 2]}
        job = Job(kind="broadcast", payload=payload, state=TaskState.FAILED.value, attempts=5)
        return f"POST /jobs/{self.store(job)}/rerun"


class TestRun(TaskContract):
    """Exercise 5: a task that writes how far it has come."""

    request = "POST /runs"
    json = {"name": "Lamp", "levels": 1}
    tasks = ("work_in_steps",)
