"""The live arguments of a task: what they hold, and what the task changes in them."""

from __future__ import annotations

import weakref
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from bgcheck.checks.calls import does_something
from bgcheck.recorder.binding import signature_of, unwrap
from bgcheck.recorder.contents import CONSTANT, is_constant, reader_of
from bgcheck.recorder.record import func_of
from bgcheck.recorder.state import (
    CallState,
    Change,
    Node,
    Opaque,
    call_changes,
    capture_call,
    carrier_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.recorder.request import RequestInfo

DEPTH: Final = 4
"""How deep in containers an argument is looked for."""

LIMIT: Final = 500
"""How many objects in the arguments of one task are looked at."""


def positional_names(task: ScheduledTask) -> tuple[str, ...]:
    """Return the names of a task's positional parameters, as far as its signature has them."""
    parameters = signature_of(unwrap(task.func, (), {}).func).parameters.values()
    return tuple(
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    )


def has_objects(task: ScheduledTask) -> bool:
    """Whether any argument of a task is more than a constant."""
    call = task.call
    return call is not None and any(
        isinstance(state, (Node, Opaque))
        for state in (call.carried, *call.args, *call.kwargs.values())
    )


def objects_of(task: ScheduledTask, *, data: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield the objects in the arguments of a task with their paths, containers first.

    Args:
        task: a task; one whose live arguments are gone has none.
        data: leave out services and what they hold.
    """
    try:
        live = task.live
    except ReferenceError:  # a task that nothing will run any more
        return
    call = unwrap(live.func, tuple(live.args), live.kwargs)
    names = positional_names(task)
    walk = _Walk(data)
    for number, value in enumerate(call.args):
        path = names[number] if number < len(names) else f"args[{number}]"
        yield from walk.into(value, path)
    for name, value in call.kwargs.items():
        yield from walk.into(value, name)
    yield from walk.into(carrier_of(call.func), "self")


class _Walk:
    """One walk through arguments that meets every object once."""

    def __init__(self, data: bool) -> None:
        self._data = data
        self._seen: set[int] = set()

    def into(self, value: Any, path: str, depth: int = DEPTH) -> Iterator[tuple[str, Any]]:
        """Yield an object and what it holds."""
        kind = type(value)
        if kind in CONSTANT or is_constant(value) or self._is_left_out(value, kind):
            return
        self._seen.add(id(value))
        yield path, value
        reader = reader_of(kind) if depth else None
        if reader is not None:
            for step, item in reader.read(value):
                yield from self.into(item, path + step.text, depth - 1)

    def _is_left_out(self, value: Any, kind: type) -> bool:
        full = len(self._seen) >= LIMIT
        return full or id(value) in self._seen or (self._data and is_service(kind))


_at_start: weakref.WeakKeyDictionary[ScheduledTask, tuple[int, CallState]] = (
    weakref.WeakKeyDictionary()
)
_changes: weakref.WeakKeyDictionary[ScheduledTask, tuple[int, list[Change]]] = (
    weakref.WeakKeyDictionary()
)
_by_tasks: weakref.WeakKeyDictionary[RequestInfo, set[int]] = weakref.WeakKeyDictionary()


def live_state(task: ScheduledTask, objects: dict[int, Any] | None = None) -> CallState:
    """Return the state of a task's arguments as they are now.

    Args:
        task: a task whose live arguments are still there.
        objects: filled with the live containers by id.
    """
    live = task.live
    return capture_call(live.func, live.args, live.kwargs, name=task.name, objects=objects)


def state_at_start(task: ScheduledTask) -> CallState | None:
    """Return the state of a task's arguments at its start; None if nothing in them can change.

    Every check that asks in the handler of `TaskStarted` gets the same state.
    """
    if task.call is None or task.call.constant:
        return None
    known = _at_start.get(task)
    if known is None or known[0] != task.runs:
        known = _at_start[task] = (task.runs, live_state(task))
    return known[1]


def changes_by(task: ScheduledTask) -> list[Change]:
    """Return what changed in a task's arguments while it ran, once it has ended.

    Every check that asks in the handler of `TaskFinished` gets the same list. It is empty where
    nobody has asked for the state at the start.
    """
    started = _at_start.get(task)
    if started is None or started[0] != task.runs:
        return []
    known = _changes.get(task)
    if known is None or known[0] != task.runs:
        found = call_changes(started[1], live_state(task), positional_names(task))
        known = _changes[task] = (task.runs, found)
    return known[1]


def blame_tasks(request: RequestInfo, holders: set[int]) -> None:
    """Note containers that a task has changed, as another finding tells.

    Args:
        request: the request of the tasks.
        holders: the ids of the containers, alive in the arguments of a task that is to run.
    """
    _by_tasks.setdefault(request, set()).update(holders)


def is_blamed(change: Change, request: RequestInfo) -> bool:
    """Whether another finding tells already which task made this change."""
    return change.holder in _by_tasks.get(request, ())


def data_of(task: ScheduledTask) -> dict[int, Any]:
    """Return the data in the arguments of a task by id: all that no service holds.

    What a service keeps (an object of a class with public methods, such as a mailer that counts)
    is its own business.
    """
    return {id(value): value for _, value in objects_of(task, data=True)}


def data_in(value: object) -> Iterator[object]:
    """Yield a value and the data that it holds, but for constants."""
    return (each for _, each in _Walk(data=True).into(value, ""))


def leads_to(value: object, wanted: object) -> bool:
    """Whether data holds an object, or is it."""
    return any(each is wanted for each in data_in(value))


def is_service(kind: type) -> bool:
    """Whether the objects of a class do something, rather than hold data."""
    reader = reader_of(kind)
    return (
        reader is not None
        and not reader.loose
        and not hasattr(kind, "__pydantic_fields_set__")
        and not hasattr(kind, "__fields_set__")
        and does_something(kind)
    )


def function_of(task: ScheduledTask) -> FunctionType | None:
    """Return the function of a task's callable, inside of partials, methods and decorators."""
    try:
        func: Any = func_of(task.live)
    except ReferenceError:
        return None
    for _ in range(_LAYERS):
        if isinstance(func, FunctionType):
            inner = getattr(func, "__wrapped__", None)
            if inner is None:
                return func
            func = inner
        else:
            func = getattr(func, "func", None) or getattr(func, "__func__", None) or _call(func)
    return None


def reachable(task: ScheduledTask) -> Iterator[tuple[str, Any]]:
    """Yield the objects that a task has: arguments, what they hold, and captured variables.

    Args:
        task: a task; one whose live arguments are gone has none.
    """
    if has_objects(task):
        yield from objects_of(task)
    func = function_of(task)
    if func is None or func.__closure__ is None:
        return
    for name, cell in zip(func.__code__.co_freevars, func.__closure__, strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not bound yet
            continue


_LAYERS: Final = 10


def _call(func: object) -> object:
    """The function behind a callable object."""
    return getattr(type(func), "__call__", None) if not isinstance(func, type) else None  # noqa: B004
