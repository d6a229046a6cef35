"""The task log: the tasks scheduled in one test, in order, and the assertions on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, overload

from bgcheck.events import Event, RequestStarted, TaskScheduled
from bgcheck.recorder import messages
from bgcheck.recorder.expectation import (
    Expectation,
    check_callable,
    check_counts,
    check_names,
    differences,
    is_task_of,
)
from bgcheck.recorder.params import equal
from bgcheck.recorder.raising import raise_all
from bgcheck.recorder.record import OUTCOMES, Outcome, ScheduledTask
from bgcheck.recorder.unequal import unequal
from bgcheck.recorder.view import Block, Select, View

if TYPE_CHECKING:
    from bgcheck.recorder.request import RequestInfo

LogT = TypeVar("LogT", bound="TaskLog")


class Recording:
    """The sink of one recording: what `bgcheck.instrument` reports arrives here.

    `keeps_live` asks the instrumentation for strong references to the live arguments.
    """

    keeps_live: bool = True

    def __init__(self) -> None:
        self.tasks: list[ScheduledTask] = []
        self.requests: list[RequestInfo] = []
        self.kept: list[object] = []
        self.verbosity: int = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, TaskScheduled):
            self.kept.append(event.task.live)
            self.tasks.append(event.task)
        elif isinstance(event, RequestStarted):
            self.requests.append(event.request)


class TaskLog(Sequence[ScheduledTask]):
    """The tasks scheduled in this test, in order; compares with lists of `scheduled(...)`.

    Views (`of`, `since`, slices) are of the same type and grow with the test.
    """

    def __init__(self, recording: Recording, *, view: View | None = None) -> None:
        self.recording: Recording = recording
        self._view: View = view or View()

    def _tasks(self) -> list[ScheduledTask]:
        return self._view.tasks(list(self.recording.tasks))

    def _look(self) -> list[ScheduledTask]:
        """The tasks, for a test that looks at them: nobody needs to be told of them again."""
        tasks = self._tasks()
        _mark(tasks)
        return tasks

    def _narrowed(self: LogT, described: str, tasks: Select, requests: Select = list) -> LogT:
        return type(self)(self.recording, view=self._view.narrowed(described, tasks, requests))

    @overload
    def __getitem__(self, index: int) -> ScheduledTask: ...
    @overload
    def __getitem__(self: LogT, index: slice) -> LogT: ...
    def __getitem__(self: LogT, index: int | slice) -> ScheduledTask | LogT:
        __tracebackhide__ = True
        if isinstance(index, slice):
            return self._narrowed(_describe_slice(index), lambda tasks: tasks[index])
        tasks = self._tasks()
        try:
            task = tasks[index]
        except IndexError:
            raise IndexError(messages.no_such_task(index, self._log, len(tasks))) from None
        _mark([task])
        return task

    def __len__(self) -> int:
        return len(self._look())

    def __iter__(self) -> Iterator[ScheduledTask]:
        return iter(self._look())

    def __contains__(self, item: object) -> bool:
        __tracebackhide__ = True
        found = [task for task in self._tasks() if equal(task, item)]
        if not found:
            _refuse(item)
        _mark(found)
        return bool(found)

    def __eq__(self, other: object) -> bool:
        __tracebackhide__ = True
        if isinstance(other, TaskLog):
            return self._look() == other._look()
        _refuse_single(other)
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return NotImplemented
        tasks = self._tasks()
        same = len(tasks) == len(other) and all(map(equal, tasks, other))
        if same:
            _mark(tasks)
        else:
            for item in other:
                _refuse(item)
        return same

    def __repr__(self) -> str:
        return messages.describe_log(self._context())

    @property
    def _log(self) -> str:
        return f"bgtasks{self._view.described}"

    @property
    def requests(self) -> Sequence[RequestInfo]:
        """The requests that applications got in this test, in order, with or without tasks."""
        return tuple(self._view.requests(list(self.recording.requests)))

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
        if func is not None:
            check_callable("of", func)
        if outcome is not None and outcome not in OUTCOMES:
            raise ValueError(f"{outcome!r} is no outcome\n  outcomes: {', '.join(OUTCOMES)}")

        def keep(task: ScheduledTask) -> bool:
            return (
                (func is None or is_task_of(task, func))
                and (outcome is None or task.outcome == outcome)
                and (path is None or _has_path(task, path))
                and (where is None or bool(where(task)))
            )

        described = messages.describe_view(func, outcome, path, where)
        return self._narrowed(described, lambda tasks: list(filter(keep, tasks)))

    @contextmanager
    def since(self: LogT) -> Iterator[LogT]:
        """View only what the block schedules; the view stays usable after the block.

        Yields:
            A view of the tasks and requests of the block.

        Example: `with bgtasks.since() as created: client.post("/items/1")`.
        """
        tasks, requests = Block(self.recording.tasks), Block(self.recording.requests)
        try:
            yield self._narrowed(".since()", tasks.select, requests.select)
        finally:
            tasks.end()
            requests.end()

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
        found = self._find("one", func, params)
        _mark(found)
        if len(found) != 1:
            wanted = messages.Wanted(func, params, partial=True)
            raise AssertionError(
                messages.wrong_count(self._context(), found, wanted, "exactly once")
            )
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
            TypeError: a name is no parameter of `func`, or it is both a parameter and a count.
            ValueError: the counts contradict each other.
        """
        __tracebackhide__ = True
        check_callable("expect", func)
        check_counts(func, {"times": times, "at_least": at_least, "at_most": at_most})
        least, most = _bounds(times, at_least, at_most)
        found = self._find("expect", func, params)
        _mark(found)
        if not least <= len(found) <= most:
            wanted = messages.Wanted(func, params, partial=True)
            count = messages.describe_count(least, most)
            raise AssertionError(messages.wrong_count(self._context(), found, wanted, count))
        return found

    def _find(
        self, where: str, func: Callable[..., Any] | None, params: dict[str, Any]
    ) -> list[ScheduledTask]:
        __tracebackhide__ = True
        if func is not None:
            check_callable(where, func)
            check_names(func, params)
        return [
            task
            for task in self._tasks()
            if (func is None or is_task_of(task, func))
            and not differences(params, task, func or task.func, partial=True)
        ]

    def _context(self, more: messages.More = "-v") -> messages.Context:
        return messages.Context(
            self._tasks(),
            tuple(self.recording.tasks),
            self.requests,
            self.recording.verbosity,
            self._log,
            more,
        )

    def raise_errors(self) -> None:
        """Raise what the tasks raised: the error itself if it is one, else a group of them.

        Raises:
            BaseException: the error of the single failed task.
            BaseExceptionGroup: the errors of several failed tasks, in order.
        """
        raise_all(self._errors())

    def _errors(self) -> list[BaseException]:
        errors: list[BaseException] = []
        for task in self._tasks():
            if task.error is not None:
                task.asserted = True
                errors.append(task.error)
        return errors

    def explain(self, op: str, other: object) -> list[str] | None:
        """Explain a failed comparison of this log, line by line, or return None.

        Args:
            op: the operator, with the log on its left (`==`, `!=`) or right (`in`, `not in`).
            other: the other operand.
        """
        if isinstance(other, TaskLog):
            return None
        context = self._context(more="-vv")
        if isinstance(other, Sequence) and not isinstance(other, (str, bytes)):
            if op == "==":
                return unequal(context, other)
            return messages.equal_logs(context) if op == "!=" else None
        if op in ("in", "not in") and isinstance(other, Expectation):
            explain = messages.not_contained if op == "in" else messages.contained
            return explain(context, other)
        return None


