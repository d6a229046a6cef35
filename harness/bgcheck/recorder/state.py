"""Read the state of arguments so that a later state can be compared, without keeping any object.

What cannot change is kept as it is. Built-in containers, dataclasses, attrs classes, pydantic
models, mapped instances and objects of the user's own classes become a `Node` with the state of
their contents; buffers become a digest; everything else (sessions, clients, locks, mocks) is
`Opaque`: its identity counts. No method, property or `__eq__` of the user runs.
"""

from __future__ import annotations

import functools
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bgcheck.recorder.contents import CONSTANT, Step, is_constant, reader_of
from bgcheck.recorder.describe import cut, safe_repr
from bgcheck.recorder.roles import MAPPED, role_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LIMIT: Final = 5_000
"""How many objects one state holds; the rest is opaque."""

WIDTH: Final = 60
"""Columns of a value in a message."""


class Opaque:
    """An object of which only the identity counts."""

    __slots__ = ("oid", "type")

    def __init__(self, value: object) -> None:
        self.oid: int = id(value)
        self.type: str = type(value).__qualname__.rpartition("<locals>.")[2]

    def __repr__(self) -> str:
        return describe(self)


class Node:
    """An object with contents: its class, its id, and the state of what it holds, by step.

    `loose` says that contents may appear or go without a change of value: loaded attributes of a
    mapped instance, cached properties.
    """

    __slots__ = ("items", "loose", "oid", "type")

    def __init__(self, value: object, loose: bool) -> None:
        self.oid: int = id(value)
        self.type: str = type(value).__qualname__.rpartition("<locals>.")[2]
        self.items: dict[Step, State] = {}
        self.loose: bool = loose

    def __repr__(self) -> str:
        return describe(self)


State = Any
"""A constant, a `Node` or an `Opaque`."""


class Capture:
    """Reads states; values met twice, and cycles, become the same node.

    Args:
        objects: filled with the live containers by id, for a caller who needs them at once.
    """

    def __init__(self, objects: dict[int, Any] | None = None) -> None:
        self._nodes: dict[int, Node] = {}
        self._alive: list[Any] = []
        self._objects = objects
        self.roles: set[str] = set()

    def take(self, value: Any) -> State:
        """Return the state of a value."""
        if type(value) in CONSTANT or is_constant(value):
            return value
        known = self._nodes.get(id(value))
        if known is not None:
            return known
        reader = reader_of(type(value))
        if reader is None or len(self._nodes) >= LIMIT:
            role = role_of(type(value))
            if role is not None:
                self.roles.add(role)
            return Opaque(value)
        if reader.loose:
            self.roles.add(MAPPED)
        return self._read(value, reader.read, reader.loose)

    def _read(
        self, value: Any, read: Callable[[Any], Iterator[tuple[Step, Any]]], loose: bool
    ) -> State:
        node = self._nodes[id(value)] = Node(value, loose)
        self._alive.append(value)  # an id stays unique while its object lives
        if self._objects is not None:
            self._objects[id(value)] = value
        try:
            for step, item in read(value):
                node.items[step] = self.take(item)
        except Exception:  # a foreign container may refuse, or change while it is read
            return Opaque(value)
        return node


def capture(value: Any) -> State:
    """Return the state of one value."""
    return Capture().take(value)


class CallState:
    """The state of a call: positional and keyword arguments, and what its callable carries.

    Attributes:
        name: the callable's name.
        carried: the state of the object of a bound method, or of a callable object; else None.
        constant: nothing in it can change.
        roles: what is among its arguments, such as `session-argument`.
    """

    __slots__ = ("args", "carried", "constant", "kwargs", "name", "roles")

    def __init__(
        self,
        name: str,
        args: tuple[State, ...],
        kwargs: dict[str, State],
        carried: State = None,
        *,
        constant: bool = False,
    ) -> None:
        self.name: str = name
        self.args: tuple[State, ...] = args
        self.kwargs: dict[str, State] = kwargs
        self.carried: State = carried
        self.roles: frozenset[str] = frozenset()
        self.constant: bool = constant or not any(
            isinstance(state, Node) for state in (carried, *args, *kwargs.values())
        )

    def roots(self, names: tuple[str, ...]) -> dict[str, State]:
        """Return the states by parameter name, as far as `names` (of positional ones) go."""
        labels = (names[n] if n < len(names) else f"args[{n}]" for n in range(len(self.args)))
        found = dict(zip(labels, self.args, strict=True))
        found.update(self.kwargs)
        if self.carried is not None:
            found["self"] = self.carried
        return found

    def __str__(self) -> str:
        parts = [describe(state) for state in self.args]
        parts += [f"{name}={describe(state)}" for name, state in self.kwargs.items()]
        return f"{self.name}({cut(', '.join(parts), 76)})"


