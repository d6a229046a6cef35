"""BG507 and BG514: worker threads that are all taken, and temporary files that stay."""

from __future__ import annotations

import gc
import os
import weakref
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from bgcheck.checks.base import Check, unless_plain
from bgcheck.checks.event_loop_base import Once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgcheck.checks.base import Default, Finding
    from bgcheck.events import TaskScheduled, TaskSettled, TempfileMade, WorkersTaken
    from bgcheck.recorder.record import ScheduledTask, Site


class ThreadPoolStarved(Check):
    """A task that waits for a worker thread since all are taken."""

    code = "BG507"
    name = "thread-pool-starved"
    default: ClassVar[Default] = "O"
    summary = "A task waits because all worker threads are taken."
    way_out = (
        "Give slow work a limiter of its own (anyio.CapacityLimiter), a process or a queue; or "
        "raise anyio.to_thread.current_default_thread_limiter().total_tokens."
    )
    instruments: ClassVar[tuple[str, ...]] = ("worker_threads",)

    def __init__(self) -> None:
        self._once = Once()

    def on_workers_taken(self, event: WorkersTaken) -> Iterator[Finding]:
        """Report each line that waits once a task."""
        if self._once.is_first(event.task, str(event.line)):
            yield self.found(
                f"{event.task.name} waits for a worker thread: all {event.workers} are taken.",
                [
                    ("asks", event.line or "to run itself"),
                    ("waiting", str(event.waiting)),
                ],
                task=event.task,
            )


class _Made(NamedTuple):
    path: str | bytes
    line: Site


class TempfileLeft(Check):
    """A temporary file or directory that a task has made and not removed."""

    code = "BG514"
    name = "tempfile-left"
    default: ClassVar[Default] = "O"
    summary = "A temporary file or directory that a task has made is still there after it."
    way_out = (
        "Use tempfile.TemporaryDirectory or NamedTemporaryFile in a `with` block, or remove it in "
        "`finally`."
    )
    instruments: ClassVar[tuple[str, ...]] = ("tempfiles",)

    def __init__(self) -> None:
        self._made: weakref.WeakKeyDictionary[ScheduledTask, list[_Made]] = (
            weakref.WeakKeyDictionary()
        )

    def on_tempfile_made(self, event: TempfileMade) -> None:
        """Note it."""
        self._made.setdefault(event.task, []).append(_Made(event.path, event.line))

    def on_task_scheduled(self, event: TaskScheduled) -> None:
        """Forget what is handed to another task: it is for that one to remove."""
        if not self._made:
            return
        given = set(_paths(event.task.params.values()))
        for made in self._made.values():
            made[:] = [one for one in made if os.fsdecode(one.path) not in given]

    @unless_plain
    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """Report what is there when the test's body is over, if nobody has kept its name."""
        for one in self._made.pop(event.task, ()) if self._made else ():
            if os.path.lexists(one.path) and not _is_kept(one):
                kind = "directory" if os.path.isdir(one.path) else "file"
                yield self.found(
                    f"{event.task.name} left a temporary {kind} behind.",
                    [(kind, os.fsdecode(one.path)), ("made", one.line)],
                    task=event.task,
                )


def _paths(values: Iterable[Any], depth: int = 2) -> Iterator[str]:
    for value in values:
        if isinstance(value, str | bytes | os.PathLike):
            yield os.fsdecode(value)
        elif isinstance(value, dict) and depth:
            yield from _paths(value.values(), depth - 1)
        elif isinstance(value, list | tuple | set) and depth:
            yield from _paths(value, depth - 1)


def _is_kept(made: _Made) -> bool:
    """Whether anything but a frame, such as that of an error, still holds the name."""
    return any(
        one is not made and not isinstance(one, FrameType) for one in gc.get_referrers(made.path)
    )
