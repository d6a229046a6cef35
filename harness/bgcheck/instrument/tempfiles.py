"""Tell of temporary files and directories that user code makes in a task."""

from __future__ import annotations

import functools
import tempfile
from typing import TYPE_CHECKING, Any

from bgcheck.events import TempfileMade
from bgcheck.instrument.callers import frames, user_stack
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.patches import Patches
from bgcheck.instrument.users import Users
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgcheck.recorder.record import ScheduledTask

_patches = Patches()
_users = Users()


@_users.first
def install() -> None:
    """Watch `tempfile` from now on; each call needs one of `uninstall`."""
    # All that makes a file goes through the first, also what was imported by name.
    _patches.wrap(tempfile, "_mkstemp_inner", functools.partial(_wrap, lambda made: made[1]))
    _patches.wrap(tempfile, "mkdtemp", functools.partial(_wrap, lambda made: made))


@_users.last
def uninstall() -> None:
    """Watch no more once the last user is gone."""
    _patches.restore()


def _wrap(path_of: Callable[[Any], Any], original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def make(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        made = original(*args, **kwargs)
        task = current_task.get()
        if task is not None and hub.sinks:
            hub.guard(_note, task, path_of(made))
        return made

    return make


def _note(task: ScheduledTask, path: str | bytes) -> None:
    """Tell of it, unless a library has made it for itself."""
    for frame in frames():
        if frame.f_globals.get("__name__") not in ("tempfile", __name__, hub.guard.__module__):
            if is_user_file(frame.f_code.co_filename):
                hub.emit(TempfileMade(task, path, user_stack()[0]), task.recording)
            return
