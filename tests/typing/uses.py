"""Correct uses of the public API, for mypy and pyright; nothing here runs."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal
from unittest.mock import ANY

from typing_extensions import assert_type

import bgcheck
from bgcheck import scheduled


def process_item(item_id: int, action: str = "create") -> None: ...


async def send_email(to: str, *, subject: str = "", **headers: str) -> bool:
    return True


class Mailer:
    def send(self, to: str) -> None: ...

    def __call__(self, to: str) -> None: ...


def expectations(mailer: Mailer) -> None:
    assert_type(scheduled(process_item, 42), bgcheck.Expectation)
    scheduled(process_item, item_id=42, action="update")
    scheduled(process_item, ANY, action=ANY)
    scheduled(send_email, "ada@example.org", subject="Hello", reply_to="bob")
    scheduled(mailer.send, to="ada@example.org")
    scheduled(Mailer.send, mailer, "ada@example.org")
    scheduled(mailer, "ada@example.org")
    scheduled(Mailer)
    scheduled(partial(process_item, 42), action="update")
    scheduled(lambda: None)


def test_log(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    assert bgtasks == [scheduled(process_item, 42)]
    assert scheduled(process_item, 42) in bgtasks
    assert_type(bgtasks[0], bgcheck.ScheduledTask)
    assert_type(bgtasks[1:], bgcheck.BackgroundTasksLog)
    assert_type(list(bgtasks), list[bgcheck.ScheduledTask])
    assert_type(bgtasks.of(process_item), bgcheck.BackgroundTasksLog)
    assert_type(
        bgtasks.of(send_email, outcome="failed", where=lambda task: bool(task.error)),
        bgcheck.BackgroundTasksLog,
    )
    with bgtasks.since() as created:
        assert_type(created, bgcheck.BackgroundTasksLog)
    assert_type(bgtasks.one(), bgcheck.ScheduledTask)
    assert_type(bgtasks.one(process_item, item_id=42), bgcheck.ScheduledTask)
    assert_type(bgtasks.expect(process_item, item_id=ANY, times=1), list[bgcheck.ScheduledTask])
    assert_type(bgtasks.requests, Sequence[bgcheck.RequestInfo])
    bgtasks.raise_errors()


def test_task(task: bgcheck.ScheduledTask) -> None:
    assert_type(task.name, str)
    assert_type(task.params["item_id"], Any)
    assert_type(task.args, tuple[Any, ...])
    assert_type(task.kwargs, dict[str, Any])
    assert_type(task.site, bgcheck.Site | None)
    assert_type(task.request, bgcheck.RequestInfo | None)
    assert_type(task.outcome, bgcheck.Outcome)
    assert_type(task.error, BaseException | None)
    assert_type(task.response_status, int | None)
    assert_type(task.thread, Literal["loop", "worker"] | None)
    assert_type(task.duration, float | None)
    assert task == scheduled(process_item, 42)
    if task.request is not None:
        assert_type(task.request.method, str)
        assert_type(task.request.path, str)
        assert_type(task.request.route, str | None)
        assert_type(task.request.number, int)


def without_a_fixture() -> None:
    with bgcheck.record() as bgtasks:
        assert_type(bgtasks, bgcheck.BackgroundTasksLog)


def outcome_of(log: bgcheck.TaskLog) -> bgcheck.Outcome:
    assert_type(log.of(process_item), bgcheck.TaskLog)
    return log.one(process_item).outcome
