"""Hands events to the checks, and keeps their findings by test."""

from __future__ import annotations

import re
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from bgcheck import events
from bgcheck.checks.base import Check, Finding
from bgcheck.checks.relevance import has_use_for_plain, sleeps
from bgcheck.instrument.hub import hub

if TYPE_CHECKING:
    from types import FunctionType

    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.recorder.request import RequestInfo

Handler = Callable[[Any], Iterable[Finding] | None]


GENERAL_FAILURE = "BG201"
"""The code for a failed task where no other finding says why it failed."""


class TestRun:
    """One test: its tasks and findings.

    Attributes:
        test: the node id, None for what no test started.
        tasks: those of its tasks that are not settled, in order.
        seen: those that are, and were not taken yet.
        findings: what was found and not taken yet.
        over: its teardown is done; what comes now is late.
    """

    __test__ = False

    def __init__(self, test: str | None, *, over: bool = False) -> None:
        self.test = test
        self.tasks: list[ScheduledTask] = []
        self.seen: list[ScheduledTask] = []
        self.findings: list[Finding] = []
        self.over = over
        self._explained: frozenset[int] = frozenset()

    def add(self, finding: Finding) -> None:
        """Take a finding; the failure of a task that another one explains is no second one."""
        if finding.code == GENERAL_FAILURE and finding.covers & self._explained:
            return
        if finding.code != GENERAL_FAILURE:
            self._explained |= finding.covers
        finding.test = self.test
        self.findings.append(finding)

    def take_findings(self) -> list[Finding]:
        """Return what was found since the last call."""
        taken, self.findings = self.findings, []
        return taken

    def take_tasks(self) -> list[ScheduledTask]:
        """Return the tasks that were settled since the last call, and let go of them."""
        taken, self.seen = self.seen, []
        return taken


class Engine:
    """A sink that watches a session and keeps nothing alive.

    Args:
        checks: the checks that are on.
    """

    keeps_live = False

    def __init__(self, checks: Iterable[Check]) -> None:
        self.checks: tuple[Check, ...] = tuple(checks)
        self.outside: TestRun = TestRun(None, over=True)
        self.current: TestRun = self.outside
        self._runs: dict[int, TestRun] = {}
        self._watched: weakref.WeakKeyDictionary[FunctionType, bool] = weakref.WeakKeyDictionary()
        self.plain_tasks: list[ScheduledTask] | None = None
        self.wake()

    def wake(self) -> None:
        """Look anew at which checks have something to see, now that a module was imported."""
        self._handlers = _handlers_of(self.checks)
        self._plain_handlers = {
            kind: tuple(one for one in handlers if has_use_for_plain(one, kind))
            for kind, handlers in self._handlers.items()
        }
        self.unwanted: frozenset[type] = _UNEVENTFUL.difference(self._handlers)
        self.takes_plain: bool = not any(map(self._plain_handlers.get, _OF_TASKS))
        self.quiet: bool = self.unwanted >= _PROGRESS and not self._plain_handlers.get(
            events.RequestFinished
        )
        self._put_plain_tasks()

    def watches(self, func: FunctionType) -> bool:
        """Whether a check wants to hear of every call of a function."""
        watched = self._watched.get(func)
        if watched is None:
            watched = self._watched[func] = any(check.watches(func) for check in self.checks)
        return watched

    def restarted(self, recording: int) -> None:
        """A recording begins: it belongs to the current test."""
        self._runs[recording] = self.current
        self._put_plain_tasks()

    def _put_plain_tasks(self) -> None:
        """Tell where plain tasks go without a call: that of the current test, unless it is over."""
        known = self._runs.get(hub.recording_number) is self.current
        self.plain_tasks = self.current.tasks if known and not self.current.over else None

    def __call__(self, event: events.Event) -> None:
        """Take an event from the instrumentation."""
        kind = type(event)
        task: ScheduledTask | None = getattr(event, "task", None)
        owner = task or getattr(event, "request", None)
        run = self.run_of(owner.recording) if owner is not None else self.current
        if kind not in _EXPECTED:
            _note_happening(event, task)
        if kind is events.TaskScheduled and task is not None:
            run.tasks.append(task)
        plain = task is not None and task.plain
        handlers = (self._plain_handlers if plain else self._handlers).get(kind)
        if handlers:
            _handle(handlers, event, run)
        if run.over:
            self._settle(run)

    def take_plain(self, task: ScheduledTask) -> None:
        """Take a plain task, instead of the event that it was scheduled."""
        run = self._runs.get(task.recording) or self.run_of(task.recording)
        run.tasks.append(task)

    def end_plain(self, request: RequestInfo) -> None:
        """Take the end of a request with no other than plain tasks, instead of its event."""
        run = self._runs.get(request.recording) or self.run_of(request.recording)
        handlers = self._plain_handlers.get(events.RequestFinished)
        if handlers:
            _handle(handlers, events.RequestFinished(request, None), run)
        if run.over:
            self._settle(run)

    def run_of(self, recording: int) -> TestRun:
        """Return the test that a recording belongs to: the current one, if it is new."""
        run = self._runs.get(recording)
        if run is None:
            run = self._runs[recording] = self.current
        return run

    def _dispatch(self, event: events.Event, run: TestRun) -> None:
        """Hand an event of the test itself to the checks."""
        _handle(self._handlers.get(type(event), ()), event, run)

    def start_test(self, test: str) -> None:
        """A test begins."""
        self.current = TestRun(test)
        self.restarted(hub.recording_number)
        self._dispatch(events.TestStarted(test), self.current)

    def settle(self, test_error: BaseException | None = None) -> None:
        """The body of the current test is over: judge the tasks of its finished requests.

        Args:
            test_error: what the test raised.
        """
        self._settle(self.current, test_error)

    def _settle(
        self, run: TestRun, test_error: BaseException | None = None, *, last: bool = False
    ) -> None:
        waiting = []
        for task in run.tasks:
            request = task.request
            if (
                (task.plain and self.takes_plain and task.ended_at is not None)
                and request is not None
                and request.finished
            ):
                run.seen.append(task)
            elif last or _is_over(task):
                run.seen.append(task)
                handlers = self._plain_handlers if task.plain else self._handlers
                if handlers.get(events.TaskSettled):
                    event = events.TaskSettled(task, test_error)
                    _handle(handlers[events.TaskSettled], event, run)
            else:
                waiting.append(task)
        run.tasks[:] = waiting

    def finish_test(self, test_error: BaseException | None = None) -> None:
        """The current test is over, with its fixtures."""
        run = self.current
        if run.test is None:
            return
        self._settle(run, test_error)
        self._dispatch(events.TestFinished(run.test), run)
        run.over = True
        self.current = self.outside
        self.plain_tasks = None

    def finish_session(self) -> None:
        """The last test is over, and nothing will finish any more."""
        for run in self._all_runs():
            self._settle(run, last=True)
        self._dispatch(events.SessionFinished(), self.outside)

    def take_late(self) -> tuple[list[Finding], list[ScheduledTask]]:
        """Return what was found, and settled, outside of any test or after its test was over."""
        findings: list[Finding] = []
        tasks: list[ScheduledTask] = []
        for run in self._all_runs():
            findings += run.take_findings()
            tasks += run.take_tasks()
        return findings, tasks

    def _all_runs(self) -> list[TestRun]:
        return list({id(run): run for run in (self.outside, *self._runs.values())}.values())


