"""Patches of asyncio and uvloop: what loops ask and are asked about time."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from bgcheck.runner.clock._anyio import patch_anyio
from bgcheck.runner.clock._asyncio import ORIGINAL, Quiet, known_watch, watch_of
from bgcheck.runner.clock._state import core_here, running

if TYPE_CHECKING:
    from contextvars import Context

    from bgcheck.runner.clock._core import Core
    from bgcheck.runner.clock._patching import ClockPatches


@contextlib.contextmanager
def enter_asyncio(core: Core) -> Iterator[None]:
    """Give the running task virtual time for the block."""
    watch = watch_of(core, asyncio.get_running_loop())
    task = asyncio.current_task()
    patch_class(core.patches, type(watch.loop))
    patch_anyio(core.patches)
    new = task is not None and task not in watch.tasks
    if new:
        watch.add_task(task)
    try:
        yield
    finally:
        if new:
            watch.tasks.discard(task)


def patch_asyncio(patches: ClockPatches) -> None:
    """Patch the loops of the standard library and of uvloop."""
    patch_class(patches, asyncio.BaseEventLoop)
    uvloop = sys.modules.get("uvloop")
    if uvloop is not None:
        patch_class(patches, uvloop.Loop)


def patch_class(patches: ClockPatches, kind: type) -> None:
    """Patch a loop class: the methods that it does not inherit patched."""
    for name, make in _METHODS.items():
        patches.override(kind, name, partial(_keep, make))


def _keep(make: Callable[[Any], Any], original: Any) -> Any:
    wrapper = make(original)
    setattr(wrapper, ORIGINAL, original)
    wrapper.__name__ = getattr(original, "__name__", wrapper.__name__)
    return wrapper


def _make_call_later(original: Any) -> Any:
    def call_later(
        self: Any, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        core = core_here(context)
        if core is None or not isinstance(delay, (int, float)):
            return original(self, delay, callback, *args, context=context)
        return watch_of(core, self).call_in(delay, callback, args, context)

    return call_later


def _make_call_at(original: Any) -> Any:
    def call_at(
        self: Any, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        core = core_here(context)
        if core is None or not isinstance(when, (int, float)):
            return original(self, when, callback, *args, context=context)
        watch = watch_of(core, self)
        return watch.call_in(when - watch.time(), callback, args, context)

    return call_at


def _make_time(original: Any) -> Any:
    def now(self: Any) -> Any:
        core = core_here()
        if core is None or _in_run_once():
            return original(self)
        return watch_of(core, self).time()

    return now


def _in_run_once() -> bool:
    """Whether the loop itself asks, for its real timers."""
    return sys._getframe(2).f_code.co_name == "_run_once"  # noqa: SLF001


def _make_call_soon(original: Any) -> Any:
    def call_soon(self: Any, callback: Any, *args: Any, context: Context | None = None) -> Any:
        handle = original(self, callback, *args, context=context)
        if running.core is not None and not isinstance(callback, Quiet):
            _note(running.core, self, callback)
        return handle

    return call_soon


def _make_call_soon_threadsafe(original: Any) -> Any:
    call_soon = _make_call_soon(original)

    def call_soon_threadsafe(self: Any, callback: Any, *args: Any, **options: Any) -> Any:
        core = core_here()
        if core is not None:
            core.threads.sent(callback, args)
        return call_soon(self, callback, *args, **options)

    return call_soon_threadsafe


def _note(core: Core, loop: Any, callback: Any) -> None:
    watch = watch_of(core, loop) if core.scope == "all" else known_watch(loop)
    owner = getattr(callback, "__self__", None)
    if watch is None:
        return
    if isinstance(owner, asyncio.Task) and owner not in watch:
        watch.outside_activity()
    elif getattr(callback, "__name__", "") != "_deliver_cancellation":  # anyio repeats it for ever
        watch.activated()


def _make_create_task(original: Any) -> Any:
    def create_task(self: Any, coro: Any, **options: Any) -> Any:
        task = original(self, coro, **options)
        core = core_here(options.get("context"))
        if core is not None:
            watch_of(core, self).add_task(task)
        return task

    return create_task


_METHODS: dict[str, Callable[[Any], Any]] = {
    "call_later": _make_call_later,
    "call_at": _make_call_at,
    "time": _make_time,
    "call_soon": _make_call_soon,
    "call_soon_threadsafe": _make_call_soon_threadsafe,
    "create_task": _make_create_task,
}
