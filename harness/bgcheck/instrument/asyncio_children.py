"""Follow the asyncio tasks that background tasks start, and see which fail unseen.

asyncio itself knows whether somebody has looked at a failure: it tells the loop's exception
handler when a failed task goes that nobody asked. What still lives in the end says so too.
"""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bgcheck.events import ChildFailed
from bgcheck.instrument import created_tasks
from bgcheck.instrument.hub import hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.patches import Patches
from bgcheck.instrument.task_frames import site_of, task_frames
from bgcheck.instrument.users import Users
from bgcheck.recorder.failure import failure_of
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from bgcheck.recorder.record import ScheduledTask, Site

_BETWEEN: Final = frozenset({"asyncio", "bgcheck", "functools", "uvloop"})
"""Packages between user code and the loop, which start no asyncio task of their own."""

_patches = Patches()
_hooks = ImportHooks()
_users = Users()


class _Child(NamedTuple):
    """An asyncio task, its name among asyncio's, and who started it."""

    live: weakref.ref[Any]
    title: str
    name: str
    task: ScheduledTask
    site: Site | None


_children: dict[int, _Child] = {}


@_users.first
def install() -> None:
    """Follow from now on; each call needs one of `uninstall`."""
    _hooks.install({"asyncio.base_events": _patch_asyncio, "uvloop": _patch_uvloop})
    created_tasks.follow(_follow)


@_users.last
def uninstall() -> None:
    """Stop following once the last user is gone."""
    created_tasks.unfollow(_follow)
    _hooks.uninstall()
    _patches.restore()
    _children.clear()


def _patch_asyncio(module: ModuleType) -> None:
    _patches.wrap(module.BaseEventLoop, "call_exception_handler", _wrap_call_exception_handler)


def _patch_uvloop(module: ModuleType) -> None:
    """The loop inherits it from a class that takes no patch."""
    _patches.cover(module.Loop, "call_exception_handler", _wrap_call_exception_handler)


def _follow(task: ScheduledTask, made: Any) -> None:
    coroutine = made.get_coro()
    code = getattr(coroutine, "cr_code", None)
    site = _started_by()
    if not site and (code is None or not is_user_file(code.co_filename)):
        return  # a library keeps house
    name = str(getattr(coroutine, "__qualname__", made.get_name())).rpartition("<locals>.")[2]
    _children[id(made)] = _Child(weakref.ref(made), made.get_name(), name, task, site)


def _started_by() -> Site | None:
    """Return the line of user code that starts a task itself, or None where a library does."""
    for frame in task_frames():
        if is_user_file(frame.f_code.co_filename):
            return site_of(frame.f_code, frame.f_lineno)
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in _BETWEEN:
            return None
    return None


def _wrap_call_exception_handler(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call_exception_handler(self: Any, context: Any) -> Any:
        __tracebackhide__ = True
        if hub.sinks and _children:
            hub.guard(_reported, self, context)
        return original(self, context)

    return call_exception_handler


def _reported(loop: Any, context: dict[str, Any]) -> None:
    live: Any = context.get("task") or context.get("future")
    error = context.get("exception")
    child = _children.get(id(live))
    if child is None or error is None or "never retrieved" not in str(context.get("message")):
        return
    # an id may be used again; a reference is dead already where the garbage collector is at work
    if child.live() not in (live, None) or live.get_name() != child.title:
        return
    del _children[id(live)]
    if not _is_watched(loop):
        _tell(child, error)


def _is_watched(loop: Any) -> bool:
    """Whether the user has an exception handler on the loop, which looks at all failures."""
    handler: Any = loop.get_exception_handler()
    while isinstance(handler, functools.partial):
        handler = handler.func
    function = getattr(handler, "__func__", handler)
    code = getattr(function, "__code__", None)
    return code is not None and is_user_file(code.co_filename)


def _tell(child: _Child, error: BaseException) -> None:
    event = ChildFailed(child.task, child.name, child.site, failure_of(error))
    hub.emit(event, child.task.recording)


def tell_unseen(*, last: bool) -> None:
    """Tell of the failed tasks that somebody keeps, and nobody can look at any more.

    Args:
        last: the session ends. Else those whose loop still runs may be looked at.
    """
    for number, child in list(_children.items()):
        live = child.live()
        if live is None:
            del _children[number]
        elif live.done() and (last or live.get_loop().is_closed()):
            del _children[number]
            error = getattr(live, "_exception", None)
            if error is not None and getattr(live, "_log_traceback", False):
                _tell(child, error)
