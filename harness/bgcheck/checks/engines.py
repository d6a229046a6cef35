"""Which database engines a function leads to."""

from __future__ import annotations

import functools
import gc
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT: Final = 20_000
"""Objects that are looked at before the search ends."""

_CLOSED: Final = (
    str,
    bytes,
    type,
    types.CodeType,
    types.FrameType,
    types.ModuleType,
    types.TracebackType,
)


@dataclass
class Engines:
    """The pools and the URLs of some engines."""

    pools: list[Any] = field(default_factory=list)
    urls: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.pools)


def engines_of(function: object) -> Engines:
    """Find the engines that a callable leads to: by its closure, defaults and globals.

    Args:
        function: a dependency, or what overrides one.
    """
    found = Engines()
    seen: set[int] = set()
    waiting: list[Any] = [function]
    while waiting and len(seen) < LIMIT:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, _CLOSED):
            continue
        seen.add(id(one))
        if _is_engine(one):
            found.pools.append(one.pool)
            if one.url.database not in (None, "", ":memory:"):
                found.urls.add(one.url.render_as_string(hide_password=True))
            continue
        waiting += _inside(one)
    return found


def _is_engine(one: Any) -> bool:
    return any(
        base.__name__ == "Engine" and base.__module__ == "sqlalchemy.engine.base"
        for base in type(one).__mro__
    )


def _inside(one: Any) -> list[Any]:
    if isinstance(one, functools.partial):
        return [one.func, *one.args, *one.keywords.values()]
    if not isinstance(one, types.FunctionType):
        return gc.get_referents(one)
    if not is_user_file(one.__code__.co_filename):
        wrapped = getattr(one, "__wrapped__", None)
        return [] if wrapped is None else [one.__closure__, wrapped]
    return [one.__closure__, one.__defaults__, one.__kwdefaults__, *_globals_of(one)]


def _globals_of(function: types.FunctionType) -> Iterator[object]:
    """Yield what the names in the code of a function mean, and attributes of modules there."""
    code, scope = function.__code__, function.__globals__
    for name in code.co_names:
        value = scope.get(name)
        if isinstance(value, types.ModuleType):
            yield from (getattr(value, attribute, None) for attribute in code.co_names)
        elif name in scope:
            yield value
