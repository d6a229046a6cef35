"""What the tasks of one process did, as plain data for task coverage."""

from __future__ import annotations

import functools
import inspect
import weakref
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypedDict

from bgcheck.checks.suppress import relative_to
from bgcheck.events import TaskScheduled
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from bgcheck.events import Event
    from bgcheck.recorder.record import ScheduledTask


class Place(TypedDict):
    """A line of a file."""

    file: str
    line: int


class TaskRun(TypedDict):
    """One scheduled task: its function, where that is defined, its site, and what became of it."""

    func: str
    defined: Place | None
    site: dict[str, Any] | None
    ran: bool
    failed: bool
    asserted: bool
    test: str | None


class Definitions:
    """A sink that notes where task functions are defined, while their task objects are alive.

    Args:
        root: the rootdir; files in it are written relative to it.
    """

    keeps_live = False

    def __init__(self, root: str) -> None:
        self.root = root
        self._places: weakref.WeakKeyDictionary[ScheduledTask, Place] = weakref.WeakKeyDictionary()

    def __call__(self, event: Event) -> None:
        """Take an event from the instrumentation."""
        if isinstance(event, TaskScheduled):
            place = definition_of(event.task.func, self.root)
            if place is not None:
                self._places[event.task] = place

    def run_of(self, line: dict[str, Any], task: ScheduledTask) -> TaskRun:
        """Return what a task did.

        Args:
            line: the task as the JSON lines file has it.
            task: its record.
        """
        return {
            "func": line["func"],
            "defined": self._places.get(task),
            "site": line["site"],
            "ran": task.runs > 0,
            "failed": line["outcome"] == "failed",
            "asserted": line["asserted"],
            "test": line["test"],
        }


def definition_of(func: object, root: str) -> Place | None:
    """Return where a callable is defined, or None if that is not in the user's code.

    Args:
        func: a function, method, partial, decorated function, or an object with `__call__`.
        root: the rootdir.
    """
    while isinstance(func, functools.partial):
        func = func.func
    func = getattr(func, "__func__", func)
    if not isinstance(func, FunctionType):
        func = inspect.getattr_static(type(func), "__call__", None)
    if not isinstance(func, FunctionType):
        return None
    inner: Any = inspect.unwrap(func)
    code = getattr(inner, "__code__", None)
    if code is None or not is_user_file(code.co_filename):
        return None
    return {"file": relative_to(code.co_filename, root), "line": code.co_firstlineno}
