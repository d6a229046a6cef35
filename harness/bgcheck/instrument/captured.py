"""Replace functions of modules, also where other modules have imported them by name."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from bgcheck.instrument.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class FunctionPatches(Patches):
    """Functions and methods that were replaced.

    Functions of a module are replaced in every module that holds them, and put back in every
    module that holds their wrapper by then.
    """

    def __init__(self) -> None:
        super().__init__()
        self._wrappers: list[Any] = []

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace `owner.name` by `make(original)`; a class that inherits it is given its own."""
        if not isinstance(owner, type):
            self._replace_function(owner, name, make)
        elif name in vars(owner):
            self.wrap(owner, name, make)
        else:
            self.cover(owner, name, make)

    def _replace_function(self, module: Any, name: str, make: Callable[[Any], Any]) -> None:
        original = vars(module).get(name)
        self.wrap(module, name, make)
        wrapper = vars(module).get(name)
        if wrapper is original:
            return
        self._wrappers.append(wrapper)
        for holder, held in list(holders([original])):
            self.wrap(holder, held, functools.partial(_same, wrapper))

    def restore(self) -> None:
        """Put every original back, also where a wrapper was imported by name since."""
        # what a wrapper wraps by now, rather than what it did at first: a clock that has replaced
        # itself in there since is gone
        for holder, held in list(holders(self._wrappers)):
            setattr(holder, held, vars(holder)[held].__wrapped__)
        self._wrappers.clear()
        super().restore()


def _same(wrapper: Any, original: Any) -> Any:
    return wrapper


def holders(values: Iterable[Any]) -> Iterator[tuple[Any, str]]:
    """Yield the modules that hold one of these values, with its name there."""
    numbers = set(map(id, values))
    for module in list(sys.modules.values()) if numbers else ():
        if type(module) is not type(sys) or module.__name__.startswith("bgcheck."):
            continue  # a module with a class of its own may do anything when it is changed
        if not numbers.isdisjoint(map(id, list(vars(module).values()))):
            names = list(vars(module).items())
            yield from ((module, name) for name, value in names if id(value) in numbers)
