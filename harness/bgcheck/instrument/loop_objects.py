"""Tell of objects of an asyncio loop that are used in a thread which does not run the loop.

Loops and events are used all the time, and mostly in the right thread. They are patched when a task
goes to another thread for the first time.
"""

from __future__ import annotations

import functools
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from bgcheck.events import LoopObjectTouched
from bgcheck.instrument.blocking_callers import user_line
from bgcheck.instrument.captured import FunctionPatches
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.patches import returns_coroutine
from bgcheck.instrument.users import Users

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from bgcheck.recorder.record import ScheduledTask

_LOOP_CALLS: Final = ("call_soon", "call_later", "call_at", "create_task")
_OBJECT_CALLS: Final = (
    ("Queue", "put_nowait"),
    ("Queue", "get_nowait"),
    ("Event", "set"),
    ("Lock", "release"),
    ("Semaphore", "release"),
)
_ASYNCIO: Final = frozenset({"asyncio"})

_hooks = ImportHooks()
_patches = FunctionPatches()
_users = Users()
_pending = False


@_users.first
def install() -> None:
    """Watch for tasks in other threads from now on; each call needs one of `uninstall`."""
    global _pending
    _pending = True
    _hooks.install({name: functools.partial(hub.guard, hook) for name, hook in _HOOKS.items()})


@_users.last
def uninstall() -> None:
    """Put everything back once the last user is gone."""
    global _pending
    _pending = False  # a wrapper that somebody has kept must not patch asyncio any more
    _hooks.uninstall()
    _patches.restore()


def _patch_threading(module: ModuleType) -> None:
    _patches.replace(module.Thread, "start", _wrap_leaving)


def _patch_pools(module: ModuleType) -> None:
    _patches.replace(module.ThreadPoolExecutor, "submit", _wrap_leaving)


def _patch_to_thread(module: ModuleType) -> None:
    _patches.replace(module, "run_sync", lambda run: returns_coroutine(_wrap_leaving(run)))


_HOOKS: Final[dict[str, Callable[[ModuleType], None]]] = {
    "threading": _patch_threading,
    "concurrent.futures.thread": _patch_pools,
    "anyio.to_thread": _patch_to_thread,
}


def _wrap_leaving(original: Callable[..., Any]) -> Any:
    """Wrap what takes a task to another thread."""

    @functools.wraps(original)
    def leaving(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if _pending and current_task.get() is not None and "asyncio" in sys.modules:
            hub.guard(_patch, sys.modules["asyncio"])
        return original(*args, **kwargs)

    return leaving


def _patch(asyncio: ModuleType) -> None:
    global _pending
    _pending = False
    for name in _LOOP_CALLS:
        make = functools.partial(_wrap, f"loop.{name}", _is_foreign_loop)
        _patches.replace(asyncio.BaseEventLoop, name, make)
    for kind, name in _OBJECT_CALLS:
        make = functools.partial(_wrap, f"asyncio.{kind}.{name}", _is_foreign_object)
        _patches.replace(getattr(asyncio, kind), name, make)


def _is_foreign_loop(loop: Any) -> bool:
    """Whether a loop runs in another thread than this one."""
    thread = getattr(loop, "_thread_id", None)
    return thread is not None and thread != threading.get_ident()


def _is_foreign_object(thing: Any) -> bool:
    """Whether an object is bound to a loop of another thread, or this thread has no loop at all."""
    loop = getattr(thing, "_loop", None)
    running = sys.modules["asyncio"]._get_running_loop()  # noqa: SLF001 - never raises
    if loop is None:
        return running is None
    return running is not loop and bool(loop.is_running())


def _wrap(name: str, is_foreign: Callable[[Any], bool], original: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def touch(self: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        task = current_task.get()
        if task is not None and hub.sinks:
            hub.guard(_note, task, name, is_foreign, self)
        return original(self, *args, **kwargs)

    return touch


def _note(task: ScheduledTask, name: str, is_foreign: Callable[[Any], bool], thing: object) -> None:
    line = user_line(_ASYNCIO) if is_foreign(thing) else None
    if line is not None:
        hub.emit(LoopObjectTouched(task, name, line), task.recording)
