"""BG1: what is handed to the framework, and whether it ever runs."""

from __future__ import annotations

import inspect
import weakref
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar

from bgcheck.checks import callables, chains
from bgcheck.checks.base import Check, Finding, unless_plain
from bgcheck.checks.calls import equal_calls
from bgcheck.recorder.binding import bind, signature_of, unwrap
from bgcheck.recorder.record import ScheduledTask, func_of
from bgcheck.recorder.request import ordinal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import TaskFinished, TaskScheduled, TaskSettled, TaskStarted


class WrongArguments(Check):
    """The call cannot bind to the signature of the task's function."""

    code = "BG101"
    name = "wrong-arguments"
    default: ClassVar[Default] = "E"
    summary = "The scheduled arguments are no call of the task's function."
    way_out = "Pass what the signature asks for; add_task checks nothing before the response."

    def __init__(self) -> None:
        self._through_decorator: weakref.WeakKeyDictionary[ScheduledTask, TypeError]
        self._through_decorator = weakref.WeakKeyDictionary()
        self._fitting: weakref.WeakKeyDictionary[Any, set[tuple[Any, ...]]]
        self._fitting = weakref.WeakKeyDictionary()

    @unless_plain
    def on_task_scheduled(self, event: TaskScheduled) -> Iterator[Finding]:
        """Bind the call before it is made."""
        live = event.task.live
        func = getattr(live, "func", None)
        shape = (len(live.args), *live.kwargs) if type(func) is FunctionType else None
        if not callable(func):
            return
        if shape is not None and shape in self._fitting.get(func, ()):
            return
        call = unwrap(func, live.args, live.kwargs)
        error = bind(call).error
        if error is not None:
            yield self._finding(event.task, error, f"{signature_of(call.func)}")
        elif hasattr(call.func, "__wrapped__"):
            inner = _binding_error(call.func, call.args, call.kwargs)
            if inner is not None:
                self._through_decorator[event.task] = inner
        elif shape is not None:
            self._fitting.setdefault(func, set()).add(shape)

    @unless_plain
    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """A decorator that passes everything on fails only when it calls the function inside."""
        error = self._through_decorator.pop(event.task, None)
        if error is None or not isinstance(event.error, TypeError):
            return
        signature = signature_of(unwrap(event.task.func, (), {}).func)
        if not _entered(event.error, inspect.unwrap(unwrap(event.task.func, (), {}).func)):
            yield self._finding(event.task, error, f"{signature}")

    def _finding(self, task: ScheduledTask, error: TypeError, signature: str) -> Finding:
        return self.found(
            f"the call of {task.name} does not bind to its signature: {error}.",
            [("signature", f"{task.name}{signature}")],
            task=task,
            covers=[task],
        )


def _binding_error(func: Any, args: tuple[Any, ...], kwargs: Any) -> TypeError | None:
    try:
        signature_of(func).bind(*args, **kwargs)
    except TypeError as error:
        return error
    return None


def _entered(error: BaseException, func: Any) -> bool:
    """Whether an error was raised inside of a function, rather than by calling it."""
    code = getattr(func, "__code__", None)
    entry = error.__traceback__
    while entry is not None:
        if entry.tb_frame.f_code is code:
            return True
        entry = entry.tb_next
    return False


class NotCallable(Check):
    """A result, None or a coroutine object was scheduled instead of a function."""

    code = "BG102"
    name = "not-callable"
    default: ClassVar[Default] = "E"
    summary = "Something that cannot be called was scheduled as a task."
    way_out = "Pass the function and its arguments apart: add_task(f, x), not add_task(f(x))."

    @unless_plain
    def on_task_scheduled(self, event: TaskScheduled) -> Iterator[Finding]:
        """Look at what was passed as the function."""
        func: object = func_of(event.task.live)
        if callable(func):
            return
        what = _describe_thing(func)
        yield self.found(
            f"{what} was scheduled as a task; it cannot be called.",
            [("got", what)],
            task=event.task,
            covers=[event.task],
        )


def _describe_thing(thing: object) -> str:
    if thing is None:
        return "None"
    if inspect.iscoroutine(thing):
        return f"the coroutine of {thing.__qualname__}()"
    if inspect.isgenerator(thing) or inspect.isasyncgen(thing):
        return f"the generator of {thing.__qualname__}()"
    kind = type(thing).__qualname__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"


class TaskLost(Check):
    """A task was scheduled in a request and never ran."""

    code = "BG103"
    name = "task-lost"
    default: ClassVar[Default] = "E"
    summary = "A task was scheduled in a request and never ran."
    way_out = (
        "Schedule where nothing can fail any more, on the response that is really sent; what must "
        "happen even if the request fails does not belong in a background task."
    )

    @unless_plain
    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """Tell once nothing can run it any more."""
        task = event.task
        if task.outcome != "lost" or task.request is None or task.dropped:
            return
        status = task.request.response_status
        answer = "no response" if status is None else f"the response had status {status}"
        yield self.found(
            f"{task.name} was scheduled and never ran: {task.reason}.",
            [("answer", answer)],
            task=task,
        )


class TaskRanTwice(Check):
    """One task object ran more than once."""

    code = "BG104"
    name = "task-ran-twice"
    default: ClassVar[Default] = "E"
    summary = "One task object ran more than once."
    way_out = "Make the BackgroundTasks, the task and the response anew in each request."

    @unless_plain
    def on_task_started(self, event: TaskStarted) -> Iterator[Finding]:
        """Count the runs of the object itself, over all requests and tests."""
        task = event.task
        runs = task.earlier_runs + task.runs
        if task.request is not None and runs > 1:
            yield self.found(
                f"the same task object of {task.name} ran more than once.",
                [
                    ("this run", f"its {ordinal(runs)}, {task.request}"),
                    ("first run", task.first_request or str(task.request)),
                ],
                task=task,
            )


class ScheduledTwice(Check):
    """The same call was scheduled twice in one request."""

    code = "BG105"
    name = "scheduled-twice"
    default: ClassVar[Default] = "W"
    summary = "The same call was scheduled twice in one request."
    way_out = "Schedule it in one place: the endpoint or a dependency, not both."

    @unless_plain
    def on_task_scheduled(self, event: TaskScheduled) -> Iterator[Finding]:
        """Compare with what the request has scheduled before."""
        task = event.task
        if task.request is None or task.parent is not None:
            return
        for earlier in task.request.tasks:
            if earlier is not task and earlier.name == task.name and equal_calls(earlier, task):
                yield self.found(
                    f"{task.name} was scheduled twice in one request with the same arguments.",
                    [("first", earlier.site or "an unknown line")],
                    task=task,
                )
                return


CHECKS: tuple[type[Check], ...] = (
    WrongArguments,
    NotCallable,
    TaskLost,
    TaskRanTwice,
    ScheduledTwice,
    *callables.CHECKS,
    *chains.CHECKS,
)
