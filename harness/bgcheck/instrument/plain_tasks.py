"""The short way of tasks with which nothing happens, while only the checks watch.

Most tasks call a plain function with constants, run once and succeed, and no check has anything to
see in them. What an instruction schedules is looked at closely once; from then on its tasks get a
record and an outcome, and no events. One with which anything happens goes on along the long way.
"""

from __future__ import annotations

import sys
import threading
import warnings
import weakref
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from bgcheck.instrument import tasks
from bgcheck.instrument.hub import current_request, current_task, hub
from bgcheck.instrument.site import group_of, site_of_frame
from bgcheck.recorder.contents import CONSTANT
from bgcheck.recorder.plan import Plan
from bgcheck.recorder.record import SOME_GROUP, ScheduledTask

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import CodeType, FrameType

    from bgcheck.instrument.exceptions import Listening
    from bgcheck.instrument.steps import FirstSteps

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


class Adders:
    """The code between a task object and the line of user code that adds it to a group.

    Attributes:
        add_task: that of the framework's group.
        relay: that of a group of the framework which calls up to it, if there is one.
        foreign: there are groups of user code, which may override the rest.
    """

    add_task: CodeType | None = None
    relay: CodeType | None = None
    foreign: bool = False

    def forget(self) -> None:
        """The framework is not patched any more."""
        self.add_task = self.relay = None
        self.foreign = False


class Around:
    """What instruments do around the run of a task, where one is installed.

    Attributes:
        steps: measures how long the first step of a coroutine takes.
        filter: stands in front of the filters of warnings.
        take_out: removes it again.
        listening: has the interpreter tell of exceptions.
    """

    steps: FirstSteps | None = None
    filter: Any = None
    take_out: Callable[[Any], None] | None = None
    listening: Listening | None = None


plans: Final[Plans] = Plans()
adders: Final[Adders] = Adders()
around: Final[Around] = Around()


def schedule(live: Any) -> bool:  # noqa: C901 - each part would cost a call
    """Record a task that a group adds, if it may go the short way.

    Args:
        live: a task object of the framework's own class, whose `__init__` has called this.
    """
    sink, request = hub.plain_sink, current_request.get()
    if sink is None or sink is not plans.of or request is None:
        return False
    caller = sys._getframe(3)  # noqa: SLF001 - nothing is as cheap
    if caller.f_code is adders.relay:
        caller = sys._getframe(4)  # noqa: SLF001
    elif sys._getframe(2).f_code is not adders.add_task:  # noqa: SLF001
        return False
    plan = plans.known.get((id(caller.f_code), caller.f_lasti))
    if plan is None or request.eventful or request.finished or current_task.get() is not None:
        return False
    func, args, kwargs = live.func, live.args, live.kwargs
    if func is not plan.func or func.__defaults__ is not plan.defaults:
        return False
    if len(args) != plan.count or type(live) is not plan.kind:
        return False
    for value in args:
        if type(value) not in CONSTANT:
            return False
    if (kwargs or plan.names) and not plan.fits_by_name(kwargs):
        return False
    for earlier in request.tasks:
        if earlier.name == plan.name:
            return False
    if adders.foreign and not _is_in(plan):
        return False
    task = ScheduledTask.__new__(ScheduledTask)
    # What is read often is set here too: a default of the class takes longer to find.
    task.runs = 0
    task.ended_at = task.unstarted = None
    task.plain = True
    task._live = weakref.ref(live)  # noqa: SLF001
    task._constants = (args, kwargs)  # noqa: SLF001
    task.name = plan.name
    task.shape = plan.shape
    task.site = plan.site
    task.kinds = plan.kinds
    task.group = SOME_GROUP
    task.request = request
    task.number = next(hub.task_numbers)
    task.recording = request.recording
    tasks.plain_records[id(live)] = task
    request.tasks.append(task)
    waiting = sink.plain_tasks
    if waiting is not None and task.recording == hub.recording_number:
        waiting.append(task)
    else:
        sink.take_plain(task)
    return True


def _is_in(plan: Plan) -> bool:
    """Whether a task is added to a group of the class that a plan is about."""
    return type(group_of(sys._getframe(3))) is plan.group_kind  # noqa: SLF001 - as above


def learn(live: Any, task: ScheduledTask) -> None:
    """Run a plain task the short way, and let those of the same instruction go it from now on.

    Args:
        live: the task object.
        task: its record.
    """
    if hub.plain_sink is not plans.of:
        plans.reset()
    tasks.plain_records[id(live)] = task
    if task.group is None:
        return
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - nothing is as cheap
    while frame is not None and frame.f_code is not adders.add_task:
        frame = frame.f_back
    caller = frame.f_back if frame is not None else None
    if caller is not None and caller.f_code is adders.relay:
        caller = caller.f_back
    if caller is not None and task.site == site_of_frame(caller):
        plans.known[id(caller.f_code), caller.f_lasti] = Plan(task, live, caller.f_code)


def restart() -> None:
    """A recording begins: forget what is gone."""
    tasks.forget_plain()
    if around.listening is not None:
        around.listening.restart()


async def run(task: ScheduledTask, call: Run, live: Any, ordinary: Run) -> None:  # noqa: C901
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
    entry, listening, steps = around.filter, around.listening, around.steps
    if listening is not None:
        listening.running += 1
        if listening.running == 1 and not listening.kept:
            listening.call(listening.callback)
    filters: Any = warnings.filters
    if entry is not None:
        filters.insert(0, entry)
    try:
        task.runs = 1
        task._outcome = "running"  # noqa: SLF001 - as below
        task.thread = "loop"
        task.thread_name = threading.current_thread().name
        task.loop_thread = thread = threading.get_ident()
        task.started_at = now = perf_counter()
        if steps is None or task.shape[0] != "async-task":
            await call(live)
        else:
            rest = steps.first(task, call(live), thread, now)
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
            listening.running -= 1
            listening.kept |= not task.plain
            if listening.running == 0 and not listening.kept:
                listening.call(None)
        if entry is not None:
            last: Any = warnings.filters
            if filters is last and last and last[0] is entry:
                del last[0]
            elif around.take_out is not None:
                around.take_out(filters)
        try:
            current_task.reset(token)
        except ValueError:  # the coroutine was closed from another context
            current_task.set(None)