def capture_call(
    func: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    name: str,
    objects: dict[int, Any] | None = None,
) -> CallState:
    """Return the state of a call; a partial counts as the call that it makes.

    Args:
        func: the callable.
        args: its positional arguments.
        kwargs: its keyword arguments.
        name: what to call it.
        objects: filled with the live containers by id.
    """
    partial = isinstance(func, functools.partial)
    while isinstance(func, functools.partial):
        args = (*func.args, *args)
        kwargs = {**func.keywords, **kwargs}
        func = func.func
    if type(func) is types.FunctionType and not partial and _are_constant(args, kwargs):
        return CallState(name, tuple(args), dict(kwargs), constant=True)
    reader = Capture(objects)
    state = CallState(
        name,
        tuple(map(reader.take, args)),
        {key: reader.take(value) for key, value in kwargs.items()},
        reader.take(carrier_of(func)),
    )
    state.constant &= not partial  # its keywords are a dict that can change
    if reader.roles:
        state.roles = frozenset(reader.roles)
    return state


def _are_constant(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    for value in args:
        if type(value) not in CONSTANT:
            return False
    return not kwargs or all(type(value) in CONSTANT for value in kwargs.values())


def carrier_of(func: Any) -> object:
    """Return the object that a callable carries: that of a bound method, or itself if it has one.

    Functions, classes and class methods carry none.
    """
    owner = getattr(func, "__self__", None) if isinstance(func, types.MethodType) else func
    plain = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)
    return None if isinstance(owner, plain) else owner


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two states.

    Attributes:
        path: where, such as `payload['to']`.
        before: what was there, as text; None if nothing was.
        after: what is there now.
        holder: the id of the innermost container that changed, None if a root itself differs.
    """

    path: str
    before: str | None
    after: str | None
    holder: int | None

    def __str__(self) -> str:
        before = "nothing" if self.before is None else self.before
        after = "nothing" if self.after is None else self.after
        return f"{self.path}: {before} -> {after}"


def changes(before: State, after: State, path: str) -> list[Change]:
    """List what differs between two states of the value called `path`."""
    found: list[Change] = []
    _compare(before, after, path, None, found, set())
    return found


def call_changes(before: CallState, after: CallState, names: tuple[str, ...] = ()) -> list[Change]:
    """List what differs between two states of one call.

    Args:
        before: the earlier state.
        after: the later state.
        names: the names of the positional parameters.
    """
    old, new = before.roots(names), after.roots(names)
    return [
        change
        for name in {**old, **new}
        for change in changes(old.get(name, _NOTHING), new.get(name, _NOTHING), name)
    ]


def _compare(
    before: State,
    after: State,
    path: str,
    holder: int | None,
    found: list[Change],
    seen: set[tuple[int, int]],
) -> None:
    if isinstance(before, Node) and isinstance(after, Node) and before.type == after.type:
        if (id(before), id(after)) in seen:
            return
        seen.add((id(before), id(after)))
        for step in _steps(before, after):
            old, new = before.items.get(step, _NOTHING), after.items.get(step, _NOTHING)
            _compare(old, new, path + step.text, after.oid, found, seen)
    elif not same(before, after):
        found.append(Change(path, _text(before), _text(after), holder))


_NOTHING: Final = object()


def _steps(before: Node, after: Node) -> Iterator[Step]:
    for step in before.items:
        if step in after.items or not (before.loose or step.loose):
            yield step
    for step in after.items:
        if step not in before.items and not (before.loose or step.loose):
            yield step


def same(before: State, after: State) -> bool:
    """Whether two states without contents, or the identities behind two states, are the same."""
    if isinstance(before, (Node, Opaque)) or isinstance(after, (Node, Opaque)):
        return type(before) is type(after) and before.oid == after.oid
    if before is after:
        return True
    return type(before) is type(after) and bool(before == after)


def _text(state: State) -> str | None:
    return None if state is _NOTHING else describe(state)


def describe(state: State, depth: int = 2) -> str:
    """Write a state as a person would write the value, cut to one line."""
    if isinstance(state, Opaque):
        return f"<{state.type}>"
    if not isinstance(state, Node):
        return cut(safe_repr(state), WIDTH)
    if depth == 0:
        return f"{state.type}(...)" if state.items else f"{state.type}()"
    inner = (_part(step, item, depth - 1) for step, item in state.items.items())
    left, right = _BRACKETS.get(state.type, (f"{state.type}(", ")"))
    return cut(f"{left}{', '.join(inner)}{right}", WIDTH)


def _part(step: Step, item: State, depth: int) -> str:
    return step.label if step.kind == "element" else f"{step.label}{describe(item, depth)}"


_BRACKETS: Final = {
    "dict": ("{", "}"),
    "list": ("[", "]"),
    "set": ("{", "}"),
    "tuple": ("(", ")"),
}
