"""Tell of event loops that are started while a background task is under way in the thread."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from bgcheck.events import LoopEntered
from bgcheck.instrument.blocking_callers import caller
from bgcheck.instrument.captured import FunctionPatches
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.users import Users

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from bgcheck.recorder.record import ScheduledTask

_STARTERS: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "asyncio": (
        ("", "run", "asyncio.run"),
        ("Runner", "run", "asyncio.Runner.run"),
        ("BaseEventLoop", "run_until_complete", "loop.run_until_complete"),
    ),
    "anyio": (("", "run", "anyio.run"),),
    "trio": (("", "run", "trio.run"),),
    "uvloop": (("", "run", "uvloop.run"),),
}
"""By module: class, or empty for the module itself, attribute, and what a finding calls it."""

_hooks = ImportHooks()
_patches = FunctionPatches()
_users = Users()


@_users.first
def install() -> None:
    """Patch what is imported and what will be; each call needs one of `uninstall`."""
    _hooks.install(dict.fromkeys(_STARTERS, _patch))


@_users.last
def uninstall() -> None:
    """Put everything back once the last user is gone."""
    _hooks.uninstall()
    _patches.restore()


def _patch(module: ModuleType) -> None:
    for owner_name, attribute, name in _STARTERS[module.__name__]:
        owner = getattr(module, owner_name, None) if owner_name else module
        if owner is not None:  # no Runner before Python 3.11
            hub.guard(_patches.replace, owner, attribute, functools.partial(_wrap, name))


def _wrap(name: str, original: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def start(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        task = current_task.get()
        if task is not None and hub.sinks:
            hub.guard(_note, task, name)
        return original(*args, **kwargs)

    return start


def _note(task: ScheduledTask, name: str) -> None:
    found = caller(loops=True)
    if found is not None:
        hub.emit(LoopEntered(task, found.entered or name, found.line), task.recording)
