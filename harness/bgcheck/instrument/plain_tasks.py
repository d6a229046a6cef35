"""The short way of tasks with which nothing happens, while only the checks watch.

Most tasks call a plain function with constants, run once and succeed, and no check has anything to
see in them. What an instruction schedules is looked at closely once; from then on its tasks get a
record and an outcome, and no events. One with which anything happens goes on along the long way.
"""

from __future__ import annotations

import sys
import threading
import warnings
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol

from bgcheck.instrument import tasks
from bgcheck.instrument.hub import current_request, current_task, hub
from bgcheck.instrument.site import site_of_frame
from bgcheck.recorder.plan import Plan
from bgcheck.recorder.record import ScheduledTask

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import FrameType

    Run = Callable[[Any], Awaitable[None]]


class Plans:
    """What is known of the instructions that schedule plain tasks, for one sink."""

    def __init__(self) -> None:
        self.of: object = None
        self.known: dict[tuple[int, int], Plan] = {}
        """By id of the code and offset of the instruction."""

    def reset(self) -> None:
        """Another sink has taken over: its checks may watch other functions."""
        self.known.clear()
        self.of = hub.plain_sink


class Around:
    """What instruments do around the run of a task, where one is installed.

    Attributes:
        first_step: drives a coroutine to its first `await`; returns what awaits the rest of it, or
            None where there is none.
        filter: stands in front of the filters of warnings.
        take_out: removes it again.
        listening: is told when a task begins and ends to run.
    """

    first_step: Callable[[ScheduledTask, Any], Awaitable[None] | None] | None = None
    filter: Any = None
    take_out: Callable[[Any], None] | None = None
    listening: Listening | None = None


class Listening(Protocol):
    """Listens while tasks run."""

    def begin(self) -> None:
        """A task begins to run."""

    def end(self, *, plain: bool) -> None:
        """A task is over."""

    def restart(self) -> None:
        """A recording begins."""


plans: Final = Plans()
around: Final = Around()


def schedule(live: Any) -> bool:
    """Record a task that a group adds, if it may go the short way.

    Args:
        live: a task object of the framework's own class.
    """
    now, sink = tasks.adding.now, hub.plain_sink
    if now is None or sink is None or sink is not plans.of:
        return False
    group, place = now
    plan = plans.known.get(place)
    if plan is None or live.func is not plan.func or not plan.fits(live.args, live.kwargs):
        return False
    if type(live) is not plan.kind or type(group) is not plan.group_kind:
        return False
    request = current_request.get()
    if request is None or request.eventful or request.finished or current_task.get() is not None:
        return False
    for earlier in request.tasks:
        if earlier.name == plan.name:
            return False
    task = ScheduledTask.planned(plan, live, request, next(hub.task_numbers))
    task.group = id(group)
    tasks.plain_records[id(live)] = task
    request.tasks.append(task)
    sink.take_plain(task)
    return True


def learn(live: Any, task: ScheduledTask) -> None:
    """Run a plain task the short way, and let those of the same instruction go it from now on."""
    if hub.plain_sink is not plans.of:
        plans.reset()
    tasks.plain_records[id(live)] = task
    now = tasks.adding.now
    if now is None:
        return
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - nothing is as cheap
    while frame is not None and (id(frame.f_code), frame.f_lasti) != now[1]:
        frame = frame.f_back
    if frame is not None and task.site == site_of_frame(frame):
        plans.known[now[1]] = Plan(task, live, frame.f_code)


def restart() -> None:
    """A recording begins: forget what is gone."""
    tasks.forget_plain()
    if around.listening is not None:
        around.listening.restart()


def reached(live: Any) -> ScheduledTask | None:
    """Return the record of a task whose turn has come, if it may go the short way."""
    task = tasks.plain_records.get(id(live))
    if task is None or not task.plain or task.runs or task.request is not current_request.get():
        return None
    return task if task._live() is live else None  # noqa: SLF001 - saves a call


async def run(  # noqa: C901 - each part of its own would cost every task a call
    task: ScheduledTask, call: Run, live: Any, ordinary: Run
) -> None:
    """Run a plain task; what happens with it meanwhile makes it an ordinary one.

    Args:
        task: the record.
        call: the task object's own way to run.
        live: the task object.
        ordinary: the long way to run it.
    """
    __tracebackhide__ = True
    if task.runs:  # it has started since this was called
        await ordinary(live)
        return
    token = current_task.set(task)
    filters: Any = warnings.filters
    entry, listening = around.filter, around.listening
    if listening is not None:
        listening.begin()
    if entry is not None:
        filters.insert(0, entry)
    try:
        task.runs = 1
        task._outcome = "running"  # noqa: SLF001 - as below
        task.thread = "loop"
        task.thread_name = tasks.adding.thread.name
        task.loop_thread = threading.get_ident()
        task.started_at = perf_counter()
        if around.first_step is None or task.shape[0] != "async-task":
            await call(live)
        else:
            rest = around.first_step(task, call(live))
            if rest is not None:
                await rest
    except BaseException as error:
        hub.guard(tasks.finish, task, error)
        raise
    else:
        if task.plain and task.unstarted is None:
            task.ended_at = perf_counter()
            task._outcome = "succeeded"  # noqa: SLF001 - as the setter does, in half of the time
        else:
            hub.guard(tasks.finish, task, None)
    finally:
        if listening is not None:
            listening.end(plain=task.plain)
        if entry is not None:
            now: Any = warnings.filters
            if filters is now and now and now[0] is entry:
                del now[0]
            elif around.take_out is not None:
                around.take_out(filters)
        try:
            current_task.reset(token)
        except ValueError:  # the coroutine was closed from another context
            current_task.set(None)