def _is_over(task: ScheduledTask) -> bool:
    return task.finished and (task.request is None or task.request.finished)


_OF_TASKS: tuple[type, ...] = (
    *(events.TaskScheduled, events.TaskStarted, events.TaskFinished, events.TaskSettled),
)

_EXPECTED: frozenset[type] = frozenset(
    {
        *(events.RequestStarted, events.ResponseStarted, events.ResponseCompleted),
        *(events.RequestFinished, events.OverridesMet, *_OF_TASKS),
    }
)
"""Events that come in every request with tasks, or say nothing of them."""


def _note_happening(event: events.Event, task: ScheduledTask | None) -> None:
    """Something has happened in a request: its tasks are plain no more."""
    if task is not None:
        task.plain = False
    request = task.request if task is not None else getattr(event, "request", None)
    if request is not None:
        request.eventful = True
        for each in request.tasks:
            each.plain = False


_PROGRESS: frozenset[type] = frozenset(
    {events.RequestStarted, events.ResponseStarted, events.ResponseCompleted}
)
"""Events of the progress of a request."""


_UNEVENTFUL: frozenset[type] = _PROGRESS | {events.TaskStarted}
"""Events that only checks are interested in."""


def _handle(handlers: tuple[Handler, ...], event: events.Event, run: TestRun) -> None:
    for handler in handlers:
        try:
            for finding in handler(event) or ():
                run.add(finding)
        except Exception as error:  # a bug of one check must not silence the others
            hub.note(error)


def _handlers_of(checks: Iterable[Check]) -> dict[type, tuple[Handler, ...]]:
    found: defaultdict[type, list[Handler]] = defaultdict(list)
    for check in checks:
        for name, kind in _EVENTS.items():
            if hasattr(check, name) and not sleeps(check, kind):
                found[kind].append(getattr(check, name))
    return {kind: tuple(handlers) for kind, handlers in found.items()}


def _event_methods() -> Iterator[tuple[str, type]]:
    """Yield the method name of each event: `on_task_scheduled` for `TaskScheduled`."""
    for name, kind in vars(events).items():
        if isinstance(kind, type) and hasattr(kind, "__dataclass_fields__"):
            yield "on" + re.sub(r"(?=[A-Z])", "_", name).lower(), kind


_EVENTS = dict(_event_methods())
