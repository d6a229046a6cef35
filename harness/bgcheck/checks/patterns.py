"""Name the ways in which an application uses background tasks, from one recorded task."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bgcheck.recorder.record import ScheduledTask


def patterns_of(task: ScheduledTask) -> list[str]:
    """Return the patterns that a task shows, sorted.

    `add-task` or `response-background` (how it was scheduled), `def-task` or `async-task`,
    `bound-method`, `partial`, `callable-object`, `from-task` (scheduled by a task),
    `outside-request`; what is among its arguments (`session-argument` and others of
    `bgcheck.recorder.roles`), and what the application has around it (`def-yield-dependency` and
    others of `bgcheck.instrument.surroundings`).
    """
    found = {*task.shape, *task.roles}
    found.add("add-task" if task.group is not None else "response-background")
    if task.parent is not None:
        found.add("from-task")
    if task.request is None:
        found.add("outside-request")
    else:
        found |= task.request.patterns
    return sorted(found)
