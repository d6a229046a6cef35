"""Tasks that read the body of their request, turned into events."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from bgcheck.events import BodyRead
from bgcheck.instrument.callers import user_stack
from bgcheck.instrument.hub import current_request, current_task, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_hooks = ImportHooks()
_patches = Patches()
_users = 0


def install() -> None:
    """Watch requests when Starlette is imported; each call needs one of `uninstall`."""
    global _users
    _users += 1
    if _users == 1:
        _hooks.install({"starlette.requests": _patch_requests})


def uninstall() -> None:
    """Watch no more once the last user is gone."""
    global _users
    _users -= 1
    if _users == 0:
        _hooks.uninstall()
        _patches.restore()


def _patch_requests(module: ModuleType) -> None:
    """`body`, `json` and `form` come here too (starlette 1.10.0, requests.py, lines 229-295)."""
    _patches.wrap(module.Request, "stream", _wrap_stream)


def _wrap_stream(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def stream(self: Any) -> Any:
        # Not a generator of its own: who leaves it half-way must meet the original's warnings.
        __tracebackhide__ = True
        if hub.sinks:
            hub.guard(_note, self)
        return original(self)

    return stream


def _note(request: Any) -> None:
    """Judge a read that has just begun."""
    task = current_task.get()
    if task is None or task.request is None or current_request.get() is not task.request:
        return  # in a request that the task sends to the application
    if not task.request.belongs_to(request.scope):
        return  # a request that the task has made
    if hasattr(request, "_body") or getattr(request, "_stream_consumed", False):
        return  # read before
    where = user_stack()
    hub.emit(BodyRead(task, where[0] if where else None), task.recording)
