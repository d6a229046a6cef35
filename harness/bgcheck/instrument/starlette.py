"""Patches on Starlette and FastAPI: the single task, the group, the application call.

The single task is where every way of scheduling and running meets: `BackgroundTasks.add_task`
makes a `BackgroundTask`, and a group runs by calling each (starlette 1.10.0, background.py, lines
15-42). FastAPI overrides `BackgroundTasks.__call__` since 0.142, so that a patch on Starlette's
group alone would miss injected tasks.
"""

from __future__ import annotations

import functools
import weakref
from types import ModuleType
from typing import Any

from bgcheck.instrument import requests, tasks
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.patches import Patches

patches = Patches()
_classes: weakref.WeakSet[type] = weakref.WeakSet()


def patch_background(module: ModuleType) -> None:
    """Patch `starlette.background`."""
    task, group = module.BackgroundTask, module.BackgroundTasks
    patches.wrap(task, "__init__", _wrap_task_init)
    patches.wrap(task, "__call__", _wrap_task_call)
    patches.wrap(group, "__init__", _wrap_group_init)
    patches.wrap(group, "add_task", _wrap_add_task)
    patches.wrap(group, "__call__", _wrap_group_call)
    patches.wrap(module, "run_in_threadpool", _wrap_run_in_threadpool)
    _classes.update((task, group))


def patch_applications(module: ModuleType) -> None:
    """Patch `starlette.applications`; FastAPI's application calls up to it."""
    patches.wrap(module.Starlette, "__call__", _wrap_app)


def patch_routing(module: ModuleType) -> None:
    """Patch `starlette.routing`, for an app that is a bare router."""
    patches.wrap(module.Router, "__call__", _wrap_app)


def patch_responses(module: ModuleType) -> None:
    """Patch `starlette.responses`, for an ASGI function that only uses a response class."""
    for name in ("Response", "StreamingResponse", "FileResponse"):
        patches.wrap(getattr(module, name), "__call__", _wrap_app)


HOOKS = {
    "starlette.background": patch_background,
    "starlette.applications": patch_applications,
    "starlette.routing": patch_routing,
    "starlette.responses": patch_responses,
}


def restore() -> None:
    """Put all that was patched back."""
    patches.restore()
    _classes.clear()


def _follow_class(kind: type) -> None:
    """Patch the `__call__` of a subclass as well: it need not call up to Starlette's."""
    if kind in _classes:
        return
    for base in kind.__mro__:
        if base not in _classes and base is not object:
            _classes.add(base)
            wrap = _wrap_group_call if hasattr(base, "add_task") else _wrap_task_call
            patches.wrap(base, "__call__", wrap)


def _safely(note: Any, live: object) -> None:
    """Record something; an error of bgcheck itself is kept for its report."""
    try:
        _follow_class(type(live))
        note(live)
    except Exception as error:  # a bug of bgcheck must not change a test
        hub.errors.append(error)


def _wrap_task_init(original: Any) -> Any:
    @functools.wraps(original)
    def __init__(self: Any, /, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        original(self, *args, **kwargs)
        if hub.sinks:
            _safely(tasks.schedule, self)

    return __init__


def _wrap_group_init(original: Any) -> Any:
    @functools.wraps(original)
    def __init__(self: Any, /, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        original(self, *args, **kwargs)
        if hub.sinks:
            _safely(tasks.remember_group, self)

    return __init__


def _wrap_add_task(original: Any) -> Any:
    @functools.wraps(original)
    def add_task(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        outer, tasks.adding.group = tasks.adding.group, self
        try:
            return original(self, *args, **kwargs)
        finally:
            tasks.adding.group = outer

    return add_task


def _wrap_task_call(original: Any) -> Any:
    @functools.wraps(original)
    async def __call__(self: Any) -> None:
        __tracebackhide__ = True
        task = tasks.reached(self) if hub.sinks else None
        if task is None:
            await original(self)
        else:
            await tasks.run(task, functools.partial(original, self))

    return __call__


def _wrap_group_call(original: Any) -> Any:
    @functools.wraps(original)
    async def __call__(self: Any) -> None:
        __tracebackhide__ = True
        try:
            await original(self)
        except BaseException:
            if hub.sinks:
                tasks.abort_group(self)
            raise

    return __call__


def _wrap_run_in_threadpool(original: Any) -> Any:
    @functools.wraps(original)
    async def run_in_threadpool(func: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        task = current_task.get()
        if task is not None and func is task.live.func:
            func = tasks.in_worker(task, func)
        return await original(func, *args, **kwargs)

    return run_in_threadpool


def _wrap_app(original: Any) -> Any:
    @functools.wraps(original)
    async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> None:
        __tracebackhide__ = True
        if not hub.sinks or not requests.is_new(scope):
            await original(self, scope, receive, send)
            return
        request, token = requests.begin(scope)
        failure: BaseException | None = None
        try:
            await original(self, scope, receive, requests.observed(send, request))
        except BaseException as error:
            failure = error
            raise
        finally:
            requests.end(request, token, failure)

    return __call__
