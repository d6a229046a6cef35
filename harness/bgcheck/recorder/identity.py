"""A mapping by identity that keeps its keys neither alive nor asks them for a hash."""

from __future__ import annotations

import functools
import weakref
from typing import Any, Generic, TypeVar, overload

V = TypeVar("V")
D = TypeVar("D")


class IdentityMap(Generic[V]):
    """Values by object; an entry goes when its object goes. Objects need no `__hash__`.

    Example:
        >>> class Thing:
        ...     __hash__ = None
        >>> thing, numbers = Thing(), IdentityMap()
        >>> numbers[thing] = 1
        >>> numbers.get(thing), numbers.get(Thing())
        (1, None)
    """

    def __init__(self) -> None:
        self._entries: dict[int, tuple[weakref.ref[Any], V]] = {}

    def __setitem__(self, key: Any, value: V) -> None:
        entries, number = self._entries, id(key)
        gone = functools.partial(entries.pop, number)  # the reference itself is the default
        entries[number] = (weakref.ref(key, gone), value)

    @overload
    def get(self, key: object) -> V | None: ...
    @overload
    def get(self, key: object, default: D) -> V | D: ...
    def get(self, key: object, default: object = None) -> object:
        """Return the value of an object, or the default."""
        entry = self._entries.get(id(key))
        return entry[1] if entry is not None and entry[0]() is key else default

    def __len__(self) -> int:
        return len(self._entries)
