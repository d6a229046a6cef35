"""Whether two scheduled tasks are the same call."""

from __future__ import annotations

from types import BuiltinMethodType
from typing import TYPE_CHECKING, Any

from bgcheck.recorder.binding import Call, bind, unwrap
from bgcheck.recorder.contents import CONSTANT, is_constant
from bgcheck.recorder.params import parts_of
from bgcheck.recorder.state import call_changes

if TYPE_CHECKING:
    from bgcheck.recorder.record import ScheduledTask


def equal_calls(one: ScheduledTask, other: ScheduledTask) -> bool:
    """Whether two tasks call the same function of the same object with the same data.

    Data are equal by value, as they were when the tasks were scheduled; objects that do something
    (they have methods of their own) only if they are the same object.
    """
    if one.call is None or other.call is None:
        return False
    try:
        first, second = one.live, other.live
    except ReferenceError:
        return False
    ours = unwrap(first.func, first.args, first.kwargs)
    theirs = unwrap(second.func, second.args, second.kwargs)
    if not _same_callable(ours.func, theirs.func):
        return False
    if _shape(ours) != _shape(theirs):
        return same_data(bind(ours).arguments, bind(theirs).arguments)
    return not call_changes(one.call, other.call) and all(
        same_data(a, b)
        for a, b in ((tuple(ours.args), tuple(theirs.args)), (ours.kwargs, theirs.kwargs))
    )


def _shape(call: Call) -> tuple[int, frozenset[str]]:
    return len(call.args), frozenset(call.kwargs)


def _same_callable(one: Any, other: Any) -> bool:
    if isinstance(one, BuiltinMethodType):
        return bool(one == other)  # made anew at each access, as a bound method is
    inner, owner = getattr(one, "__func__", one), getattr(one, "__self__", None)
    return inner is getattr(other, "__func__", other) and owner is getattr(other, "__self__", None)


def same_data(one: Any, other: Any) -> bool:
    """Whether two values are the same object, or the same data."""
    if one is other:
        return True
    if type(one) is not type(other) or does_something(type(one)):
        return False
    if type(one) in CONSTANT or is_constant(one) or isinstance(one, (set, frozenset, str)):
        return bool(one == other)
    ours, theirs = parts_of(one), parts_of(other)
    return (
        ours is not None
        and theirs is not None
        and ours.keys() == theirs.keys()
        and all(same_data(part, theirs[key]) for key, part in ours.items())
    )


def does_something(kind: type) -> bool:
    """Whether a class has methods of its own that are no data model's."""
    return any(
        callable(item) and not name.startswith("_")
        for base in kind.__mro__
        if base.__module__ not in ("builtins", "collections", "pydantic.main", "pydantic_settings")
        and base not in CONSTANT
        for name, item in vars(base).items()
    )
