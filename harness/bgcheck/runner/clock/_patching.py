"""Replace what tells the time, everywhere it was captured, and put it back."""

from __future__ import annotations

import functools
import gc
import types
from collections.abc import Callable
from typing import Any

from bgcheck.instrument.patches import Patches

_OWN = "__bgcheck_clock__"


class ClockPatches(Patches):
    """Attributes that were replaced, inherited ones too."""

    def override(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace `owner.name`; where `owner` inherits it, give `owner` one of its own.

        A wrapper of an earlier clock that somebody put back works for every clock: it stays.
        """
        if hasattr(getattr(owner, name), _OWN):
            return
        replace = self.wrap if name in vars(owner) else self.cover
        replace(owner, name, lambda original: _signed(make(original)))


def _signed(wrapper: Any) -> Any:
    setattr(getattr(wrapper, "__func__", wrapper), _OWN, True)
    return wrapper


def replace_captured(old: Any, new: Any, *, keep: tuple[object, ...] = ()) -> None:
    """Put `new` wherever Python objects hold `old`.

    That is a module that did `from time import sleep`, a class or instance attribute, a default
    argument, a closure, a `functools.partial`, a list or a dictionary. Local variables of running
    functions and the containers in `keep` stay as they are.
    """
    kept = {id(container) for container in keep}
    holders = [holder for holder in gc.get_referrers(old) if id(holder) not in kept]
    swap = _Swap(old, new)  # made last: it holds `old` too
    behind = [one for one in holders if type(one) is tuple or _may_be_of_class(one)]
    for owner in gc.get_referrers(*behind) if behind else ():
        _replace_in_owner(owner, swap)
    for holder in holders:
        _replace_in(holder, swap)


def _may_be_of_class(holder: object) -> bool:
    return type(holder) is dict and "__module__" in holder


def _replace_in_owner(owner: Any, swap: _Swap) -> None:
    """Replace in what owns a container that cannot be changed, or must not be changed directly.

    A class caches what its dictionary holds; the defaults of a function are a tuple.
    """
    if isinstance(owner, type):
        swap.attributes(owner)
    elif isinstance(owner, types.FunctionType) and owner.__defaults__ is not None:
        owner.__defaults__ = tuple(swap.of(value) for value in owner.__defaults__)
    elif isinstance(owner, functools.partial):
        _in_partial(owner, swap)


def _replace_in(holder: Any, swap: _Swap) -> None:
    replace = _REPLACERS.get(type(holder))
    if replace is not None:
        replace(holder, swap)
    elif not isinstance(holder, _LEFT_ALONE):
        swap.attributes(holder)


class _Swap:
    """One object to be put in the place of another one."""

    def __init__(self, old: Any, new: Any) -> None:
        self._old = old
        self._new = new

    def of(self, value: Any) -> Any:
        return self._new if value is self._old else value

    def attributes(self, holder: Any) -> None:
        """Replace in attributes; slots and read-only ones that refuse it stay."""
        for name, value in list(getattr(holder, "__dict__", {}).items()):
            if value is self._old:
                _try(setattr, holder, name, self._new)
            elif isinstance(value, staticmethod) and value.__func__ is self._old:
                _try(setattr, holder, name, staticmethod(self._new))
        for name in _slots(type(holder)):
            if getattr(holder, name, None) is self._old:
                _try(setattr, holder, name, self._new)


def _slots(kind: type) -> list[str]:
    return [
        name
        for base in kind.__mro__
        for name, value in vars(base).items()
        if isinstance(value, types.MemberDescriptorType)
    ]


def _try(change: Callable[..., object], *args: Any) -> None:
    try:
        change(*args)
    except (AttributeError, TypeError, ValueError):
        return


def _in_dict(holder: dict[Any, Any], swap: _Swap) -> None:
    for key, value in list(holder.items()):
        if swap.of(value) is not value:
            holder[key] = swap.of(value)


def _in_list(holder: list[Any], swap: _Swap) -> None:
    holder[:] = [swap.of(value) for value in holder]


def _in_set(holder: set[Any], swap: _Swap) -> None:
    values = [swap.of(value) for value in holder]
    holder.clear()
    holder.update(values)


def _in_cell(holder: types.CellType, swap: _Swap) -> None:
    holder.cell_contents = swap.of(holder.cell_contents)


def _in_partial(holder: functools.partial[Any], swap: _Swap) -> None:
    args = tuple(swap.of(value) for value in holder.args)
    state = (swap.of(holder.func), args, holder.keywords, vars(holder))
    _try(holder.__setstate__, state)  # type: ignore[attr-defined]


_REPLACERS: dict[type, Callable[[Any, _Swap], None]] = {
    dict: _in_dict,
    list: _in_list,
    set: _in_set,
    types.CellType: _in_cell,
    functools.partial: _in_partial,
}
_LEFT_ALONE = (types.FrameType, types.FunctionType, types.BuiltinFunctionType, frozenset, tuple)
