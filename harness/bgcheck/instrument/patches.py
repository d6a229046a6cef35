"""Replace attributes of foreign classes and modules, and put them back."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final

_MARK: Final = "__bgcheck_patch__"
_ABSENT: Final = object()


def is_patched(function: object) -> bool:
    """Whether this is a wrapper of bgcheck, or wraps one with its attributes."""
    return hasattr(function, _MARK)


def returns_coroutine(function: Callable[..., Any]) -> Any:
    """Make a function that returns a coroutine one that frameworks take for a coroutine function.

    Before Python 3.12 nothing can mark it, and a coroutine function is put around it.
    """
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return await function(*args, **kwargs)

    vars(call).update(__wrapped__=getattr(function, "__wrapped__", function))
    return call


@dataclass(eq=False, slots=True)
class _Layer:
    """One replaced attribute.

    Attributes:
        original: what the owner had before, if it had one of its own.
        below: what the wrapper calls.
    """

    owner: Any
    name: str
    original: Any
    below: Any
    wrapper: Any


_in_force: Final[list[_Layer]] = []
"""The layers of all patches."""


class Patches:
    """Attributes that were replaced, newest last."""

    def __init__(self) -> None:
        self._done: list[_Layer] = []

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace `owner.name` by `make(original)` where `owner` defines it itself.

        An attribute that holds a wrapper of these patches already is left alone: somebody saved it
        and put it back, or wrapped it once more, and it works on.
        """
        original = vars(owner).get(name)
        if original is not None and getattr(original, _MARK, None) is not self:
            self._set(_Layer(owner, name, original, original, make(original)))

    def cover(self, owner: type, name: str, make: Callable[[Any], Any]) -> None:
        """Give `owner` a method of its own, `make(inherited)`, in front of an inherited one."""
        inherited = getattr(owner, name)
        self._set(_Layer(owner, name, _ABSENT, inherited, make(inherited)))

    def _set(self, layer: _Layer) -> None:
        setattr(layer.wrapper, _MARK, self)
        setattr(layer.owner, layer.name, layer.wrapper)
        self._done.append(layer)
        _in_force.append(layer)

    def restore(self) -> None:
        """Put every original back, except where somebody else has replaced the wrapper since.

        Patches may go in any order: one that others of ours were put over is taken out from below.
        """
        while self._done:
            layer = self._done.pop()
            _in_force.remove(layer)
            if vars(layer.owner).get(layer.name) is not layer.wrapper:
                _take_out(layer)
            elif layer.original is _ABSENT:
                delattr(layer.owner, layer.name)
            else:
                setattr(layer.owner, layer.name, layer.original)


def _take_out(layer: _Layer) -> None:
    """Have the layer above, if it is ours, call what is below."""
    for above in _in_force:
        if above.below is layer.wrapper and (above.owner, above.name) == (layer.owner, layer.name):
            above.original, above.below = layer.original, layer.below
            _replace_in(above.wrapper, layer.wrapper, layer.below)


def _replace_in(wrapper: Any, old: Any, new: Any) -> None:
    """Replace what a wrapper calls: it is in its closure, or in that of the function in there.

    `functools.wraps` has copied the attributes, which may tell what the old one does.
    """
    if not isinstance(wrapper, FunctionType):
        return
    for cell in wrapper.__closure__ or ():
        try:
            held = cell.cell_contents
        except ValueError:  # it is empty
            continue
        if held is old:
            cell.cell_contents = new
        elif getattr(held, "__wrapped__", None) is old:
            _replace_in(held, old, new)
    copied, theirs = getattr(old, "__dict__", {}), getattr(new, "__dict__", {})
    for name, value in list(vars(wrapper).items()):
        if value is old:
            setattr(wrapper, name, new)
        elif name in copied and value is copied[name]:
            delattr(wrapper, name)
            vars(wrapper).update({name: theirs[name]} if name in theirs else {})
