"""Tell of files and sockets that are dropped while they are open, as Python itself finds them.

CPython issues a ResourceWarning for an open handle whose last reference goes; most filters ignore
it. While a task is under way an entry in front of the filters reads each warning, matches none, and
so leaves it to the filters that are there.
"""

from __future__ import annotations

import functools
import re
import warnings
from typing import TYPE_CHECKING, Any, Final

from bgcheck.events import HandleDropped
from bgcheck.instrument import plain_tasks, tasks
from bgcheck.instrument.callers import frames
from bgcheck.instrument.garbage import collections, unwatch, watch
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.patches import Patches
from bgcheck.instrument.users import Users
from bgcheck.recorder.record import Site
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgcheck.recorder.record import ScheduledTask

_UNCLOSED: Final = re.compile(r"unclosed (?:file|database in)? ?(<.*>)", re.DOTALL)
_MACHINERY: Final = frozenset(
    {"anyio", "asyncio", "bgcheck", "concurrent", "fastapi", "starlette", "threading", "trio"}
)
"""Packages whose frames are on top when a function of the task has been left."""


class _Spy:
    """Stands where a filter has its pattern: is asked about each warning, and matches none."""

    def match(self, text: str) -> None:
        """Take the text of a warning."""
        task = current_task.get()
        if task is not None and hub.sinks and not collections.under_way:
            hub.guard(_note, task, text)


_ENTRY: Final[Any] = ("ignore", _Spy(), ResourceWarning, None, 0)

_patches = Patches()
_users = Users()


@_users.first
def install() -> None:
    """Watch tasks from now on; each call needs one of `uninstall`."""
    _patches.wrap(tasks, "run", _wrap_run)
    plain_tasks.around.filter = _ENTRY
    plain_tasks.around.take_out = _take_out
    watch()


@_users.last
def uninstall() -> None:
    """Watch no more once the last user is gone."""
    _patches.restore()
    plain_tasks.around.filter = plain_tasks.around.take_out = None
    unwatch()


def _wrap_run(original: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    async def run(task: ScheduledTask, *call: Any) -> None:
        __tracebackhide__ = True
        if not hub.watched:
            await original(task, *call)
            return
        filters: Any = warnings.filters
        filters.insert(0, _ENTRY)
        try:
            await original(task, *call)
        finally:
            _take_out(filters)

    return run


def _take_out(filters: Any) -> None:
    """Remove one entry of ours; other tasks may have theirs, and the list may be another by now."""
    now: Any = warnings.filters
    if now is filters and now and now[0] is _ENTRY:
        del now[0]
        return
    for kept in (filters, now):
        for place, entry in enumerate(kept):
            if entry is _ENTRY:
                del kept[place]
                return


def _note(task: ScheduledTask, text: str) -> None:
    found = _UNCLOSED.match(text)
    if found is None:
        return
    for frame in frames():
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        code = frame.f_code
        if is_user_file(code.co_filename):
            function = getattr(code, "co_qualname", code.co_name).rpartition("<locals>.")[2]
            line = Site(code.co_filename, frame.f_lineno, function)
            hub.emit(HandleDropped(task, found[1], line), task.recording)
            return
        if package in _MACHINERY and package != "bgcheck":
            hub.emit(HandleDropped(task, found[1], None), task.recording)
            return
        if package not in _MACHINERY:
            return  # a library drops what it has opened for itself
