"""BG511 and BG512: asyncio tasks, threads and jobs that a task leaves running."""

from __future__ import annotations

import weakref
from collections import defaultdict
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from bgcheck.checks.base import Check, unless_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default, Finding
    from bgcheck.events import TaskFinished, TaskSettled, WorkStarted
    from bgcheck.recorder.record import ScheduledTask, Site


class _Work(NamedTuple):
    kind: str
    live: weakref.ref[Any]
    name: str
    line: Site

    def evidence(self) -> list[tuple[str, str | Site]]:
        return [(self.kind, self.name), ("started", self.line)]


class _Started:
    """What each task has started; an asyncio task that two patches have seen counts once."""

    def __init__(self) -> None:
        self._work: weakref.WeakKeyDictionary[ScheduledTask, list[_Work]] = (
            weakref.WeakKeyDictionary()
        )

    def add(self, event: WorkStarted) -> None:
        live = weakref.ref(event.work)
        work = self._work.setdefault(event.task, [])
        if all(one.live() is not event.work for one in work):
            work.append(_Work(event.kind, live, event.name, event.line))

    def pop(self, task: ScheduledTask) -> list[_Work]:
        return self._work.pop(task, []) if self._work else []  # most tasks start nothing


class OrphanAsyncioTask(Check):
    """An asyncio task that a task has started, and that runs on after it."""

    code = "BG511"
    name = "orphan-asyncio-task"
    default: ClassVar[Default] = "W"
    summary = "An asyncio task started by a task is still running when the task is over."
    way_out = "Await it, or start it in an asyncio.TaskGroup; or schedule it as a task of its own."
    instruments: ClassVar[tuple[str, ...]] = ("leftovers",)

    def __init__(self) -> None:
        self._started = _Started()

    def on_work_started(self, event: WorkStarted) -> None:
        """Note the asyncio tasks that user code makes itself."""
        if event.kind == "asyncio task":
            self._started.add(event)

    @unless_plain
    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Report those that nobody has awaited to their end, nor cancelled."""
        for work in self._started.pop(event.task):
            child = work.live()
            if child is not None and not child.done() and not _is_cancelled(child):
                yield self.found(
                    f"{event.task.name} is over, and the asyncio task {work.name} that it started "
                    "is still running.",
                    work.evidence(),
                    task=event.task,
                )


def _is_cancelled(child: Any) -> bool:
    """Whether a running asyncio task was asked to end."""
    cancelling = getattr(child, "cancelling", None)
    if cancelling is not None:
        return bool(cancelling())
    waiter = getattr(child, "_fut_waiter", None)  # Python 3.10
    return bool(
        getattr(child, "_must_cancel", False) or (waiter is not None and waiter.cancelled())
    )


class OrphanThread(Check):
    """A thread, an executor or a job of the loop's executor that a task leaves running."""

    code = "BG512"
    name = "orphan-thread"
    default: ClassVar[Default] = "W"
    summary = "A thread, an executor or a job in one was started by a task and left running."
    way_out = "Join the thread, shut the executor down (`with` does so), or await the job."
    instruments: ClassVar[tuple[str, ...]] = ("leftovers",)

    def __init__(self) -> None:
        self._started = _Started()
        self._left: defaultdict[ScheduledTask, list[_Work]] = defaultdict(list)

    def on_work_started(self, event: WorkStarted) -> None:
        """Note what user code starts itself. Pools that the app has made before are its own."""
        if event.kind != "asyncio task":
            self._started.add(event)

    @unless_plain
    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Report jobs that run on; wait a little for threads that are about to end."""
        for work in self._started.pop(event.task):
            if _is_running(work) and work.kind == "job":
                yield self._found(event.task, work)
            elif _is_running(work):
                self._left[event.task].append(work)

    @unless_plain
    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """Report threads and executors that still run when the test's body is over."""
        for work in self._left.pop(event.task, ()) if self._left else ():
            if _is_running(work):
                yield self._found(event.task, work)

    def _found(self, task: ScheduledTask, work: _Work) -> Finding:
        return self.found(
            f"{task.name} is over, and the {work.kind} {work.name} that it started is still "
            "running.",
            work.evidence(),
            task=task,
        )


def _is_running(work: _Work) -> bool:
    live = work.live()
    if live is None:
        return False
    if work.kind == "thread":
        return bool(live.is_alive())
    if work.kind == "job":
        return not live.done()
    return not live._shutdown and any(thread.is_alive() for thread in live._threads)  # noqa: SLF001
