"""Tell when a task asks anyio for a worker thread, and none is free."""

from __future__ import annotations

import functools
import sys
import types
from typing import TYPE_CHECKING, Any

from bgcheck.events import WorkersTaken
from bgcheck.instrument.callers import user_stack
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.patches import Patches
from bgcheck.instrument.users import Users

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import ModuleType

    from bgcheck.recorder.record import ScheduledTask

_hooks = ImportHooks()
_patches = Patches()
_users = Users()


@_users.first
def install() -> None:
    """Watch `anyio.to_thread` when it is imported; each call needs one of `uninstall`."""
    _hooks.install({"anyio.to_thread": _patch})


@_users.last
def uninstall() -> None:
    """Watch no more once the last user is gone."""
    _hooks.uninstall()
    _patches.restore()


def _patch(module: ModuleType) -> None:
    _patches.wrap(module, "run_sync", _wrap)


def _wrap(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def run_sync(func: Any, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        call = original(func, *args, **options)
        task = current_task.get()
        if task is None or not hub.sinks:
            return await call
        return await _watched(call, _Wait(task, options.get("limiter")))

    return run_sync


@types.coroutine
def _watched(call: Any, wait: _Wait) -> Generator[Any, Any, Any]:
    """Await a call, and look each time it gives way whether it waits for a thread."""
    __tracebackhide__ = True
    sent: Any = None
    error: BaseException | None = None
    while True:
        try:
            yielded = call.send(sent) if error is None else call.throw(error)
        except StopIteration as stop:
            return stop.value
        finally:
            error = sent = None  # no cycle of an error and its own frames
        hub.guard(wait.look)
        try:
            sent = yield yielded
        except GeneratorExit:
            call.close()
            raise
        except BaseException as thrown:
            error = thrown


class _Wait:
    """Tells once when a call waits for a limiter whose tokens are all taken."""

    def __init__(self, task: ScheduledTask, limiter: Any) -> None:
        self._task = task
        self._limiter = limiter
        self._told = False

    def look(self) -> None:
        if self._limiter is None:
            self._limiter = sys.modules["anyio.to_thread"].current_default_thread_limiter()
        if self._told or self._limiter.available_tokens >= 1:
            return
        state = self._limiter.statistics()
        caller = sys.modules["anyio"].get_current_task().id  # the id of the loop's own task
        if state.tasks_waiting and caller not in map(id, state.borrowers):
            self._told = True
            self._tell(int(state.total_tokens), state.tasks_waiting)

    def _tell(self, workers: int, waiting: int) -> None:
        where = user_stack()
        event = WorkersTaken(self._task, workers, waiting, where[0] if where else None)
        hub.emit(event, self._task.recording)
