"""The lines of user code that lead to the call of a library, through greenlets as well."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from bgcheck.recorder.record import Site
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_LINES: Final = 5
RUNS_TASKS: Final = frozenset({"bgcheck.instrument.tasks", "bgcheck.instrument.plain_tasks"})
"""The modules whose frames are around a background task."""


def frames() -> Iterator[FrameType]:
    """Yield the frames of the stack, innermost first; below a greenlet, those of its parent."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - no public function is as cheap
    while frame is not None:
        yield frame
        frame = frame.f_back
    module = sys.modules.get("greenlet")
    greenlet = module.getcurrent().parent if module is not None else None
    while greenlet is not None:
        frame = greenlet.gr_frame
        while frame is not None:
            yield frame
            frame = frame.f_back
        greenlet = greenlet.parent


def user_frames() -> Iterator[FrameType]:
    """Yield the frames of user code on the stack, innermost first."""
    return (frame for frame in frames() if is_user_file(frame.f_code.co_filename))


def user_stack() -> tuple[Site, ...]:
    """Return the innermost lines of user code on the stack."""
    sites = []
    for frame in user_frames():
        code = frame.f_code
        function = getattr(code, "co_qualname", code.co_name).rpartition("<locals>.")[2]
        sites.append(Site(code.co_filename, frame.f_lineno, function))
        if len(sites) == _LINES:
            break
    return tuple(sites)


def stack_mentions(name: str) -> bool:
    """Whether a function of user code on the stack uses a name, such as an attribute `commit`.

    What is around a background task, such as a middleware, does not count.
    """
    for frame in frames():
        if frame.f_globals.get("__name__") in RUNS_TASKS:
            return False
        if name in frame.f_code.co_names and is_user_file(frame.f_code.co_filename):
            return True
    return False
