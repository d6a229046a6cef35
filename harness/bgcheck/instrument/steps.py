"""Measure how long each step of an async task, from one `await` to the next, computes.

What counts is CPU time of the thread, not time on the wall: a busy machine takes no CPU time from
anybody. Collections of garbage are left out, since they fall on whoever runs.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Generator
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, Any, Final

from bgcheck.events import LoopHeld
from bgcheck.instrument import plain_tasks, tasks
from bgcheck.instrument.garbage import collections, unwatch, watch
from bgcheck.instrument.hub import hub
from bgcheck.instrument.patches import Patches
from bgcheck.instrument.users import Users
from bgcheck.recorder.record import ScheduledTask, Site
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Callable

LONG: Final = 0.1
"""Seconds of CPU time that are long, as asyncio's debug mode has it."""

TRACED: Final = 5
"""How much longer a step may take while a debugger or a coverage tool traces each line."""

EXACT: Final = 0.001
"""Seconds by which a first step may be measured too short: asking for CPU time is slow."""

_patches = Patches()
_users = Users()


@_users.first
def install() -> None:
    """Measure tasks from now on; each call needs one of `uninstall`."""
    _patches.wrap(tasks, "run", _wrap_run)
    plain_tasks.around.steps = FirstSteps()
    watch()


@_users.last
def uninstall() -> None:
    """Measure no more once the last user is gone."""
    _patches.restore()
    plain_tasks.around.steps = None
    unwatch()


def _wrap_run(original: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    async def run(task: ScheduledTask, call: Callable[[Any], Any], live: Any) -> None:
        __tracebackhide__ = True
        if hub.watched and task.shape[0] == "async-task":
            call = functools.partial(_measured, task, call)
        await original(task, call, live)

    return run


async def _measured(task: ScheduledTask, call: Callable[[Any], Any], live: Any) -> None:
    __tracebackhide__ = True
    awaitable: Any = call(live)
    if hasattr(awaitable, "send") and hasattr(awaitable, "throw"):
        await _Steps(task, awaitable)
    else:
        await awaitable


class FirstSteps:
    """Measures the first step of a plain task: most come to their end in it.

    CPU time costs a call of the system; where little time has gone by on the wall since the last
    one it is not asked for again.

    Attributes:
        sample: a thread, when it was last asked for its CPU time, on the wall, and what it was.
    """

    sample: tuple[int, float, float] = (0, 0.0, 0.0)

    def first(self, task: ScheduledTask, coroutine: Any, thread: int, now: float) -> Any:
        """Drive a coroutine to where it first gives way; return what awaits the rest, or None."""
        __tracebackhide__ = True
        if not hasattr(coroutine, "send"):
            return coroutine
        sample = self.sample
        if sample[0] != thread or now - sample[1] > EXACT:
            self.sample = sample = (thread, now, thread_time())
        collected = collections.seconds
        try:
            yielded = coroutine.send(None)
        except StopIteration:
            return None
        finally:
            if perf_counter() - now > LONG:
                began = sample[2] + (now - sample[1])
                seconds = thread_time() - began - (collections.seconds - collected)
                hub.guard(_note, task, coroutine, seconds, None)
        return _Steps(task, coroutine, (yielded,))


class _Steps:
    """Drives a coroutine as `await` does, and measures each step.

    Args:
        task: the task.
        coroutine: its coroutine.
        first: what the coroutine has given way with if its first step is done.
    """

    def __init__(self, task: ScheduledTask, coroutine: Any, first: tuple[Any, ...] = ()) -> None:
        self._task = task
        self._coroutine = coroutine
        self._first = first

    def __await__(self) -> Generator[Any, Any, None]:
        __tracebackhide__ = True
        sent: Any = None
        error: BaseException | None = None
        first, self._first = self._first, ()
        while True:
            if first:
                (yielded,), first = first, ()
            else:
                since = _line_of(self._coroutine)
                began, collected = thread_time(), collections.seconds
                try:
                    if error is None:
                        yielded = self._coroutine.send(sent)
                    else:
                        yielded = self._coroutine.throw(error)
                except StopIteration:
                    return
                finally:
                    error = sent = None  # no cycle of an error and its own frames
                    seconds = thread_time() - began - (collections.seconds - collected)
                    hub.guard(_note, self._task, self._coroutine, seconds, since)
            try:
                sent = yield yielded
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as thrown:
                error = thrown


def _note(
    task: ScheduledTask, coroutine: Any, seconds: float, since: tuple[Any, int] | None
) -> None:
    if seconds > LONG and seconds > LONG * (TRACED if sys.gettrace() is not None else 1):
        event = LoopHeld(task, seconds, _site(since), _site(_line_of(coroutine)))
        hub.emit(event, task.recording)


def _line_of(coroutine: Any) -> tuple[Any, int] | None:
    """Return code and line of the innermost user code that a coroutine stands in."""
    found = None
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None and is_user_file(frame.f_code.co_filename):
            found = frame.f_code, frame.f_lineno
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return found


def _site(line: tuple[Any, int] | None) -> Site | None:
    if line is None:
        return None
    code, number = line
    function = getattr(code, "co_qualname", code.co_name).rpartition("<locals>.")[2]
    return Site(code.co_filename, number, function)
