"""See coroutines that are dropped before anybody has awaited them.

The interpreter calls `warnings._warn_unawaited_coroutine` for each, whatever the filters are, and
with the coroutine itself. What it warns of stays as it is, its line as well.
"""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING, Any, Final

from bgcheck.events import CoroutineDropped
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.patches import Patches
from bgcheck.instrument.task_frames import site_of, task_stack
from bgcheck.instrument.users import Users
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME: Final = "_warn_unawaited_coroutine"
_MOCKS: Final = ("unittest.mock", "mock.mock")

_patches = Patches()
_users = Users()


@_users.first
def install() -> None:
    """Watch from now on; each call needs one of `uninstall`."""
    _patches.wrap(warnings, _NAME, _observed)


@_users.last
def uninstall() -> None:
    """Stop watching once the last user is gone."""
    _patches.restore()


def _observed(original: Callable[[Any], None]) -> Any:
    """Return what looks at a coroutine and then calls the original, with no frame in between.

    The original warns about the frame that called it. Making an object calls both from C, so that
    this frame is still the one that drops the coroutine.
    """

    class Observed:
        def __new__(cls, coroutine: Any) -> Any:
            if hub.sinks:
                hub.guard(_dropped, coroutine)
            return object.__new__(cls)

        __init__ = staticmethod(original)  # pyright: ignore[reportAssignmentType]

    return Observed


def _dropped(coroutine: Any) -> None:
    task = current_task.get()
    if task is None or gc.is_finalized(coroutine) or _is_mocked(coroutine):
        return  # garbage is collected in whatever task happens to run
    stack = task_stack()
    if not stack and task.unstarted == "coroutine":
        return  # a plain function has returned it, and BG106 tells
    code = coroutine.cr_code
    defined = site_of(code, code.co_firstlineno) if is_user_file(code.co_filename) else None
    name = coroutine.__qualname__.rpartition("<locals>.")[2]
    hub.emit(CoroutineDropped(task, name, defined, stack), task.recording)


def _is_mocked(coroutine: Any) -> bool:
    """Whether an `AsyncMock` made it, as it does for methods that are no coroutines in truth."""
    return coroutine.cr_frame is not None and (
        coroutine.cr_frame.f_globals.get("__name__") in _MOCKS
    )
