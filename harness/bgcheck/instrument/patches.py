"""Replace attributes of foreign classes and modules, and put them back."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
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


class Patches:
    """Attributes that were replaced, newest last."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any]] = []

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace `owner.name` by `make(original)` where `owner` defines it itself.

        An attribute that holds a wrapper of these patches already is left alone: somebody saved it
        and put it back, or wrapped it once more, and it works on.
        """
        original = vars(owner).get(name)
        if original is not None and getattr(original, _MARK, None) is not self:
            self._set(owner, name, original, make(original))

    def cover(self, owner: type, name: str, make: Callable[[Any], Any]) -> None:
        """Give `owner` a method of its own, `make(inherited)`, in front of an inherited one."""
        self._set(owner, name, _ABSENT, make(getattr(owner, name)))

    def _set(self, owner: Any, name: str, original: Any, wrapper: Any) -> None:
        setattr(wrapper, _MARK, self)
        setattr(owner, name, wrapper)
        self._done.append((owner, name, original, wrapper))

    def restore(self) -> None:
        """Put every original back, except where somebody else has replaced the wrapper since."""
        while self._done:
            owner, name, original, wrapper = self._done.pop()
            if vars(owner).get(name) is not wrapper:
                continue
            if original is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