def explain(op: str, left: object, right: object, verbosity: int = 0) -> list[str] | None:
    """Explain a failed comparison, line by line, or return None where it is not of bgcheck.

    Args:
        op: the operator as it stands in the test.
        left: its left operand.
        right: its right operand.
        verbosity: pytest's verbosity for assertions, where no recording tells.
    """
    if isinstance(right, TaskLog):
        return right.explain(op, left)
    if isinstance(left, TaskLog):
        return left.explain(op, right)
    for task, expected in ((left, right), (right, left)):
        if op == "==" and isinstance(task, ScheduledTask) and isinstance(expected, Expectation):
            context = messages.Context([task], [task], [], verbosity)
            return messages.task_differs(context, task, expected)
    return None


def _mark(tasks: Iterable[ScheduledTask]) -> None:
    for task in tasks:
        task.asserted = True


def _refuse(item: object) -> None:
    """Refuse what can never be in a log, before `not in` or `!=` pass for the wrong reason."""
    __tracebackhide__ = True
    named = isinstance(item, str) or callable(item)
    if named and not isinstance(item, (Expectation, ScheduledTask)):
        raise TypeError(messages.no_expectation(item))


def _refuse_single(other: object) -> None:
    __tracebackhide__ = True
    if isinstance(other, Expectation):
        raise TypeError(
            f"bgtasks compares with a list: bgtasks == [scheduled({other.name}, ...)]\n"
            "  to find one call among others: scheduled(...) in bgtasks"
        )
    if callable(other):
        _refuse(other)


def _describe_slice(index: slice) -> str:
    parts = ["" if part is None else str(part) for part in (index.start, index.stop)]
    step = "" if index.step is None else f":{index.step}"
    return f"[{':'.join(parts)}{step}]"


def _has_path(task: ScheduledTask, path: str) -> bool:
    return task.request is not None and path in (task.request.path, task.request.route)


def _bounds(times: int | None, at_least: int | None, at_most: int | None) -> tuple[int, float]:
    __tracebackhide__ = True
    if times is not None:
        if at_least is not None or at_most is not None:
            raise ValueError("times cannot be combined with at_least or at_most: give one of them")
        return times, times
    least = at_least if at_least is not None else (0 if at_most is not None else 1)
    most = at_most if at_most is not None else float("inf")
    if least > most:
        raise ValueError(f"at_least={least} is more than at_most={most}")
    return least, most
