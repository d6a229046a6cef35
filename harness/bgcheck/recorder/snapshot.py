"""Copy arguments as they are when a task is scheduled, without a side effect on any of them.

The rules, in this order:

1. Values that cannot change (numbers, strings, dates, enums, paths, types, functions; subclasses
   of them too) are kept.
2. Built-in containers and their subclasses, dataclasses, attrs classes, pydantic models and
   ordinary classes with an `__eq__` are rebuilt, and their contents by the same rules. No
   `__init__`, validator, property or overridden method runs. The elements of a set are kept.
3. SQLAlchemy instances are copied detached, with what is loaded; nothing is loaded for it.
4. Other objects that compare by value, such as arrays and classes with copy methods of their own,
   are deep-copied.
5. Objects that compare by identity (sessions, requests, files, locks, clients, services) are kept
   by reference; so are mocks, what is too large, and what a copy fails on. Each of these is
   marked with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Any, Final

from bgcheck.recorder.copiers import CONSTANT, TooLargeError, find_copier
from bgcheck.recorder.copiers import compares_by_value as compares_by_value
from bgcheck.recorder.copiers import is_mapped as is_mapped
from bgcheck.recorder.describe import safe_repr

LIMIT: Final = 20_000
"""How many objects one snapshot copies; the rest is kept by reference."""


class Snapshot:
    """Copies values, and remembers what it kept by reference, by the path that leads there.

    A path is a name, or a tuple `(path, ".", attribute)` or `(path, "[", key)`; it becomes text,
    such as `data['x'][0]`, only where it is needed.

    `originals` leads from the id of a copied object to the live one, for objects that compare by
    identity although they were copied (mapped instances, dataclasses with `eq=False`).
    """

    def __init__(self) -> None:
        self.references: dict[str, str] = {}
        self.originals: dict[int, Any] = {}
        self._memo: dict[int, Any] = {}
        self._alive: list[Any] = []
        self._count = 0

    def take(self, value: Any, path: Any) -> Any:
        """Return a copy of `value`, which was found at `path`."""
        kind = type(value)
        if kind in CONSTANT:
            return value
        known = self._memo.get(id(value), self)
        if known is not self:
            return known
        try:
            copier = find_copier(kind)
            return self._copy(copier, value, path)
        except TooLargeError as error:
            return self.refer(value, path, str(error))
        except Exception as error:  # a foreign class may do anything when copied
            return self.refer(value, path, f"copying failed: {type(error).__name__}")

    def _copy(self, copier: Callable[..., Any] | None, value: Any, path: Any) -> Any:
        if copier is None:
            return self.refer(value, path, f"{type(value).__name__} compares by identity")
        if self._count >= LIMIT:
            raise TooLargeError("the arguments hold more objects than are copied")
        self._count += 1
        return copier(self, value, path)

    def count(self, value: Sized) -> None:
        """Count the items of a container.

        Raises:
            TooLargeError: they are more than a snapshot copies.
        """
        self._count += len(value)
        if self._count > LIMIT:
            self._count -= len(value)
            raise TooLargeError("the arguments hold more objects than are copied")

    def refer(self, value: Any, path: Any, reason: str) -> Any:
        """Keep a value by reference."""
        self.mark(path, reason)
        self.remember(value, value)
        return value

    def mark(self, path: Any, reason: str) -> None:
        """Note that what is at `path` is no copy."""
        self.references[describe_path(path)] = reason

    def remember(self, value: Any, copied: Any) -> None:
        """Use `copied` wherever `value` is met again, so that cycles and sharing stay."""
        self._memo[id(value)] = copied
        self._alive.append(value)
        if copied is not value and not compares_by_value(type(value)):
            self.originals[id(copied)] = value

    def known(self, value: Any) -> Any:
        """Return what stands for `value` if it was met before, else None."""
        return self._memo.get(id(value))

    def done(self) -> None:
        """Let go of the live objects that only the copying itself needed."""
        self._memo.clear()
        self._alive.clear()


def describe_path(path: Any) -> str:
    """Write a path as one would in code.

    Example:
        >>> describe_path((("data", "[", "x"), ".", "user"))
        "data['x'].user"
    """
    steps = []
    while not isinstance(path, str):
        path, form, key = path
        steps.append(f".{key}" if form == "." else f"[{safe_repr(key)}]")
    return path + "".join(reversed(steps))
