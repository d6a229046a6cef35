"""Failure messages: the fact, the evidence with the nearest candidate first, the way out."""

from __future__ import annotations

import os
import reprlib
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bgcheck.recorder.expectation import (
    MISSING,
    Difference,
    Expectation,
    differences,
    is_task_of,
)
from bgcheck.recorder.params import describe_params
from bgcheck.recorder.record import RequestInfo, ScheduledTask, describe_function

WIDTH: Final = 96
"""Columns of a line, so that pytest's own margin fits into 100."""

LISTED: Final = 3
"""Candidates that are shown without `-v`."""


@dataclass(frozen=True)
class Context:
    """What a message draws on: the tasks in view, the requests, pytest's verbosity."""

    tasks: Sequence[ScheduledTask]
    requests: Sequence[RequestInfo]
    verbosity: int = 0
    view: str = ""

    def shorten(self, value: object, width: int = 60) -> str:
        """Write a value, cut in the middle unless pytest runs with `-vv`."""
        if value is MISSING:
            return "(nothing)"
        text = safe_repr(value)
        if self.verbosity >= 2 or len(text) <= width:
            return text
        half = (width - 3) // 2
        return f"{text[:half]}...{text[-half:]}"

    def call(self, name: str, params: Mapping[str, Any]) -> str:
        """Write a call, cut at the end of the line unless pytest runs with `-vv`."""
        text = f"{name}({describe_params(params, lambda value: self.shorten(value, 40))})"
        return (
            text if self.verbosity >= 2 else textwrap.shorten(text, WIDTH - 12, placeholder=" ...)")
        )


def safe_repr(value: object) -> str:
    """Return `repr(value)`, or a stand-in where it raises."""
    try:
        return repr(value)
    except Exception as error:  # a foreign __repr__ may do anything
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"


def no_such_task(index: int, tasks: Sequence[ScheduledTask]) -> str:
    """Explain an index out of range."""
    if not tasks:
        return f"bgtasks[{index}]: no task was scheduled"
    return f"bgtasks[{index}]: only {_tasks(len(tasks))} scheduled"


def describe_view(
    func: Callable[..., Any] | None,
    outcome: str | None,
    path: str | None,
    where: Callable[..., Any] | None,
) -> str:
    """Write the filter of a view for its repr."""
    parts = [describe_function(func)] if func is not None else []
    parts += [f"{key}={value!r}" for key, value in (("outcome", outcome), ("path", path)) if value]
    if where is not None:
        parts.append(f"where={describe_function(where)}")
    return f"of({', '.join(parts)})"


def describe_count(least: int, most: float) -> str:
    """Write how often something was expected."""
    if least == most:
        return {0: "never", 1: "exactly once"}.get(least, f"exactly {least} times")
    if most == float("inf"):
        return "at least once" if least == 1 else f"at least {least} times"
    return f"at most {most} times" if least == 0 else f"{least} to {most} times"


def wrong_count(
    context: Context,
    found: Sequence[ScheduledTask],
    func: Callable[..., Any] | None,
    params: Mapping[str, Any],
    wanted: str,
) -> str:
    """Explain a count that is not the expected one."""
    name = describe_function(func) if func is not None else "a task"
    lines = [_count_fact(context, found, func, params, wanted)]
    if params:
        lines.append(f"  expected  {context.call(name, params)}")
    if found:
        return "\n".join([*lines, *_candidates(context, found), *_narrower(name, found, wanted)])
    return "\n".join([*lines, *_instead(context, func, params, partial=True)])


def _count_fact(
    context: Context,
    found: Sequence[ScheduledTask],
    func: Callable[..., Any] | None,
    params: Mapping[str, Any],
    wanted: str,
) -> str:
    name = describe_function(func) if func is not None else "a task"
    same = [task for task in context.tasks if func is None or is_task_of(task, func)]
    if found:
        times = f"{_times(len(found))} with these params" if params else _times(len(found))
        return f"{name} was scheduled {times}, expected {wanted}."
    if same:
        return (
            f"{name} was scheduled {_times(len(same))}, never with these params; expected {wanted}."
        )
    return f"{name} was not scheduled, expected {wanted}."


