"""BG3: arguments are shared between request and task, not copied."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, ClassVar

from bgcheck.checks.arguments_constants import MutatedByTask
from bgcheck.checks.arguments_context import ContextVarLost
from bgcheck.checks.arguments_files import ClosedFile, ExhaustedFile
from bgcheck.checks.arguments_iterators import OneShotIterator
from bgcheck.checks.arguments_live import is_blamed, live_state, positional_names, state_at_start
from bgcheck.checks.arguments_response import ReceiveAfterResponse, ResponseChangedAfterSend
from bgcheck.checks.arguments_secrets import SecretLogged
from bgcheck.checks.arguments_shared import MutableDefault, SharedMutable
from bgcheck.checks.arguments_transport import NaiveDatetime, NotSerializable
from bgcheck.checks.base import Check, Finding
from bgcheck.checks.reach import is_shared
from bgcheck.recorder.record import UNFINISHED
from bgcheck.recorder.state import CallState, Change, call_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import StreamBegins, TaskStarted
    from bgcheck.recorder.record import ScheduledTask

SHOWN = 3
"""Changes that one finding lists."""


def changed_arguments(
    task: ScheduledTask, objects: dict[int, Any], end: CallState | None = None
) -> list[Change]:
    """Return what changed in the arguments of a task between scheduling and start.

    Args:
        task: a task that starts at this moment.
        objects: filled with the live containers by id, if anything changed.
        end: their state when no change counted any more, if that was before the start.
    """
    before, now = task.call, end or state_at_start(task)
    if before is None or now is None:
        return []
    found = call_changes(before, now, positional_names(task))
    if found:
        live_state(task, objects)
    return found


class ChangedAfterSchedule(Check):
    """An argument changed between scheduling and start."""

    code = "BG301"
    name = "changed-after-schedule"
    default: ClassVar[Default] = "E"
    summary = "An argument changed between scheduling and the start of the task."
    way_out = (
        "Arguments are shared, not copied: pass a copy or an immutable value, or schedule after "
        "the last change."
    )

    instruments: ClassVar[tuple[str, ...]] = ("streams",)

    def __init__(self) -> None:
        self._at_stream: weakref.WeakKeyDictionary[ScheduledTask, CallState] = (
            weakref.WeakKeyDictionary()
        )

    def on_stream_begins(self, event: StreamBegins) -> None:
        """Note the arguments: what a stream hands to a task while it is sent is meant for it."""
        for task in event.request.tasks:
            if task.outcome in UNFINISHED and task.call is not None and not task.call.constant:
                self._at_stream[task] = live_state(task)

    def on_task_started(self, event: TaskStarted) -> Iterator[Finding]:
        """Compare the arguments with those at scheduling."""
        task = event.task
        if task.request is None or task.runs > 1:
            return
        objects: dict[int, Any] = {}
        found = [
            change
            for change in changed_arguments(task, objects, self._at_stream.pop(task, None))
            if not is_blamed(change, task.request)
            and not _is_opened(change)
            and (change.holder is None or not is_shared(objects.get(change.holder), task.request))
        ]
        if found:
            yield self.found(
                f"{found[0].path} of {task.name} changed between scheduling and start.",
                _evidence(found),
                task=task,
            )


def _is_opened(change: Change) -> bool:
    """Whether an object has opened something on its first use, such as a connection."""
    opened = change.before in (None, "None") and (change.after or "").startswith("<")
    return opened and not change.path.endswith("]")  # an attribute


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


CHECKS: tuple[type[Check], ...] = (
    ChangedAfterSchedule,
    MutatedByTask,
    SharedMutable,
    MutableDefault,
    OneShotIterator,
    ClosedFile,
    ExhaustedFile,
    ReceiveAfterResponse,
    ResponseChangedAfterSend,
    ContextVarLost,
    NotSerializable,
    SecretLogged,
    NaiveDatetime,
)
