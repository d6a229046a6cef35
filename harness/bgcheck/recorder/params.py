"""The params of a scheduled task: a snapshot by name that compares like the live values."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from bgcheck.recorder.binding import Call, bind, unwrap
from bgcheck.recorder.copiers import CONSTANT, compares_by_value, fields_of, is_rebuilt
from bgcheck.recorder.describe import safe_repr
from bgcheck.recorder.snapshot import Snapshot

if TYPE_CHECKING:
    from bgcheck.recorder.record import ScheduledTask

_EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


class Params(dict[str, Any]):
    """Arguments by parameter name, as they were when the task was scheduled.

    `references` names what could not be copied, with the reason, by path: `{"db": "Session compares
    by identity"}`. Compares equal to a mapping with the same values; an object that compares by
    identity equals itself, though the snapshot holds a copy of it. `error` is the TypeError of a
    call that does not bind to the signature.
    """

    def __init__(
        self,
        values: Mapping[str, Any] = _EMPTY,
        references: dict[str, str] | None = None,
        originals: dict[int, Any] | None = None,
        error: TypeError | None = None,
    ) -> None:
        super().__init__(values)
        self.references: dict[str, str] = {} if references is None else references
        self.error = error
        self._originals: dict[int, Any] = {} if originals is None else originals

    def same(self, expected: Any, value: Any) -> bool:
        """Whether `expected` equals a value of this snapshot, or is the live object behind it."""
        return self._same(expected, value, set())

    def _same(self, expected: Any, value: Any, seen: set[tuple[int, int]]) -> bool:
        if expected is value or self._originals.get(id(value), self) is expected:
            return True
        if equal(expected, value):
            return True
        pair = (id(expected), id(value))
        if pair in seen:  # met before: equal, unless something else differs
            return True
        seen.add(pair)
        return self._same_parts(expected, value, seen)

    def _same_parts(self, expected: Any, value: Any, seen: set[tuple[int, int]]) -> bool:
        """Compare part by part, where `==` cannot know what identity or array is behind a part."""
        ours, theirs = parts_of(value), parts_of(expected)
        return (
            type(expected) is type(value)
            and ours is not None
            and theirs is not None
            and ours.keys() == theirs.keys()
            and all(self._same(theirs[key], part, seen) for key, part in ours.items())
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self.keys() == other.keys() and all(
            self.same(other[name], value) for name, value in self.items()
        )

    def __ne__(self, other: object) -> bool:
        return not self == other

    def extended(self, first: Mapping[str, Any]) -> Params:
        """Return these params with others before them."""
        copied = copy.copy(self)
        copied.clear()
        copied.update({**first, **self})
        return copied

    def describe(self, shorten: Callable[[object], str] = safe_repr) -> str:
        """Write the params as they stand in a call."""
        return describe_params(self, shorten)


def describe_params(params: Mapping[str, Any], shorten: Callable[[object], str] = safe_repr) -> str:
    """Write params as they stand in a call: `item_id=42, action='create'`."""
    return ", ".join(f"{name}={shorten(value)}" for name, value in params.items())


def equal(left: Any, right: Any) -> bool:
    """Compare two values of unknown types; what cannot be compared is unequal.

    Arrays and tables, which compare item by item, are equal when all their items are.
    """
    try:
        result = left == right
    except Exception:  # a foreign __eq__ may do anything
        return False
    try:
        return bool(result)
    except Exception:  # it has no truth value
        same_shape = equal(getattr(left, "shape", None), getattr(right, "shape", None))
        return same_shape and type(left) is type(right) and _all_true(result)


def _all_true(result: Any) -> bool:
    """Reduce what an item-by-item comparison gave; a table needs it for columns and rows."""
    try:
        for _ in range(2):
            result = result.all()
            if not hasattr(result, "all") or getattr(result, "ndim", 0) == 0:
                break
        return bool(result)
    except Exception:  # neither a truth value nor `all`
        return False


def parts_of(value: Any) -> Mapping[Any, Any] | None:
    """The parts by which a value compares: items of a container, attributes of an object."""
    kind = type(value)
    try:
        if issubclass(kind, dict):
            return dict(value)
        if issubclass(kind, (list, tuple)):
            return dict(enumerate(value))
        by_attributes = compares_by_value(kind) and is_rebuilt(kind)
        return dict(fields_of(value)) if by_attributes else None
    except Exception:  # a foreign class may do anything
        return None


def params_of_state(task: ScheduledTask) -> Params:
    """Name the arguments of a task of which only the state was kept, not the values."""
    state = task.call
    if state is None:
        return Params()
    try:
        func = unwrap(task.func, (), {}).func
    except ReferenceError:  # without its callable, only keyword arguments have names
        return Params(state.roots(()))
    bound = bind(Call(func, state.args, state.kwargs))
    return Params(bound.arguments, error=bound.error)


def take_params(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Params:
    """Bind a call and copy what it carries, defaults too."""
    bound = bind(unwrap(func, args, kwargs))
    values = bound.arguments
    if all(type(value) in CONSTANT for value in values.values()):
        return Params(values, error=bound.error)
    snapshot = Snapshot()
    values = {name: snapshot.take(value, name) for name, value in values.items()}
    snapshot.done()
    return Params(values, snapshot.references, snapshot.originals, bound.error)
