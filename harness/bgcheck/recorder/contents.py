"""What an object holds, by class: how to read it, and what counts as its value."""

from __future__ import annotations

import array
import enum
import functools
import hashlib
import sys
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from bgcheck.recorder import copiers
from bgcheck.recorder.usercode import is_user_file

CONSTANT: Final = copiers.CONSTANT - {
    type,
    functools.partial,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.GenericAlias,
}
"""Classes whose objects cannot change, and keep nothing alive."""


class Step(NamedTuple):
    """One step of a path: `['key']`, `[0]` or `.name`.

    `loose` says that what stands there may appear or go without a change of value.
    """

    kind: str
    key: Any
    loose: bool = False

    @property
    def text(self) -> str:
        """The step as it stands in an expression."""
        return f".{self.key}" if self.kind == "." else f"[{self.key!r}]"

    @property
    def label(self) -> str:
        """The step as it stands in a literal."""
        if self.kind == ".":
            return f"{self.key}="
        if self.kind == "element":
            return repr(self.key)
        return f"{self.key!r}: " if self.kind == "{" else ""


Contents = Iterator[tuple[Step, Any]]


class Reader(NamedTuple):
    """How to read the contents of a class."""

    read: Callable[[Any], Contents]
    loose: bool = False


def is_constant(value: object) -> bool:
    """Whether a value is one of an enumeration, and so cannot change."""
    return isinstance(value, enum.Enum)


def _sequence(value: Any) -> Contents:
    for number, item in enumerate(tuple(value)):
        yield Step("[", number), item


def _mapping(value: Any) -> Contents:
    for key, item in tuple(dict.items(value) if isinstance(value, dict) else value.items()):
        yield Step("{", _key(key)), item


def _elements(value: Any) -> Contents:
    for item in tuple(value):
        yield Step("element", _key(item)), True


def _key(key: Any) -> Any:
    """A key that keeps nothing alive: constants and tuples of them as they are."""
    if type(key) in CONSTANT or is_constant(key):
        return key
    if type(key) is tuple:
        return tuple(map(_key, key))
    return f"<{type(key).__qualname__} {id(key):#x}>"


def _buffer(value: Any) -> Contents:
    with memoryview(value) as view:
        if view.nbytes <= copiers.BIG:
            yield Step(".", "bytes"), hashlib.blake2b(view.tobytes(), digest_size=8).hexdigest()


def _fields(value: Any) -> Contents:
    for name, item in copiers.fields_of(value):
        yield Step(".", name), item


def _public_fields(value: Any) -> Contents:
    """The fields without private ones, which are the object's own business."""
    cached = _cached_properties(type(value))
    for step, item in _fields(value):
        if not step.key.startswith("_"):
            yield step._replace(loose=step.key in cached), item


def _model(value: Any) -> Contents:
    for name in ("__dict__", "__pydantic_extra__"):
        for key, item in tuple((getattr(value, name, None) or {}).items()):
            yield Step(".", key), item


def _loaded(value: Any) -> Contents:
    """The loaded attributes of a mapped instance; reading `__dict__` loads nothing."""
    for name, item in tuple(value.__dict__.items()):
        if name != "_sa_instance_state":
            yield Step(".", name), item


def _cached_properties(kind: type) -> set[str]:
    return {
        name
        for base in kind.__mro__
        for name, item in vars(base).items()
        if isinstance(item, functools.cached_property)
    }


_BUILTIN: Final[dict[type, Reader]] = {
    list: Reader(_sequence),
    tuple: Reader(_sequence),
    deque: Reader(_sequence),
    dict: Reader(_mapping),
    OrderedDict: Reader(_mapping),
    defaultdict: Reader(_mapping),
    types.MappingProxyType: Reader(_mapping),
    set: Reader(_elements),
    frozenset: Reader(_elements),
    bytearray: Reader(_buffer),
    array.array: Reader(_buffer),
}

_readers: weakref.WeakKeyDictionary[type, Reader | None] = weakref.WeakKeyDictionary()


def reader_of(kind: type) -> Reader | None:
    """Return how to read the contents of a class, or None where only its identity counts."""
    if kind in _BUILTIN:
        return _BUILTIN[kind]
    if kind not in _readers:
        _readers[kind] = _find_reader(kind)
    return _readers[kind]


def _find_reader(kind: type) -> Reader | None:
    if copiers.is_mapped(kind):
        return Reader(_loaded, loose=True)
    if hasattr(kind, "__pydantic_fields_set__") or hasattr(kind, "__fields_set__"):
        return Reader(_model)
    for base, reader in _BUILTIN.items():
        if issubclass(kind, base):
            return reader
    if _is_record(kind):
        return Reader(_fields)
    if _is_array(kind):
        return Reader(_buffer)
    return Reader(_public_fields) if _is_users_own(kind) else None


def _is_record(kind: type) -> bool:
    """Whether a class is a dataclass or attrs class that compares by its fields."""
    record = hasattr(kind, "__dataclass_fields__") or hasattr(kind, "__attrs_attrs__")
    return record and copiers.compares_by_value(kind)


def _is_array(kind: type) -> bool:
    return kind.__module__ == "numpy" and kind.__name__ == "ndarray"


def _is_users_own(kind: type) -> bool:
    """Whether a class is the user's own, with no base that brings a state of its own along."""
    neutral = ("builtins", "abc", "typing", "typing_extensions")
    bases = [base for base in kind.__mro__ if base.__module__ not in neutral]
    return bool(bases) and all(map(_is_in_user_code, bases)) and not issubclass(kind, BaseException)


def _is_in_user_code(kind: type) -> bool:
    module = sys.modules.get(kind.__module__)
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and is_user_file(file)
