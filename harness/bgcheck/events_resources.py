"""What tasks take and leave of the machine's resources: part of `bgcheck.events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bgcheck.recorder.record import ScheduledTask, Site


@dataclass(slots=True, eq=False)
class TempfileMade:
    """User code has made a temporary file or directory in a task.

    `path` is the very object that `tempfile` gave to the caller.
    """

    task: ScheduledTask
    path: str | bytes
    line: Site


@dataclass(slots=True, eq=False)
class WorkersTaken:
    """A task waits for a worker thread, since all of them are taken.

    `workers` is how many there are, `waiting` how many calls wait. `line` is the line of
    user code that asks, None where the task itself is to run in a thread.
    """

    task: ScheduledTask
    workers: int
    waiting: int
    line: Site | None
