"""Which checks can have nothing to see: in a plain task, or before a module is imported.

What a check looks at is said here for those of a whole family at once; a single handler says it
itself, by `unless_plain`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from bgcheck import events
from bgcheck.checks.base import sees_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgcheck.checks.base import Check

_OF_OBJECTS: Final = frozenset(
    {"BG301", "BG302", "BG303", "BG304", "BG305", "BG306", "BG307", "BG309"}
)
"""Checks of arguments, captured variables and defaults that can change."""

_OF_FAILURES: Final = frozenset({"BG201", "BG202", "BG203", "BG207", "BG208", "BG403", "BG505"})
"""Checks of tasks that did not succeed."""

_OF_HAPPENINGS: Final = frozenset(
    {"BG401", "BG402", "BG404", "BG405", "BG407", "BG408", "BG409", "BG410"}
)
"""Checks that go by what an instrument has told of the request before."""

_IN_TASKS: Final[frozenset[type]] = frozenset(
    {events.TaskScheduled, events.TaskStarted, events.TaskFinished, events.TaskSettled}
)

_IN_REQUESTS: Final[frozenset[type]] = _IN_TASKS | {
    *(events.RequestStarted, events.ResponseStarted, events.RequestFinished),
}

_MODULES: Final = {"sqlalchemy": "sqlalchemy"}
"""The module without which nothing comes from an instrument."""


def has_use_for_plain(handler: Callable[..., Any], kind: type) -> bool:
    """Whether a handler of a check wants an event of this class that is about a plain task.

    Of a request, that is one with only such tasks.
    """
    check: Check = handler.__self__  # type: ignore[attr-defined]  # a bound method
    if kind is events.RequestFinished:
        return check.code not in _OF_HAPPENINGS
    silent = kind in _IN_TASKS and check.code in _OF_OBJECTS | _OF_FAILURES | _OF_HAPPENINGS
    return sees_plain(handler) and not silent


def sleeps(check: Check, kind: type) -> bool:
    """Whether events of requests are none of a check's business yet.

    A check whose every instrument waits for a module has nothing that it could connect them with.
    """
    modules = [_MODULES.get(name) for name in check.instruments]
    return (
        kind in _IN_REQUESTS
        and bool(modules)
        and all(name is not None and name not in sys.modules for name in modules)
    )


def awaited_modules(checks: tuple[Check, ...]) -> frozenset[str]:
    """Return the modules whose import may wake a check."""
    names = {_MODULES.get(name) for check in checks for name in check.instruments}
    return frozenset(name for name in names if name is not None)
