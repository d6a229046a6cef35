"""The user code on the stack that belongs to the running task, and not to who called the app."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from bgcheck.instrument.callers import RUNS_TASKS, frames
from bgcheck.recorder.record import Site
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

_LINES: Final = 8


def task_frames() -> Iterator[FrameType]:
    """Yield the frames of the stack, innermost first, up to where bgcheck has the task run."""
    return itertools.takewhile(_is_within_task, frames())


def _is_within_task(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") not in RUNS_TASKS


def task_stack() -> tuple[Site, ...]:
    """Return the innermost lines of user code of the running task."""
    sites = []
    for frame in task_frames():
        if is_user_file(frame.f_code.co_filename):
            sites.append(site_of(frame.f_code, frame.f_lineno))
            if len(sites) == _LINES:
                break
    return tuple(sites)


def site_of(code: CodeType, line: int) -> Site:
    """Name a line of a function."""
    function = getattr(code, "co_qualname", code.co_name).rpartition("<locals>.")[2]
    return Site(code.co_filename, line, function)
