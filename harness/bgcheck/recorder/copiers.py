"""How a snapshot copies one kind of object. The rules are in `bgcheck.recorder.snapshot`."""

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
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from bgcheck.recorder.snapshot import Snapshot

Copier = Callable[["Snapshot", Any, Any], Any]
"""Takes the snapshot, the value and its path, and returns the copy."""

BIG: Final = 4_000_000
"""Bytes above which one object (an array, a bytearray) is kept by reference."""

CONSTANT: Final[frozenset[type]] = frozenset(
    {
        bool, bytes, complex, float, int, range, slice, str,
        type(None), type(...), type(NotImplemented), type,
        datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone,
        decimal.Decimal, fractions.Fraction, uuid.UUID, re.Pattern,
        pathlib.Path, pathlib.PurePath, pathlib.PosixPath, pathlib.WindowsPath,
        pathlib.PurePosixPath, pathlib.PureWindowsPath,
        types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType,
        types.MethodDescriptorType, types.WrapperDescriptorType, types.MethodWrapperType,
        types.GenericAlias, functools.partial,
    }
)  # fmt: skip
"""Classes whose objects cannot change."""

_CONSTANT_BASES: Final = (
    str, bytes, int, float, complex, decimal.Decimal, fractions.Fraction, type, enum.Enum,
    datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo, pathlib.PurePath, uuid.UUID,
)  # fmt: skip

_OWN_WAYS: Final = ("__deepcopy__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")
"""Methods by which a class copies itself."""

_found: weakref.WeakKeyDictionary[type, Copier | None] = weakref.WeakKeyDictionary()


class TooLargeError(Exception):
    """The object is kept by reference because a copy would cost too much."""


def find_copier(kind: type) -> Copier | None:
    """Return the function that copies objects of this class, or None to keep a reference."""
    known = _BUILT_IN.get(kind)
    if known is not None:
        return known
    if kind not in _found:
        _found[kind] = _choose(kind)
    return _found[kind]


def _choose(kind: type) -> Copier | None:
    if issubclass(kind, _CONSTANT_BASES):
        return _keep
    if _is_mock(kind):
        return None
    if is_mapped(kind):
        return _copy_instance
    for base, copier in _CONTAINERS.items():
        if issubclass(kind, base):
            return copier
    if _is_record(kind) and _inherits(kind, "__new__"):
        return _copy_fields
    if not compares_by_value(kind) and not _is_record(kind):
        return None
    return _copy_fields if _copies_plainly(kind) else _copy_deep


def compares_by_value(kind: type) -> bool:
    """Whether two objects of this class can be equal without being the same object."""
    return not _inherits(kind, "__eq__") and not is_mapped(kind)


def is_rebuilt(kind: type) -> bool:
    """Whether a snapshot copies objects of this class attribute by attribute."""
    return find_copier(kind) in (_copy_fields, _copy_namespace)


def is_mapped(kind: type) -> bool:
    """Whether SQLAlchemy maps this class to a table."""
    return hasattr(kind, "_sa_class_manager")


def _is_record(kind: type) -> bool:
    """Whether this is a dataclass, an attrs class, or a pydantic model."""
    return any(
        hasattr(kind, name)
        for name in ("__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields_set__")
    )


def _is_mock(kind: type) -> bool:
    mock = sys.modules.get("unittest.mock")
    return mock is not None and issubclass(kind, mock.NonCallableMock)


def _copies_plainly(kind: type) -> bool:
    """Whether copying an object of this class means copying its attributes, and no more."""
    return not any(hasattr(kind, name) for name in _OWN_WAYS) and all(
        _inherits(kind, name) for name in ("__new__", "__reduce_ex__", "__reduce__", "__getstate__")
    )


def _inherits(kind: type, name: str) -> bool:
    """Whether a class has the method of `object`; `__getstate__` is there since Python 3.11."""
    return getattr(kind, name, None) is getattr(object, name, None)


def fields_of(value: object) -> Iterator[tuple[str, Any]]:
    """Give the attributes that an object itself holds, in its `__dict__` and its slots."""
    yield from list(getattr(value, "__dict__", {}).items())
    for slot, item in _slots_of(value):
        yield slot.__name__, item


def _slots_of(value: object) -> Iterator[tuple[types.MemberDescriptorType, Any]]:
    for base in type(value).__mro__:
        if "__slots__" not in base.__dict__:
            continue
        for slot in base.__dict__.values():
            if isinstance(slot, types.MemberDescriptorType):
                try:
                    item = slot.__get__(value)
                except AttributeError:  # the slot is empty
                    continue
                yield slot, item


def _keep(snapshot: Snapshot, value: Any, path: Any) -> Any:
    return value


def _take_items(snapshot: Snapshot, items: Iterable[Any], path: Any) -> list[Any]:
    return [
        item if type(item) in CONSTANT else snapshot.take(item, (path, "[", n))
        for n, item in enumerate(items)
    ]


def _copy_list(snapshot: Snapshot, value: list[Any], path: Any) -> Any:
    items = list(list.__iter__(value))
    snapshot.count(items)
    copied: list[Any] = list.__new__(type(value))
    snapshot.remember(value, copied)
    list.extend(copied, _take_items(snapshot, items, path))
    return _with_attributes(snapshot, value, copied, path)