def _narrower(name: str, found: Sequence[ScheduledTask], wanted: str) -> list[str]:
    if len(found) < 2 or wanted != "exactly once":
        return []
    return [f"  to tell them apart, name a param: bgtasks.one({name}, ...)"]


def not_contained(context: Context, expected: Expectation) -> list[str]:
    """Explain a failed `scheduled(...) in bgtasks`."""
    same = [task for task in context.tasks if is_task_of(task, expected.func)]
    if same:
        fact = (
            f"{expected.name} was scheduled {_times(len(same))}, never with exactly these params."
        )
    else:
        fact = f"{expected.name} was not scheduled."
    return [
        fact,
        f"  expected  {context.call(expected.name, expected.params)}",
        *_instead(context, expected.func, expected.params, partial=False),
    ]


def contained(context: Context, expected: Expectation) -> list[str]:
    """Explain a failed `scheduled(...) not in bgtasks`."""
    found = [task for task in context.tasks if task == expected]
    return [f"{expected.name} was scheduled {_times(len(found))}.", *_candidates(context, found)]


def unequal(context: Context, expected: Sequence[object]) -> list[str]:
    """Explain a failed `bgtasks == [...]`: the first place where the two differ."""
    tasks = context.tasks
    fact = f"{_tasks(len(tasks))} scheduled, expected {len(expected)}."
    if len(tasks) == len(expected):
        fact = f"{_tasks(len(tasks))} scheduled, but not as expected."
    for number, (task, wanted) in enumerate(zip(tasks, expected, strict=False)):
        if task != wanted:
            return [fact, *_unequal_at(context, number, task, wanted)]
    if len(tasks) > len(expected):
        return [fact, "  not expected:", *_candidates(context, tasks[len(expected) :], nearest="")]
    missing = expected[len(tasks)]
    if not isinstance(missing, Expectation):
        return [fact, f"  missing   {context.shorten(missing)}"]
    call = context.call(missing.name, missing.params)
    return [fact, f"  missing   {call}", *_nothing_more(context)]


def _unequal_at(context: Context, number: int, task: ScheduledTask, wanted: object) -> list[str]:
    if not isinstance(wanted, Expectation):
        return [
            f"  task {number} differs: {context.shorten(wanted)} is no expectation.",
            f"  write it as scheduled({task.name}, ...)",
        ]
    found = context.call(task.name, task.params)
    lines = [
        f"  task {number} differs:",
        f"  expected  {context.call(wanted.name, wanted.params)}",
        f"  scheduled {found}",
    ]
    if is_task_of(task, wanted.func):
        lines += _diff(context, differences(wanted.params, task, wanted.func))
    return [*lines, f"  at        {_place(task)}"]


def _instead(
    context: Context,
    func: Callable[..., Any] | None,
    params: Mapping[str, Any],
    *,
    partial: bool,
) -> list[str]:
    """What was scheduled instead: the same function, else other tasks, else the requests."""
    if not context.tasks:
        return _nothing_more(context)
    ranked = _rank(context.tasks, func, params, partial=partial)
    nearest = ranked[0]
    lines = _candidates(context, [nearest])
    if func is not None and is_task_of(nearest, func):
        lines[1:1] = _diff(context, differences(params, nearest, func, partial=partial))
        if not partial:
            lines.append(_way_out(context, nearest, func, params))
    return lines + _others(context, ranked[1:])


def _rank(
    tasks: Iterable[ScheduledTask],
    func: Callable[..., Any] | None,
    params: Mapping[str, Any],
    *,
    partial: bool,
) -> list[ScheduledTask]:
    def distance(task: ScheduledTask) -> tuple[bool, int, int]:
        if func is None:
            return False, len(differences(params, task, task.func, partial=True)), task.number
        other = not is_task_of(task, func)
        count = 0 if other else len(differences(params, task, func, partial=partial))
        return other, count, task.number

    return sorted(tasks, key=distance)


