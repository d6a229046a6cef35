"""BG3, continued: arguments that another process would not get, or would not understand."""

from __future__ import annotations

import datetime
import json
import pickle
from typing import TYPE_CHECKING, Any, ClassVar

from bgcheck.checks.arguments_live import has_objects, objects_of, positional_names
from bgcheck.checks.base import Check, Finding
from bgcheck.recorder.describe import cut, safe_repr
from bgcheck.recorder.state import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import TaskScheduled
    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.recorder.state import State


class NotSerializable(Check):
    """An argument can be written neither as JSON nor as a pickle."""

    code = "BG311"
    name = "not-serializable"
    default: ClassVar[Default] = "O"
    summary = "An argument could not travel to a task queue: neither JSON nor pickle takes it."
    way_out = "Pass ids, text and numbers, and let the task fetch what it needs."

    def on_task_scheduled(self, event: TaskScheduled) -> Iterator[Finding]:
        """Try each argument."""
        task = event.task
        if task.request is None or not has_objects(task):
            return
        refused = [
            (path, reason)
            for path, value in _arguments(task)
            if (reason := why_not_serializable(value)) is not None
        ]
        if refused:
            yield self.found(
                f"{refused[0][0]} of {task.name} could not travel to a task queue.",
                refused,
                task=task,
            )


def _arguments(task: ScheduledTask) -> Iterator[tuple[str, Any]]:
    """Yield the outermost objects among the arguments."""
    direct = {id(value) for value in (*task.args, *task.kwargs.values())}
    return (pair for pair in objects_of(task) if id(pair[1]) in direct)


class _Nowhere:
    """A file that keeps nothing."""

    def write(self, data: object) -> int:
        """Take data and drop it."""
        return len(data) if isinstance(data, (bytes, bytearray)) else 0


def why_not_serializable(value: object) -> str | None:
    """Return why neither JSON nor a pickle can carry a value; None if one of them can.

    Pickling calls the value's own `__reduce__` and `__getstate__`.
    """
    if hasattr(type(value), "__next__") or hasattr(type(value), "__anext__"):
        return f"{type(value).__name__}: an iterator"
    try:
        pickle.Pickler(_Nowhere(), protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    except Exception as error:  # what a foreign class raises
        reason = f"{type(value).__name__}: {error}"
    else:
        return None
    try:
        json.dumps(value)
    except Exception:  # as above
        return cut(reason, 100)
    return None


class NaiveDatetime(Check):
    """A datetime without a time zone goes from a request to a task."""

    code = "BG313"
    name = "naive-datetime"
    default: ClassVar[Default] = "O"
    summary = "A datetime without a time zone crosses from the request to the task."
    way_out = "Use aware datetimes, such as datetime.now(timezone.utc)."

    def on_task_scheduled(self, event: TaskScheduled) -> Iterator[Finding]:
        """Look for naive ones among the arguments and what they hold."""
        task = event.task
        if task.request is None or task.call is None:
            return
        found = [
            (path, safe_repr(state))
            for path, state in leaves_of(task)
            if isinstance(state, datetime.datetime) and state.utcoffset() is None
        ]
        if found:
            yield self.found(
                f"{found[0][0]} of {task.name} is a datetime without a time zone.", found, task=task
            )


def leaves_of(task: ScheduledTask) -> Iterator[tuple[str, State]]:
    """Yield the constants among the arguments of a task, as they were when it was scheduled."""
    if task.call is None:
        return
    seen: set[int] = set()
    for name, state in task.call.roots(positional_names(task)).items():
        yield from _leaves(state, name, seen)


def _leaves(state: State, path: str, seen: set[int]) -> Iterator[tuple[str, State]]:
    if not isinstance(state, Node):
        yield path, state
    elif id(state) not in seen:
        seen.add(id(state))
        for step, item in state.items.items():
            if step.kind == "element":
                yield path, step.key
            else:
                yield from _leaves(item, path + step.text, seen)