def _copy_tuple(snapshot: Snapshot, value: tuple[Any, ...], path: Any) -> Any:
    old = tuple(tuple.__iter__(value))
    snapshot.count(old)
    new = _take_items(snapshot, old, path)
    known = snapshot.known(value)
    if known is not None:  # the tuple is part of a cycle, and was copied on the way
        return known
    same = all(map(_is, new, old)) and not getattr(value, "__dict__", None)
    copied = value if same else tuple.__new__(type(value), new)
    snapshot.remember(value, copied)
    return copied if same else _with_attributes(snapshot, value, copied, path)


def _is(left: object, right: object) -> bool:
    return left is right


def _copy_deque(snapshot: Snapshot, value: deque[Any], path: Any) -> Any:
    items = list(deque.__iter__(value))
    snapshot.count(items)
    copied: deque[Any] = deque.__new__(type(value))
    deque.__init__(copied, (), value.maxlen)
    snapshot.remember(value, copied)
    deque.extend(copied, _take_items(snapshot, items, path))
    return _with_attributes(snapshot, value, copied, path)


def _copy_set(snapshot: Snapshot, value: Any, path: Any) -> Any:
    """Copy a set; its elements are hashable, so they are kept."""
    base: Any = frozenset if isinstance(value, frozenset) else set
    elements = base.copy(value) if type(value) is base else base(base.__iter__(value))
    snapshot.count(elements)
    if not all(type(element) in CONSTANT for element in elements):
        snapshot.mark(path, "the elements of a set are kept")
    copied = base.__new__(type(value), elements)
    if base is set:
        set.update(copied, elements)
    snapshot.remember(value, copied)
    return _with_attributes(snapshot, value, copied, path)


def _copy_dict(snapshot: Snapshot, value: dict[Any, Any], path: Any) -> Any:
    return _fill(dict, dict.__new__(type(value)), snapshot, value, path)


def _copy_ordered(snapshot: Snapshot, value: OrderedDict[Any, Any], path: Any) -> Any:
    return _fill(OrderedDict, OrderedDict.__new__(type(value)), snapshot, value, path)


def _copy_defaultdict(snapshot: Snapshot, value: defaultdict[Any, Any], path: Any) -> Any:
    copied = defaultdict.__new__(type(value))
    defaultdict.__init__(copied, value.default_factory)
    return _fill(dict, copied, snapshot, value, path)


def _fill(
    base: type[dict[Any, Any]], copied: Any, snapshot: Snapshot, value: Any, path: Any
) -> Any:
    """Fill a new mapping by the methods of its built-in base."""
    items = list(base.items(value))
    snapshot.count(items)
    snapshot.remember(value, copied)
    store = base.__setitem__
    for key, item in items:
        if type(item) not in CONSTANT:
            item = snapshot.take(item, (path, "[", key))
        store(copied, key, item)
    return _with_attributes(snapshot, value, copied, path)


def _copy_mapping_view(snapshot: Snapshot, value: Any, path: Any) -> Any:
    copied = types.MappingProxyType(snapshot.take(dict(value), path))
    snapshot.remember(value, copied)
    return copied


def _copy_namespace(snapshot: Snapshot, value: Any, path: Any) -> Any:
    copied = types.SimpleNamespace.__new__(type(value))
    snapshot.remember(value, copied)
    return _with_attributes(snapshot, value, copied, path)


def _copy_fields(snapshot: Snapshot, value: Any, path: Any) -> Any:
    """Rebuild an object from its attributes, without running its `__init__`."""
    copied = object.__new__(type(value))
    snapshot.remember(value, copied)
    return _with_attributes(snapshot, value, copied, path)


def _with_attributes(snapshot: Snapshot, value: Any, copied: Any, path: Any) -> Any:
    """Give a copy the attributes of the original, and return it."""
    if type(value) in _BUILT_IN and type(value) is not types.SimpleNamespace:
        return copied
    for name, item in list(getattr(value, "__dict__", {}).items()):
        if not name.startswith("_sa_"):  # what ties an object to its session
            copied.__dict__[name] = snapshot.take(item, (path, ".", name))
    for slot, item in _slots_of(value):
        slot.__set__(copied, snapshot.take(item, (path, ".", slot.__name__)))
    return copied


def _copy_instance(snapshot: Snapshot, value: Any, path: Any) -> Any:
    """Copy a mapped instance as detached: loaded values are there, the rest refuses to load."""
    attributes = sys.modules["sqlalchemy.orm.attributes"]
    copied = attributes.manager_of_class(type(value)).new_instance()
    snapshot.remember(value, copied)
    _with_attributes(snapshot, value, copied, path)
    attributes.instance_state(copied).key = attributes.instance_state(value).key
    return copied


def _copy_deep(snapshot: Snapshot, value: Any, path: Any) -> Any:
    if getattr(value, "nbytes", 0) > BIG or sys.getsizeof(value) > BIG:
        raise TooLargeError("it is too large to copy")
    copied = copy.deepcopy(value)
    snapshot.remember(value, copied)
    return copied


_BUILT_IN: Final[dict[type, Copier]] = {
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
    types.SimpleNamespace: _copy_namespace,
}

_CONTAINERS: Final[dict[type, Copier]] = {
    OrderedDict: _copy_ordered,
    defaultdict: _copy_defaultdict,
    dict: _copy_dict,
    list: _copy_list,
    tuple: _copy_tuple,
    set: _copy_set,
    frozenset: _copy_set,
    deque: _copy_deque,
    types.SimpleNamespace: _copy_namespace,
}
"""Base classes whose subclasses are copied by the base's own methods; the first match counts."""
