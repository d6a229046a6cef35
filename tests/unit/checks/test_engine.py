"""The engine: whose an event is, when tasks are settled, and errors of checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.background import BackgroundTask

from bgcheck import events
from bgcheck.checks.base import Check, Finding
from bgcheck.checks.engine import Engine
from bgcheck.instrument.hub import hub
from bgcheck.recorder.record import ScheduledTask
from bgcheck.recorder.request import RequestInfo


def nothing() -> None:
    """A task."""


class Noting(Check):
    """Notes what it sees, and finds something in each settled task."""

    code, name, default = "BG999", "noting", "E"
    summary = way_out = "Note."

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_request_started(self, event: events.RequestStarted) -> None:
        self.seen.append("request started")

    def on_task_settled(self, event: events.TaskSettled) -> Iterator[Finding]:
        self.seen.append(f"settled {event.task.number}")
        yield self.found("found.", task=event.task, covers=[event.task])

    def on_test_finished(self, event: events.TestFinished) -> None:
        self.seen.append(f"finished {event.test}")


class General(Noting):
    """Says what BG201 says."""

    code = "BG201"


class Broken(Check):
    """Breaks."""

    code, name, default = "BG998", "broken", "E"
    summary = way_out = "Break."

    def on_task_settled(self, event: events.TaskSettled) -> Iterator[Finding]:
        raise ZeroDivisionError
        yield


class Stage:
    """An engine with requests and tasks by hand."""

    def __init__(self, *checks: Check) -> None:
        self.engine = Engine(checks)
        self.live: list[Any] = []

    def request(self, recording: int) -> RequestInfo:
        request = RequestInfo(method="GET", path="/", number=1, recording=recording)
        self.engine(events.RequestStarted(request))
        return request

    def task(self, request: RequestInfo, number: int = 1) -> ScheduledTask:
        live = BackgroundTask(nothing)
        self.live.append(live)
        task = ScheduledTask(
            live,
            params=None,
            site=None,
            request=request,
            number=number,
            recording=request.recording,
        )
        self.engine(events.TaskScheduled(task))
        return task

    def finish(self, request: RequestInfo, *tasks: ScheduledTask) -> None:
        for task in tasks:
            task.outcome = "succeeded"
            self.engine(events.TaskFinished(task))
        request.finish(None)
        self.engine(events.RequestFinished(request, None))


def test_task_is_settled_once_when_its_request_and_the_body_are_over() -> None:
    check = Noting()
    stage = Stage(check)
    stage.engine.start_test("a")
    run = stage.engine.current
    request = stage.request(1)
    task = stage.task(request)
    stage.finish(request, task)
    assert check.seen == ["request started"]
    stage.engine.settle()
    stage.engine.settle()
    stage.engine.finish_test()
    assert check.seen == ["request started", "settled 1", "finished a"]
    (finding,) = run.take_findings()
    assert (finding.test, finding.code) == ("a", "BG999")
    assert run.take_findings() == []
    assert run.take_tasks() == [task]


def test_task_of_a_running_request_is_settled_when_it_ends() -> None:
    check = Noting()
    stage = Stage(check)
    stage.engine.start_test("a")
    first = stage.engine.current
    request = stage.request(1)
    task = stage.task(request)
    stage.engine.finish_test()
    stage.engine.start_test("b")
    assert "settled 1" not in check.seen
    stage.finish(request, task)
    assert check.seen[-1] == "settled 1"
    findings, tasks = stage.engine.take_late()
    assert [finding.test for finding in findings] == ["a"]
    assert tasks == [task]
    assert first.over


def test_unfinished_task_is_settled_at_the_end_of_the_session() -> None:
    check = Noting()
    stage = Stage(check)
    stage.engine.start_test("a")
    stage.task(stage.request(1))
    stage.engine.finish_test()
    stage.engine.finish_session()
    assert check.seen[-1] == "settled 1"


def test_what_happens_outside_of_tests_has_no_test() -> None:
    stage = Stage(Noting())
    request = stage.request(1)
    stage.finish(request, stage.task(request))
    findings, _ = stage.engine.take_late()
    assert [finding.test for finding in findings] == [None]


def test_error_of_a_check_is_kept_and_the_others_go_on() -> None:
    check = Noting()
    stage = Stage(Broken(), check)
    stage.engine.start_test("a")
    request = stage.request(1)
    stage.finish(request, stage.task(request))
    stage.engine.settle()
    assert "settled 1" in check.seen
    assert [type(error) for error in hub.errors] == [ZeroDivisionError]
    hub.errors.clear()


@pytest.mark.parametrize("checks", [(Noting, General), (Noting,)])
def test_explained_failure_is_no_second_finding(checks: tuple[type[Check], ...]) -> None:
    stage = Stage(*(check() for check in checks))
    stage.engine.start_test("a")
    run = stage.engine.current
    request = stage.request(1)
    stage.finish(request, stage.task(request))
    stage.engine.settle()
    assert [finding.code for finding in run.take_findings()] == ["BG999"]


def test_finding_keeps_nothing_alive() -> None:
    stage = Stage(Noting())
    stage.engine.start_test("a")
    run = stage.engine.current
    request = stage.request(1)
    stage.finish(request, stage.task(request))
    stage.engine.settle()
    (finding,) = run.take_findings()
    assert finding.request is not None
    assert finding.request.path == "/"
    assert not any(isinstance(part, (ScheduledTask, RequestInfo)) for part in vars_of(finding))


def vars_of(finding: Finding) -> list[object]:
    """The fields of a finding."""
    return [getattr(finding, name) for name in finding.__slots__]
