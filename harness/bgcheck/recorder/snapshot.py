"""Copy arguments as they are when a task is scheduled, without a side effect on any of them.

The rules, in this order:

1. Values that cannot change (numbers, strings, enums, dates, paths, types, functions) are kept.
2. Built-in containers, dataclasses, attrs classes and pydantic models are rebuilt, and their
   contents by the same rules; no `__init__`, validator or property runs.
3. SQLAlchemy instances are copied detached, with what is loaded; nothing is loaded for it.
4. Other objects that compare by value (their class defines `__eq__`) are deep-copied.
5. Objects that compare by identity (sessions, requests, files, locks, clients, services) are kept
   by reference; so are mocks, what is too large, and what a copy fails on. Each of these is
   marked with the reason.
"""

from __future__ import annotations

import copy
import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import re
import sys
import types
import uuid
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

LIMIT: Final = 20_000
"""How many objects one snapshot copies; the rest is kept by reference."""

BIG: Final = 4_000_000
"""Bytes above which one object (an array, a bytearray) is kept by reference."""

_CONSTANT: Final[frozenset[type]] = frozenset(
    {
        bool, bytes, complex, float, int, range, str, type(None), type(...), type(NotImplemented),
        datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone,
        decimal.Decimal, fractions.Fraction, uuid.UUID, re.Pattern, slice,
        pathlib.Path, pathlib.PurePath, pathlib.PosixPath, pathlib.WindowsPath,
        pathlib.PurePosixPath, pathlib.PureWindowsPath,
        types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType,
        types.MethodDescriptorType, types.WrapperDescriptorType, types.MethodWrapperType,
        functools.partial,
    }
)  # fmt: skip


class Snapshot:
    """Copies values, and remembers what it kept by reference, by the path that leads there.

    `originals` leads from the id of a copied object to the live one, for objects that compare by
    identity although they were copied (mapped instances, dataclasses with `eq=False`).
    """

    def __init__(self) -> None:
        self.references: dict[str, str] = {}
        self.originals: dict[int, Any] = {}
        self._memo: dict[int, Any] = {}
        self._alive: list[Any] = []

    def take(self, value: Any, path: str) -> Any:
        """Return a copy of `value`, which `references` calls `path`, such as `data['x'][0]`."""
        kind = type(value)
        if kind in _CONSTANT or isinstance(value, (type, enum.Enum)):
            return value
        known = self._memo.get(id(value), self)
        if known is not self:
            return known
        return self._copy(kind, value, path)

    def _copy(self, kind: type, value: Any, path: str) -> Any:
        if len(self._memo) >= LIMIT:
            return self._refer(value, path, "the arguments hold more objects than are copied")
        copier = _COPIERS.get(kind) or _find_copier(kind)
        if copier is None:
            return self._refer(value, path, f"{kind.__name__} compares by identity")
        try:
            return copier(self, value, path)
        except _TooLargeError:
            return self._refer(value, path, "it is too large to copy")
        except Exception as error:  # a foreign class may do anything when copied
            return self._refer(value, path, f"copying failed: {type(error).__name__}")

    def _refer(self, value: Any, path: str, reason: str) -> Any:
        self.references[path] = reason
        self.remember(value, value)
        return value

    def remember(self, value: Any, copied: Any) -> None:
        """Use `copied` wherever `value` is met again, so that cycles and sharing stay."""
        self._memo[id(value)] = copied
        self._alive.append(value)
        if copied is not value and not compares_by_value(type(value)):
            self.originals[id(copied)] = value

    def done(self) -> None:
        """Let go of the live objects that only the copying itself needed."""
        self._memo.clear()
        self._alive.clear()


def _take_items(snapshot: Snapshot, items: Iterable[Any], path: str) -> list[Any]:
    return [
        item if type(item) in _CONSTANT else snapshot.take(item, f"{path}[{n}]")
        for n, item in enumerate(items)
    ]


def _copy_list(snapshot: Snapshot, value: list[Any], path: str) -> list[Any]:
    copied: list[Any] = []
    snapshot.remember(value, copied)
    copied.extend(_take_items(snapshot, value, path))
    return copied


def _copy_deque(snapshot: Snapshot, value: deque[Any], path: str) -> deque[Any]:
    copied: deque[Any] = deque(maxlen=value.maxlen)
    snapshot.remember(value, copied)
    copied.extend(_take_items(snapshot, value, path))
    return copied


def _copy_tuple(snapshot: Snapshot, value: tuple[Any, ...], path: str) -> tuple[Any, ...]:
    items = _take_items(snapshot, value, path)
    if all(new is old for new, old in zip(items, value, strict=True)):
        return value
    copied: tuple[Any, ...] = tuple.__new__(type(value), items)
    snapshot.remember(value, copied)
    return copied


