"""Context variables that are set in a worker thread, and lost with its copy of the context.

A `def` endpoint or dependency runs in a thread with a copy of the request's context: what it sets
there reaches neither the endpoint nor the tasks.
"""

from __future__ import annotations

import functools
from contextvars import copy_context
from types import FunctionType
from typing import TYPE_CHECKING, Any

from bgcheck.events import ContextLost
from bgcheck.instrument.hub import current_request, current_task, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.patches import Patches
from bgcheck.instrument.users import Users
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context
    from types import ModuleType

    from bgcheck.recorder.request import RequestInfo

_MODULES = (
    "fastapi.concurrency",
    "fastapi.dependencies.utils",
    "fastapi.routing",
    "starlette.routing",
)

_hooks = ImportHooks()
_patches = Patches()
_users = Users()
_ABSENT = object()


@_users.first
def install() -> None:
    """Watch worker threads of requests; each call needs one of `uninstall`."""
    _hooks.install(dict.fromkeys(_MODULES, _patch))


@_users.last
def uninstall() -> None:
    """Watch no more once the last user is gone."""
    _hooks.uninstall()
    _patches.restore()


def _patch(module: ModuleType) -> None:
    _patches.wrap(module, "run_in_threadpool", _wrap)


def _wrap(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def run_in_threadpool(func: Any, /, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        request = current_request.get()
        if request is not None and hub.sinks and current_task.get() is None:
            func = _compared(func, request)
        return await original(func, *args, **kwargs)

    return run_in_threadpool


def _compared(func: Callable[..., Any], request: RequestInfo) -> Callable[..., Any]:
    """Return a call of `func` that compares the context before and after it."""

    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        before = copy_context()
        try:
            return func(*args, **kwargs)
        finally:
            hub.guard(_note, _inner(func, args, kwargs), request, before)

    return call


def _inner(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the user's function that a helper of the framework gets and calls, or the helper."""
    for each in (func, *args, *kwargs.values()):
        if isinstance(each, FunctionType) and is_user_file(each.__code__.co_filename):
            return each
    return func


def _note(func: Callable[..., Any], request: RequestInfo, before: Context) -> None:
    for variable, value in copy_context().items():
        old = before.get(variable, _ABSENT)
        if old is not value:
            earlier = None if old is _ABSENT else id(old)
            hub.emit(ContextLost(request, variable, value, earlier, func), request.recording)
