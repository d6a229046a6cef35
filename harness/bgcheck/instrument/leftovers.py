"""Tell what user code starts while a background task is under way, and may leave running."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Final, Literal

from bgcheck.events import WorkStarted
from bgcheck.instrument import created_tasks
from bgcheck.instrument.blocking_callers import user_line
from bgcheck.instrument.captured import FunctionPatches
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.users import Users

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from bgcheck.recorder.record import ScheduledTask

    Kind = Literal["asyncio task", "thread", "executor", "job"]

_ASYNCIO: Final = frozenset({"asyncio"})
_THREADS: Final = frozenset({"threading"})
_POOLS: Final = frozenset({"concurrent"})

_hooks = ImportHooks()
_patches = FunctionPatches()
_users = Users()


@_users.first
def install() -> None:
    """Patch what is imported and what will be; each call needs one of `uninstall`."""
    _hooks.install({name: functools.partial(hub.guard, hook) for name, hook in _HOOKS.items()})
    created_tasks.follow(_note_created)


@_users.last
def uninstall() -> None:
    """Put everything back once the last user is gone."""
    created_tasks.unfollow(_note_created)
    _hooks.uninstall()
    _patches.restore()


def _patch_asyncio(module: ModuleType) -> None:
    """Patch functions that make asyncio tasks, for loops other than asyncio's own and uvloop's."""
    _patches.replace(module, "create_task", _wrap_maker)
    _patches.replace(module, "ensure_future", _wrap_maker)


def _patch_threading(module: ModuleType) -> None:
    _patches.replace(module.Thread, "start", _wrap_start)


def _patch_pools(module: ModuleType) -> None:
    _patches.replace(module.ThreadPoolExecutor, "__init__", _wrap_pool)
    _patches.replace(module.ThreadPoolExecutor, "submit", _wrap_submit)


_HOOKS: Final[dict[str, Callable[[ModuleType], None]]] = {
    "asyncio": _patch_asyncio,
    "threading": _patch_threading,
    "concurrent.futures.thread": _patch_pools,
}


def _wrap_maker(original: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def make(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        made = original(*args, **kwargs)
        task = current_task.get()
        if task is not None and hub.sinks:
            hub.guard(_note_created, task, made)
        return made

    return make


def _note_created(task: ScheduledTask, made: Any) -> None:
    if hasattr(made, "get_coro"):
        _note(task, "asyncio task", made, _name_of(made), _ASYNCIO)


def _name_of(made: Any) -> str:
    coroutine = made.get_coro()
    name = getattr(coroutine, "__qualname__", None) or type(coroutine).__qualname__
    return str(name).rpartition("<locals>.")[2]


def _wrap_start(original: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def start(self: Any) -> None:
        __tracebackhide__ = True
        task = current_task.get()
        if task is not None and hub.sinks:
            hub.guard(_note, task, "thread", self, self.name, _THREADS)
        original(self)

    return start


def _wrap_pool(original: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        original(self, *args, **kwargs)
        task = current_task.get()
        if task is not None and hub.sinks:
            hub.guard(_note, task, "executor", self, type(self).__name__, _POOLS)

    return __init__


def _wrap_submit(original: Callable[..., Any]) -> Any:
    """Wrap the submission of jobs; the loop's own executor is what `run_in_executor(None)` uses."""

    @functools.wraps(original)
    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        future = original(self, fn, *args, **kwargs)
        task = current_task.get()
        if task is not None and hub.sinks and _is_of_loop(self):
            name = getattr(fn, "__qualname__", type(fn).__qualname__)
            hub.guard(_note, task, "job", future, str(name), _ASYNCIO)
        return future

    return submit


def _is_of_loop(pool: Any) -> bool:
    asyncio = sys.modules.get("asyncio")
    loop = asyncio._get_running_loop() if asyncio is not None else None  # noqa: SLF001
    return getattr(loop, "_default_executor", None) is pool


def _note(
    task: ScheduledTask, kind: Kind, work: object, name: str, machinery: frozenset[str]
) -> None:
    line = user_line(machinery)
    if line is not None:
        hub.emit(WorkStarted(task, kind, work, name, line), task.recording)