def _copy_dict(snapshot: Snapshot, value: dict[Any, Any], path: str) -> dict[Any, Any]:
    copied: dict[Any, Any] = {}
    snapshot.remember(value, copied)
    for key, item in list(value.items()):
        if type(item) not in _CONSTANT:
            item = snapshot.take(item, f"{path}[{key!r}]")
        copied[key] = item
    return copied


def _copy_ordered(snapshot: Snapshot, value: OrderedDict[Any, Any], path: str) -> Any:
    return OrderedDict(_copy_dict(snapshot, value, path))


def _copy_defaultdict(snapshot: Snapshot, value: defaultdict[Any, Any], path: str) -> Any:
    return defaultdict(value.default_factory, _copy_dict(snapshot, value, path))


def _copy_set(snapshot: Snapshot, value: Any, path: str) -> Any:
    return type(value)(value)


def _copy_mapping_view(snapshot: Snapshot, value: Mapping[Any, Any], path: str) -> Any:
    return types.MappingProxyType(_copy_dict(snapshot, dict(value), path))


def _copy_fields(snapshot: Snapshot, value: Any, path: str) -> Any:
    """Rebuild an object from its `__dict__` and slots, without running its `__init__`."""
    copied = object.__new__(type(value))
    snapshot.remember(value, copied)
    for name, item in list(getattr(value, "__dict__", {}).items()):
        copied.__dict__[name] = snapshot.take(item, f"{path}.{name}")
    for name in _slots(type(value)):
        if hasattr(value, name):
            object.__setattr__(copied, name, snapshot.take(getattr(value, name), f"{path}.{name}"))
    return copied


def _slots(kind: type) -> list[str]:
    names: list[str] = []
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        names.extend([slots] if isinstance(slots, str) else slots)
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _copy_model(snapshot: Snapshot, value: Any, path: str) -> Any:
    """Rebuild a pydantic model with the state that its `__eq__` looks at."""
    copied = object.__new__(type(value))
    snapshot.remember(value, copied)
    fields = {n: snapshot.take(v, f"{path}.{n}") for n, v in list(value.__dict__.items())}
    object.__setattr__(copied, "__dict__", fields)
    for name in ("__pydantic_extra__", "__pydantic_private__", "__pydantic_fields_set__"):
        state = getattr(value, name, None)
        object.__setattr__(copied, name, snapshot.take(state, path))
    return copied


def _copy_instance(snapshot: Snapshot, value: Any, path: str) -> Any:
    """Copy a mapped instance as detached: loaded values are there, the rest refuses to load."""
    attributes = sys.modules["sqlalchemy.orm.attributes"]
    copied = attributes.manager_of_class(type(value)).new_instance()
    snapshot.remember(value, copied)
    for name, item in list(value.__dict__.items()):
        if name != "_sa_instance_state":
            copied.__dict__[name] = snapshot.take(item, f"{path}.{name}")
    attributes.instance_state(copied).key = attributes.instance_state(value).key
    return copied


def _copy_deep(snapshot: Snapshot, value: Any, path: str) -> Any:
    if sys.getsizeof(value) > BIG or getattr(value, "nbytes", 0) > BIG:
        raise _TooLargeError
    copied = copy.deepcopy(value)
    snapshot.remember(value, copied)
    return copied


class _TooLargeError(Exception):
    """The object is kept by reference because a copy would cost too much."""


_Copier = Callable[[Snapshot, Any, str], Any]

_COPIERS: Final[dict[type, _Copier]] = {
    list: _copy_list,
    tuple: _copy_tuple,
    dict: _copy_dict,
    set: _copy_set,
    frozenset: _copy_set,
    bytearray: _copy_deep,
    deque: _copy_deque,
    OrderedDict: _copy_ordered,
    defaultdict: _copy_defaultdict,
    types.MappingProxyType: _copy_mapping_view,
}


def _find_copier(kind: type) -> _Copier | None:
    if is_mapped(kind):
        return _copy_instance
    if hasattr(kind, "__pydantic_fields_set__") and hasattr(kind, "model_fields"):
        return _copy_model
    if hasattr(kind, "__dataclass_fields__") or hasattr(kind, "__attrs_attrs__"):
        return _copy_fields if _has(kind, "__new__", object.__new__) else _copy_deep
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _copy_tuple
    if _has(kind, "__eq__", object.__eq__) or _is_mock(kind):
        return None
    return _copy_deep


def compares_by_value(kind: type) -> bool:
    """Whether two objects of this class can be equal without being the same object."""
    return not _has(kind, "__eq__", object.__eq__) and not is_mapped(kind)


def is_mapped(kind: type) -> bool:
    """Whether SQLAlchemy maps this class to a table."""
    return hasattr(kind, "_sa_class_manager")


def _has(kind: type, name: str, method: object) -> bool:
    return getattr(kind, name) is method


def _is_mock(kind: type) -> bool:
    mock = sys.modules.get("unittest.mock")
    return mock is not None and issubclass(kind, mock.NonCallableMock)
