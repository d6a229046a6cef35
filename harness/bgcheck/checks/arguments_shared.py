"""BG3, continued: what a task changes under the eyes of others."""

from __future__ import annotations

import weakref
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bgcheck.checks.arguments_live import (
    blame_tasks,
    changes_by,
    data_of,
    function_of,
    is_service,
    state_at_start,
)
from bgcheck.checks.base import Check, Finding
from bgcheck.checks.reach import is_shared, user_modules
from bgcheck.recorder.contents import CONSTANT, is_constant, reader_of
from bgcheck.recorder.record import UNFINISHED, Site, describe_function
from bgcheck.recorder.state import Node, capture, changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bgcheck.checks.base import Default
    from bgcheck.events import TaskFinished, TaskStarted
    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.recorder.state import Change

SHOWN: Final = 3
"""Changes that one finding lists."""


def evidence_of(found: list[Change], then: str, now: str) -> list[tuple[str, str | Site]]:
    """Write changes as lines of evidence.

    Args:
        found: the changes.
        then: when the value before was there, such as `before`.
        now: when the value after was there.
    """
    lines: list[tuple[str, str | Site]] = [
        (each.path, f"{each.before or 'nothing'} {then}, {each.after or 'nothing'} {now}")
        for each in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        lines.append(("and", f"{len(found) - SHOWN} more changes"))
    return lines


class SharedMutable(Check):
    """A task changed an argument that a later task of the same request gets too."""

    code = "BG303"
    name = "shared-mutable"
    default: ClassVar[Default] = "E"
    summary = "Two tasks share a mutable argument, and one changes it before the other runs."
    way_out = (
        "Arguments are shared, not copied: give each task a copy of its own, or have the task "
        "work on a copy."
    )

    def on_task_started(self, event: TaskStarted) -> None:
        """Note the state of the arguments, if another task can share them."""
        request = event.task.request
        if request is not None and len(request.tasks) > 1:
            state_at_start(event.task)

    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Look for changes in what a task has that is still to run."""
        task, request = event.task, event.task.request
        found = [] if request is None or event.error is not None else changes_by(task)
        if request is None or not found:
            return
        data = data_of(task)
        for other in request.tasks:
            if other is task or other.outcome not in UNFINISHED:
                continue
            theirs = data_of(other)
            shared = [
                change
                for change in found
                if change.holder in data
                and change.holder in theirs
                and not is_shared(data[change.holder], request)
            ]
            if shared:
                blame_tasks(request, {change.holder for change in shared if change.holder})
                yield self._tell(task, other, shared)

    def _tell(self, task: ScheduledTask, other: ScheduledTask, shared: list[Change]) -> Finding:
        place = [("scheduled", other.site)] if other.site is not None else []
        return self.found(
            f"{task.name} changes {shared[0].path}, which {other.name} gets too and is to run "
            "after it.",
            [*evidence_of(shared, "before", "after"), *place],
            task=task,
        )


class MutableDefault(Check):
    """A task changed a mutable default of its own signature."""

    code = "BG304"
    name = "mutable-default"
    default: ClassVar[Default] = "E"
    summary = "A task changed a mutable default value of its own signature."
    way_out = "Use None as the default, and make the list or dict inside of the function."

    def __init__(self) -> None:
        self._before: weakref.WeakKeyDictionary[ScheduledTask, dict[str, Node]] = (
            weakref.WeakKeyDictionary()
        )

    def on_task_started(self, event: TaskStarted) -> None:
        """Note the state of the defaults that can change."""
        func = function_of(event.task)
        if func is None or not (func.__defaults__ or func.__kwdefaults__):
            return
        states = {name: capture(value) for name, value in _mutable_defaults(func)}
        if states:
            self._before[event.task] = states

    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Compare them."""
        if not self._before:
            return
        task = event.task
        before = self._before.pop(task, None)
        func = function_of(task) if before is not None else None
        if before is None or func is None:
            return
        for name, value in _mutable_defaults(func):
            found = changes(before.get(name), capture(value), name)
            if name in before and found and _outlives(func, task) and not _is_named(value):
                code = func.__code__
                place = Site(code.co_filename, code.co_firstlineno, describe_function(func))
                yield self.found(
                    f"{task.name} changed the default of its parameter {name}, which every later "
                    "call gets.",
                    [*evidence_of(found, "before", "after"), ("defined", place)],
                    task=task,
                )


def _mutable_defaults(func: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the defaults that a call could change without meaning to.

    A parameter with a leading underscore is the idiom for a cache that outlives the call.
    """
    for name, value in _defaults(func):
        kind = type(value)
        if kind in CONSTANT or is_constant(value) or name.startswith("_"):
            continue
        if reader_of(kind) is not None and not is_service(kind):
            yield name, value


def _defaults(func: FunctionType) -> Iterator[tuple[str, Any]]:
    code, values = func.__code__, func.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    yield from zip(names[len(names) - len(values) :], values, strict=True)
    named: Mapping[str, Any] = func.__kwdefaults__ or {}
    yield from named.items()


def _outlives(func: FunctionType, task: ScheduledTask) -> bool:
    """Whether a later call can meet the same defaults: a local function is made anew."""
    request = task.request
    if "<locals>" not in func.__qualname__ or is_shared(func, request):
        return True
    others = request.tasks if request is not None else ()
    return any(other is not task and function_of(other) is func for other in others)


def _is_named(value: object) -> bool:
    """Whether a module of the user's has a name for a default: a store that is meant to be one."""
    return any(each is value for module in user_modules() for each in list(vars(module).values()))
