"""Tasks that read the body of their request, turned into events."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from bgcheck.events import BodyRead
from bgcheck.instrument.callers import user_stack
from bgcheck.instrument.hub import current_request, current_task, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.patches import Patches
from bgcheck.instrument.users import Users
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_hooks = ImportHooks()
_patches = Patches()
_users = Users()


@_users.first
def install() -> None:
    """Watch requests when Starlette is imported; each call needs one of `uninstall`."""
    _hooks.install({"starlette.requests": _patch_requests})


@_users.last
def uninstall() -> None:
    """Watch no more once the last user is gone."""
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
            if current_task.get() is not None:
                hub.guard(_note, self)
            elif is_user_file(sys._getframe(1).f_code.co_filename):  # noqa: SLF001
                hub.guard(_watch, self, original)
        return original(self)

    return stream


def _watch(request: Any, original: Callable[..., Any]) -> None:
    """See the first message that a stream asks for: a task may be the one that reads it."""
    if _is_read(request):
        return
    receive, code = request._receive, original.__code__  # noqa: SLF001 - `receive` has no setter

    @functools.wraps(receive)
    async def first() -> Any:
        __tracebackhide__ = True
        if sys._getframe(1).f_code is code:  # noqa: SLF001
            if request._receive is first:  # noqa: SLF001
                request._receive = receive  # noqa: SLF001
            hub.guard(_tell, request)
        return await receive()

    request._receive = first  # noqa: SLF001


def _is_read(request: Any) -> bool:
    return hasattr(request, "_body") or bool(getattr(request, "_stream_consumed", False))


def _note(request: Any) -> None:
    """Judge a read that has just begun."""
    if not _is_read(request):
        _tell(request)


def _tell(request: Any) -> None:
    """Tell of the first read of a body, if it is a task's own request."""
    task = current_task.get()
    if task is None or task.request is None or current_request.get() is not task.request:
        return  # in a request that the task sends to the application
    if not task.request.belongs_to(request.scope):
        return  # a request that the task has made
    where = user_stack()
    hub.emit(BodyRead(task, where[0] if where else None), task.recording)