def _candidates(
    context: Context, tasks: Sequence[ScheduledTask], nearest: str = "scheduled"
) -> list[str]:
    shown = tasks if context.verbosity >= 1 else tasks[:LISTED]
    lines: list[str] = []
    for task in shown:
        lines.append(f"  {nearest:9} {context.call(task.name, task.params)}")
        lines.append(f"  at        {_place(task)}{_outcome(task)}")
    if len(tasks) > len(shown):
        lines.append(f"  ... and {len(tasks) - len(shown)} more (-v shows all)")
    return lines


def _others(context: Context, tasks: Sequence[ScheduledTask]) -> list[str]:
    if not tasks:
        return []
    if context.verbosity >= 1:
        return ["  also scheduled:", *_candidates(context, tasks, nearest="")]
    names = ", ".join(dict.fromkeys(task.name for task in tasks))
    return [f"  also      {textwrap.shorten(names, 70, placeholder=' ...')} (-v shows all)"]


def _diff(context: Context, found: Sequence[Difference]) -> list[str]:
    width = max((len(difference.name) for difference in found), default=0)
    lines: list[str] = []
    for difference in found:
        expected, actual = (
            context.shorten(value, max(20, (WIDTH - width - 30) // 2))
            for value in (difference.expected, difference.found)
        )
        lines.append(f"    {difference.name:{width}}  expected {expected}, got {actual}")
    return lines


def _way_out(
    context: Context,
    nearest: ScheduledTask,
    func: Callable[..., Any],
    params: Mapping[str, Any],
) -> str:
    differing = {difference.name for difference in differences(params, nearest, func)}
    same = [f"{name}=..." for name in params if name not in differing]
    call = ", ".join([describe_function(func), *same])
    return f"  to compare only some params: bgtasks.expect({call})"


def _nothing_more(context: Context) -> list[str]:
    """Nothing was scheduled: show what the requests of the test came to."""
    if context.tasks:
        return []
    if context.view:
        return [f"  no task in this view: {context.view}"]
    if not context.requests:
        return [
            "  no task was scheduled, and no request reached an application in this test.",
            "  bgtasks sees Starlette and FastAPI applications that run in this process.",
        ]
    shown = context.requests if context.verbosity >= 1 else context.requests[:LISTED]
    lines = ["  no task was scheduled in this test. Its requests:"]
    lines += [f"    {request.method} {request.path} -> {_answer(request)}" for request in shown]
    if len(context.requests) > len(shown):
        lines.append(f"    ... and {len(context.requests) - len(shown)} more (-v shows all)")
    return [*lines, "  add_task was not reached, or was patched by the test."]


def _answer(request: RequestInfo) -> str:
    status = str(request.response_status) if request.response_status else "no response"
    return f"{status}, {type(request.error).__name__}" if request.error else status


def _place(task: ScheduledTask) -> str:
    site = "an unknown line"
    if task.site is not None:
        site = f"{relative(task.site.file)}:{task.site.line} in {task.site.function}"
    return (
        f"{site}, {task.request}" if task.request is not None else f"{site}, outside of a request"
    )


def _outcome(task: ScheduledTask) -> str:
    if task.error is not None:
        return f", failed: {reprlib.repr(task.error)}"
    return "" if task.outcome == "succeeded" else f", {task.outcome}"


def relative(file: str) -> str:
    """Write a file relative to the working directory where it lies inside it."""
    try:
        short = os.path.relpath(file)
    except ValueError:  # another drive
        return file
    return file if short.startswith("..") else short


def _tasks(count: int) -> str:
    return {0: "no task was", 1: "1 task was"}.get(count, f"{count} tasks were")


def _times(count: int) -> str:
    return {0: "0 times", 1: "once"}.get(count, f"{count} times")
