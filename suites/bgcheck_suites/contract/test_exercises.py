"""Each exercise of the document: mails, reports as files, images, recovery, progress."""

import io
from typing import Any

import pytest
from PIL import Image as Picture

from bgcheck_reference.models import Job, TaskState
from bgcheck_suites import TaskContract

FAILED_JOB = "00000000-0000-4000-8000-000000000001"


def picture() -> bytes:
    """Return a small PNG."""
    file = io.BytesIO()
    Picture.new("RGB", (8, 6), "teal").save(file, "PNG")
    return file.getvalue()


class TestMailing(TaskContract):
    """Exercise 1: an e-mail notification from a template."""

    request = "POST /mailings"
    json = {
        "recipients": [{"address": "ada@example.com", "name": "Ada"}],
        "content": {"kind": "welcome", "product": "bgcheck", "start_url": "https://example.com"},
    }
    tasks = ("send_mailing",)


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


class TestRerun(TaskContract):
    """Exercise 4: a job that failed for good, and that a person runs again."""

    request = f"POST /jobs/{FAILED_JOB}/rerun"
    tasks = ("run_job",)
    invalid = ("POST /jobs/unknown/rerun",)

    @pytest.fixture(autouse=True)
    def _sessions(self, app: Any) -> None:
        self.sessions = app.state.database.session_factory

    def prepare(self) -> None:
        """Have the job fail."""
        payload = {"message": "Maintenance at noon", "user_ids": [1, 2]}
        with self.sessions.begin() as db:
            db.merge(
                Job(
                    id=FAILED_JOB,
                    kind="broadcast",
                    payload=payload,
                    state=TaskState.FAILED.value,
                    attempts=5,
                    error="OSError: no route to host",
                    claim=None,
                )
            )


class TestRun(TaskContract):
    """Exercise 5: a task that writes how far it has come."""

    request = "POST /runs"
    json = {"name": "Lamp", "levels": 1}
    tasks = ("work_in_steps",)
