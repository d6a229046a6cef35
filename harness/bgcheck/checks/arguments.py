"""BG3: arguments are shared between request and task, not copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bgcheck.checks.base import Check, Finding
from bgcheck.checks.reach import is_shared
from bgcheck.recorder.binding import signature_of, unwrap
from bgcheck.recorder.state import Change, call_changes, capture_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.events import TaskStarted
    from bgcheck.recorder.record import ScheduledTask

SHOWN = 3
"""Changes that one finding lists."""


def positional_names(task: ScheduledTask) -> tuple[str, ...]:
    """Return the names of a task's positional parameters, as far as its signature has them."""
    parameters = signature_of(unwrap(task.func, (), {}).func).parameters.values()
    return tuple(
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    )


def changed_arguments(task: ScheduledTask, objects: dict[int, Any]) -> list[Change]:
    """Return what has changed in the arguments of a task since it was scheduled.

    Args:
        task: a task whose live arguments are still there.
        objects: filled with the live containers by id.
    """
    before = task.call
    if before is None or before.constant:
        return []
    live = task.live
    now = capture_call(live.func, live.args, live.kwargs, name=task.name, objects=objects)
    return call_changes(before, now, positional_names(task))


class ChangedAfterSchedule(Check):
    """An argument changed between scheduling and start."""

    code = "BG301"
    name = "changed-after-schedule"
    default = "E"
    summary = "An argument changed between scheduling and the start of the task."
    way_out = (
        "Arguments are shared, not copied: pass a copy or an immutable value, or schedule after "
        "the last change."
    )

    def on_task_started(self, event: TaskStarted) -> Iterator[Finding]:
        """Compare the arguments with those at scheduling."""
        task = event.task
        if task.request is None or task.runs > 1:
            return
        objects: dict[int, Any] = {}
        found = [
            change
            for change in changed_arguments(task, objects)
            if change.holder is None or not is_shared(objects.get(change.holder), task.request)
        ]
        if found:
            yield self.found(
                f"{found[0].path} of {task.name} changed between scheduling and start.",
                _evidence(found),
                task=task,
            )


def _evidence(found: list[Change]) -> list[tuple[str, str]]:
    lines = [
        (
            change.path,
            f"{change.before or 'nothing'} when scheduled, {change.after or 'nothing'} now",
        )
        for change in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        lines.append(("and", f"{len(found) - SHOWN} more changes"))
    return lines


CHECKS: tuple[type[Check], ...] = (ChangedAfterSchedule,)
