"""What tasks do with uploads and spooled files, turned into events. No file position is moved.

An upload's file is a `tempfile.SpooledTemporaryFile`, whose methods are Python; files that are
written in C cannot be watched so.
"""

from __future__ import annotations

import functools
import tempfile
import weakref
from typing import TYPE_CHECKING, Any, Final

from bgcheck.events import FileUsed
from bgcheck.instrument.callers import user_stack
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.patches import Patches
from bgcheck.instrument.users import Users
from bgcheck.recorder.files import is_at_end

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from bgcheck.recorder.record import ScheduledTask

_READS: Final = ("read", "read1", "readinto", "readinto1", "readline", "readlines", "__iter__")
_MOVES: Final = ("seek", "write", "writelines", "truncate", "close")

_hooks = ImportHooks()
_patches = Patches()
_users = Users()
_known: weakref.WeakKeyDictionary[ScheduledTask, set[int]] = weakref.WeakKeyDictionary()


@_users.first
def install() -> None:
    """Watch spooled files, and uploads when Starlette is imported; each needs an `uninstall`."""
    for name in (*_READS, *_MOVES):
        _patches.wrap(tempfile.SpooledTemporaryFile, name, functools.partial(_wrap, name))
    _hooks.install({"starlette.datastructures": _patch_datastructures})


@_users.last
def uninstall() -> None:
    """Watch no more once the last user is gone."""
    _hooks.uninstall()
    _patches.restore()
    _known.clear()


def _patch_datastructures(module: ModuleType) -> None:
    for name in ("read", "seek", "write", "close"):
        _patches.wrap(module.UploadFile, name, functools.partial(_wrap_upload, name))


def _wrap(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        task = current_task.get()
        if task is not None and hub.sinks:
            hub.guard(_note, task, self, name)
        return original(self, *args, **kwargs)

    return method


def _wrap_upload(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        task = current_task.get()
        if task is not None and hub.sinks:
            hub.guard(_note, task, self.file, name)
        return await original(self, *args, **kwargs)

    return method


def _note(task: ScheduledTask, file: Any, name: str) -> None:
    """Judge the first thing that a task does with a file."""
    known = _known.setdefault(task, set())
    if id(file) in known:
        return
    known.add(id(file))
    if file.closed and name != "close":
        state = "closed"
    elif name in _READS and is_at_end(file):
        state = "at its end"
    else:
        return
    where = user_stack()
    hub.emit(FileUsed(task, state, name, where[0] if where else None), task.recording)
