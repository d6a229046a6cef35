"""Find the line of user code that scheduled a task."""

from __future__ import annotations

import sys
from types import FrameType

from bgcheck.recorder.record import Site

_MACHINERY = frozenset(
    [
        "anyio",
        "asyncio",
        "bgcheck",
        "contextlib",
        "fastapi",
        "functools",
        "pytest_mock",
        "starlette",
        "unittest",
    ]
)
"""Top-level packages between user code and the task object that are never the schedule site."""

_OWN_METHODS = frozenset({"__init__", "add_task"})


def schedule_site(task: object, group: object) -> Site | None:
    """Return the innermost frame of user code, or None where only machinery is on the stack.

    A subclass that calls up from its own `__init__` or `add_task` is not the site: its caller is.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - no public function is as cheap
    while frame is not None and not _is_user_code(frame, task, group):
        frame = frame.f_back
    if frame is None:
        return None
    code = frame.f_code
    function = getattr(code, "co_qualname", code.co_name).rpartition("<locals>.")[2]
    return Site(code.co_filename, frame.f_lineno, function)


def _is_user_code(frame: FrameType, task: object, group: object) -> bool:
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    if package in _MACHINERY:
        return False
    code = frame.f_code
    if code.co_name in _OWN_METHODS and code.co_argcount:
        owner = frame.f_locals.get(code.co_varnames[0])
        return owner is not task and (group is None or owner is not group)
    return True
