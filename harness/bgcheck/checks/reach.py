"""Whether an object is meant to be shared: a module, the application or an endpoint leads to it."""

from __future__ import annotations

import contextvars
import gc
import sys
import types
from typing import TYPE_CHECKING, Any, Final

from bgcheck.instrument.hub import Hub
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.recorder.request import RequestInfo

LIMIT: Final = 300_000
"""Objects that are looked at before the search ends: what is not found by then is not shared."""

_CLOSED: Final = (
    bytes,
    contextvars.Context,
    Hub,
    str,
    types.AsyncGeneratorType,
    types.CodeType,
    types.CoroutineType,
    types.FrameType,
    types.GeneratorType,
    types.ModuleType,
    types.TracebackType,
)
"""What leads to everything that happens to run at the moment, or to nothing."""


_MACHINERY: Final = frozenset(
    {"_pytest", "bgcheck", "_frozen_importlib", "_frozen_importlib_external"}
)
"""Packages whose objects lead to the test that runs, and so to its tasks."""


def is_shared(value: object, request: RequestInfo | None) -> bool:
    """Whether code beyond one request reaches an object.

    That is: by the globals of a module of the user's, `app.state`, or what an endpoint, a
    dependency or a middleware of the application holds.

    Args:
        value: a container or an object.
        request: the request under way, which knows its application.
    """
    if value is None:
        return False
    seen: set[int] = set()
    waiting = list(_roots(request))
    while waiting and len(seen) < LIMIT:
        one = waiting.pop()
        if one is value:
            return True
        if id(one) in seen or _is_closed(one):
            continue
        seen.add(id(one))
        waiting += _inside(one)
    return False


def _is_closed(one: object) -> bool:
    return isinstance(one, _CLOSED) or str(type(one).__module__).partition(".")[0] in _MACHINERY


def user_modules() -> Iterator[types.ModuleType]:
    """Yield the imported modules that are the user's."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and is_user_file(file):
            yield module


def _roots(request: RequestInfo | None) -> Iterator[object]:
    for module in user_modules():
        yield from list(vars(module).values())
    scope = request.scope if request is not None else None
    if scope is not None:
        yield from (scope.get("app"), scope.get("endpoint"), scope.get("router"))


def _inside(one: Any) -> list[Any]:
    """What an object leads to. A function leads to its closure and defaults, not to its globals."""
    if isinstance(one, types.FunctionType):
        return [one.__closure__, one.__defaults__, one.__kwdefaults__, vars(one)]
    return gc.get_referents(one)
