"""The params of a scheduled task: a snapshot by name that compares like the live values."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from bgcheck.recorder.binding import bind, unwrap
from bgcheck.recorder.snapshot import Snapshot


class Params(dict[str, Any]):
    """Arguments by parameter name, as they were when the task was scheduled.

    `references` names what could not be copied, with the reason, by path: `{"db": "Session compares
    by identity"}`. Compares equal to a mapping with the same values; an object that compares by
    identity equals itself, though the snapshot holds a copy of it. `error` is the TypeError of a
    call that does not bind to the signature.
    """

    def __init__(
        self, values: Mapping[str, Any], snapshot: Snapshot, error: TypeError | None
    ) -> None:
        super().__init__(values)
        self.references = snapshot.references
        self.error = error
        self._originals = snapshot.originals

    def same(self, expected: Any, value: Any) -> bool:
        """Whether `expected` equals a value of this snapshot, or is the live object behind it."""
        if expected is value or self._originals.get(id(value), self) is expected:
            return True
        return equal(expected, value) or self._same_items(expected, value)

    def _same_items(self, expected: Any, value: Any) -> bool:
        if not self._originals or type(expected) is not type(value):
            return False
        if isinstance(value, dict):
            return expected.keys() == value.keys() and all(
                self.same(expected[key], item) for key, item in value.items()
            )
        if isinstance(value, (list, tuple)):
            return len(expected) == len(value) and all(map(self.same, expected, value))
        return False

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

    def describe(self, shorten: Callable[[object], str] = repr) -> str:
        """Write the params as they stand in a call."""
        return describe_params(self, shorten)


def describe_params(params: Mapping[str, Any], shorten: Callable[[object], str] = repr) -> str:
    """Write params as they stand in a call: `item_id=42, action='create'`."""
    return ", ".join(f"{name}={shorten(value)}" for name, value in params.items())


def equal(left: Any, right: Any) -> bool:
    """Compare two values of unknown types; what cannot be compared is unequal."""
    try:
        return bool(left == right)
    except Exception:  # arrays have no truth value, foreign __eq__ may raise
        return False


def take_params(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Params:
    """Bind a call and copy what it carries, defaults too."""
    bound = bind(unwrap(func, args, kwargs))
    snapshot = Snapshot()
    values = {name: snapshot.take(value, name) for name, value in bound.arguments.items()}
    snapshot.done()
    return Params(values, snapshot, bound.error)
