"""The task log: the tasks scheduled in one test, in order, and the assertions on them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, overload

from bgcheck.events import Event, RequestStarted, TaskScheduled
from bgcheck.recorder import messages
from bgcheck.recorder.expectation import (
    Expectation,
    check_names,
    differences,
    is_task_of,
    scheduled,
)
from bgcheck.recorder.record import OUTCOMES, Outcome, RequestInfo, ScheduledTask

LogT = TypeVar("LogT", bound="TaskLog")


class Recording:
    """The sink of one recording: what `bgcheck.instrument` reports arrives here.

    `keeps_live` asks the instrumentation for strong references to the live arguments.
    """

    keeps_live = True

    def __init__(self) -> None:
        self.tasks: list[ScheduledTask] = []
        self.requests: list[RequestInfo] = []
        self.kept: list[object] = []
        self.verbosity = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, TaskScheduled):
            self.kept.append(event.task.live)
            self.tasks.append(event.task)
        elif isinstance(event, RequestStarted):
            self.requests.append(event.request)


class TaskLog(Sequence[ScheduledTask]):
    """The tasks scheduled in this test, in order; compares with lists of `scheduled(...)`.

    Filtered views are of the same type and grow with the test.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        keep: Callable[[ScheduledTask], bool] | None = None,
        described: str = "",
    ) -> None:
        self.recording = recording
        self._keep = keep
        self._described = described

    def _tasks(self) -> list[ScheduledTask]:
        if self._keep is None:
            return list(self.recording.tasks)
        return [task for task in self.recording.tasks if self._keep(task)]

    def _view(self: LogT, keep: Callable[[ScheduledTask], bool], described: str) -> LogT:
        outer = self._keep
        both = keep if outer is None else lambda task: outer(task) and keep(task)
        return type(self)(self.recording, keep=both, described=described)

    @overload
    def __getitem__(self, index: int) -> ScheduledTask: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ScheduledTask]: ...
    def __getitem__(self, index: int | slice) -> ScheduledTask | Sequence[ScheduledTask]:
        __tracebackhide__ = True
        tasks = self._tasks()
        if isinstance(index, int) and not -len(tasks) <= index < len(tasks):
            raise IndexError(messages.no_such_task(index, tasks))
        return tasks[index]

    def __len__(self) -> int:
        return len(self._tasks())

    def __iter__(self) -> Iterator[ScheduledTask]:
        return iter(self._tasks())

    def __contains__(self, item: object) -> bool:
        found = [task for task in self._tasks() if task == item]
        for task in found:
            task.asserted = True
        return bool(found)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TaskLog):
            return self._tasks() == other._tasks()
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return NotImplemented
        tasks = self._tasks()
        equal = len(tasks) == len(other) and all(map(_equals, tasks, other))
        if equal:
            for task in tasks:
                task.asserted = True
        return equal

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        tasks = self._tasks()
        described = f" {self._described}" if self._described else ""
        listed = ", ".join(
            f"{task.name}({task.params.describe()}) {task.outcome}" for task in tasks
        )
        return f"<bgtasks{described}: {listed or 'nothing scheduled'}>"

    @property
    def requests(self) -> Sequence[RequestInfo]:
        """The requests that applications got in this test, in order, with or without tasks."""
        return tuple(self.recording.requests)

    def of(
        self: LogT,
        func: Callable[..., Any] | None = None,
        *,
        outcome: Outcome | None = None,
        path: str | None = None,
        where: Callable[[ScheduledTask], bool] | None = None,
    ) -> LogT:
        """Return a view of only some tasks.

        Args:
            func: tasks of this callable, partials and bound methods of it included.
            outcome: tasks with this outcome at the time of reading.
            path: tasks of requests with this path or route template.
            where: tasks for which this function returns true.

        Raises:
            ValueError: there is no such outcome.
        """
        __tracebackhide__ = True
        if outcome is not None and outcome not in OUTCOMES:
            raise ValueError(f"{outcome!r} is no outcome. Outcomes are: {', '.join(OUTCOMES)}.")

        def keep(task: ScheduledTask) -> bool:
            return (
                (func is None or is_task_of(task, func))
                and (outcome is None or task.outcome == outcome)
                and (path is None or _has_path(task, path))
                and (where is None or bool(where(task)))
            )

        return self._view(keep, messages.describe_view(func, outcome, path, where))

    @contextmanager
    def since(self: LogT) -> Iterator[LogT]:
        """View only what the block schedules; the view stays usable after the block.

        Example: `with bgtasks.since() as created: client.post("/items/1")`.
        """
        first = len(self.recording.tasks)
        last: list[int] = []

        def keep(task: ScheduledTask) -> bool:
            return task in self.recording.tasks[first : last[0] if last else None]

        try:
            yield self._view(keep, "since")
        finally:
            last.append(len(self.recording.tasks))

    def one(self, func: Callable[..., Any] | None = None, /, **params: Any) -> ScheduledTask:
        """Return the single task of `func` with these params.

        Args:
            func: the callable, or None for any.
            params: only the named params are compared; values may be matchers.

        Raises:
            AssertionError: no task or several match; the message lists the candidates.
            TypeError: a name is no parameter of `func`.
        """
        __tracebackhide__ = True
        found = self._find(func, params)
        if len(found) != 1:
            raise AssertionError(
                messages.wrong_count(self._context(), found, func, params, "exactly once")
            )
        found[0].asserted = True
        return found[0]

    def expect(
        self,
        func: Callable[..., Any],
        /,
        *,
        times: int | None = None,
        at_least: int | None = None,
        at_most: int | None = None,
        **params: Any,
    ) -> list[ScheduledTask]:
        """Assert how often `func` was scheduled with these params.

        Args:
            func: the callable; partials and bound methods of it count.
            times: the exact count; 0 asserts that it was not scheduled.
            at_least: the smallest count; 1 where no count is given.
            at_most: the largest count.
            params: only the named params are compared; values may be matchers.

        Returns:
            The matching tasks, in order.

        Raises:
            AssertionError: the count is another one; the message lists the candidates.
            TypeError: a name is no parameter of `func`.
            ValueError: the counts contradict each other.
        """
        __tracebackhide__ = True
        least, most = _bounds(times, at_least, at_most)
        found = self._find(func, params)
        if not least <= len(found) <= most:
            wanted = messages.describe_count(least, most)
            raise AssertionError(messages.wrong_count(self._context(), found, func, params, wanted))
        for task in found:
            task.asserted = True
        return found

    def _find(self, func: Callable[..., Any] | None, params: dict[str, Any]) -> list[ScheduledTask]:
        __tracebackhide__ = True
        if func is not None:
            check_names(func, params)
        return [
            task
            for task in self._tasks()
            if (func is None or is_task_of(task, func))
            and not differences(params, task, func or task.func, partial=True)
        ]

    def _context(self) -> messages.Context:
        return messages.Context(
            self._tasks(), self.recording.requests, self.recording.verbosity, self._described
        )

    def raise_errors(self) -> None:
        """Raise what the tasks raised: the error itself if it is one, else a group of them.

        Raises:
            BaseException: the error of the single failed task.
            BaseExceptionGroup: the errors of several failed tasks, in order.
        """
        errors = []
        for task in self._tasks():
            if task.error is not None and task.outcome == "failed":
                task.asserted = True
                errors.append(task.error)
        if len(errors) > 1:
            raise _group(f"{len(errors)} background tasks failed", errors)
        if errors:
            raise errors[0]

    def explain(self, op: str, other: object) -> list[str] | None:
        """Explain a failed `bgtasks == other` or `other in bgtasks`, line by line."""
        if op == "==" and isinstance(other, Sequence):
            return messages.unequal(self._context(), list(other))
        if op == "in" and isinstance(other, Expectation):
            return messages.not_contained(self._context(), other)
        if op == "not in" and isinstance(other, Expectation):
            return messages.contained(self._context(), other)
        return None


def _equals(task: ScheduledTask, expected: object) -> bool:
    return bool(task == expected)


def _has_path(task: ScheduledTask, path: str) -> bool:
    return task.request is not None and path in (task.request.path, task.request.route)


def _bounds(times: int | None, at_least: int | None, at_most: int | None) -> tuple[int, float]:
    __tracebackhide__ = True
    if times is not None:
        if at_least is not None or at_most is not None:
            raise ValueError("times cannot be combined with at_least or at_most; give one of them")
        return times, times
    least = at_least if at_least is not None else (0 if at_most is not None else 1)
    most = at_most if at_most is not None else float("inf")
    if least > most:
        raise ValueError(f"at_least={least} is more than at_most={most}")
    return least, most


def _group(message: str, errors: list[BaseException]) -> BaseException:
    if sys.version_info < (3, 11):
        from exceptiongroup import BaseExceptionGroup  # comes with pytest
    return BaseExceptionGroup(message, errors)


__all__ = ("Recording", "TaskLog", "scheduled")
