"""Each documented pattern, and where its own way breaks the contract the way that holds beside it.

What is listed as expected is the difference between the two ways: which requirement breaks, on
which versions, and why.
"""

import os

from bgcheck_suites import Expectation, TaskContract

LOCKS = not os.environ.get("BGCHECK_DATABASE_URL", "").startswith("postgresql")
"""A transaction that nobody ends keeps others from writing, as on SQLite."""

DOCUMENT = "Parameters for background tasks (the document of the reference app), Example 4"
MESSAGE = "?message=Hello"
EMAIL = {
    "recipients": ["ada@example.com"],
    "content": {"subject": "Hello", "body": "A text that is long enough."},
}


class TestSimpleParameters(TaskContract):
    """Example 1."""

    request = "POST /items/42"
    tasks = ("process_item",)
    capabilities = {"uses_database": False, "async_tasks": False, "raises_failures": True}


class TestSeveralTypes(TaskContract):
    """Example 2."""

    request = "POST /process/?user_id=7"
    json = {"name": "A chair", "price": 9.5, "tags": ["new"]}
    tasks = ("process_complex_task",)


class TestRequestInformation(TaskContract):
    """Example 3."""

    request = "GET /logged-endpoint"
    tasks = ("log_request",)


class TestTaskSelection(TaskContract):
    """Example 5."""

    request = "POST /process/text"
    json = {"content": "Some words"}
    tasks = ("process_text",)
    invalid = ("POST /process/unknown",)


LOCKED = Expectation(
    when="fastapi>=0.106,<0.118",
    reason="Nobody ends the transaction of a task that failed, and SQLite stays locked.",
    link=DOCUMENT,
)


class TestSessionOfTheRequest(TaskContract):
    """Example 4 as documented: the task is given the session of the request."""

    request = f"POST /broadcast/{MESSAGE}"
    json = [1, 2]
    tasks = ("send_notifications",)
    expected_failures = {
        "BGC-LOOP-01": Expectation(
            reason="The task is `async def` and its session synchronous.", link=DOCUMENT
        ),
        "BGC-DB-01": Expectation(
            when="fastapi>=0.106,<0.118",
            reason="FastAPI closes the session before the response; the task opens it again.",
            link=DOCUMENT,
        ),
        **({"BGC-ERR-03": LOCKED} if LOCKS else {}),
    }


class TestOwnSession(TaskContract):
    """Example 4, the way that holds: a `def` task with a session of its own."""

    request = f"POST /broadcast/own-session{MESSAGE}"
    json = [1, 2]
    tasks = ("send_notifications_own_session",)
    capabilities = {"uses_database": True, "async_tasks": False, "retries": False}


class TestOwnAsyncSession(TaskContract):
    """Example 4, the other way that holds: an `async def` task with a session of its own."""

    request = f"POST /broadcast/async-session{MESSAGE}"
    json = [1, 2]
    tasks = ("send_notifications_async_session",)
    capabilities = {"uses_database": True, "async_tasks": True}


class TestEmail(TaskContract):
    """Best practices as documented."""

    request = "POST /send-email/"
    json = EMAIL
    tasks = ("send_email_task",)


class TestReportingEmail(TaskContract):
    """Best practices, with a record of how it ended."""

    request = "POST /send-email/reporting"
    json = EMAIL
    tasks = ("send_email_task_reporting",)


class TestReport(TaskContract):
    """A state to poll."""

    request = "POST /reports"
    json = {"title": "Unread messages"}
    tasks = ("make_report",)
