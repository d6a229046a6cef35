"""See exceptions that arrive at handlers in tasks, by `sys.monitoring` (Python 3.12 on)."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Final

from bgcheck.events import ExceptionHandled
from bgcheck.instrument import plain_tasks, tasks
from bgcheck.instrument.cancellation import cancelled_runner
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.patches import Patches
from bgcheck.instrument.task_frames import site_of
from bgcheck.instrument.users import Users
from bgcheck.recorder.failure import failure_of
from bgcheck.recorder.usercode import frames_of, is_user_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from bgcheck.recorder.record import ScheduledTask

_NAME: Final = "bgcheck exceptions"
_FREE: Final = (4, 3)
"""Tool numbers that Python gives no meaning: debuggers, coverage and profilers have others."""

_CONTROL_FLOW: Final = (StopIteration, StopAsyncIteration, GeneratorExit)
_NEAR: Final = 4

_patches = Patches()
_users = Users()
_tool: int | None = None


class Listening:
    """Whether the interpreter calls us: a call for each exception of a test-suite takes long.

    It does while a task runs, and until the next recording where more than its run has happened:
    what a task has started may handle exceptions after it.
    """

    def __init__(self) -> None:
        self.running: int = 0
        self.kept: bool = False
        self.call: Callable[[Any], object] = _nobody
        self.callback: Callable[..., None] = self.take

    def take(self, code: CodeType, offset: int, error: BaseException) -> None:
        """Take an event of the interpreter. It comes for every handler of every thread."""
        if type(error) is StopIteration:  # most are, and a subclass below is as well
            return
        task = current_task.get()
        if task is not None and not isinstance(error, _CONTROL_FLOW):
            hub.guard(_look, task, code, offset, error)

    def begin(self) -> None:
        """A task begins to run."""
        self.running += 1
        if self.running == 1 and not self.kept:
            self.call(self.callback)

    def end(self, *, plain: bool) -> None:
        """A task is over; a plain one has started nothing."""
        self.running -= 1
        self.kept |= not plain
        if self.running == 0 and not self.kept:
            self.call(None)

    def restart(self) -> None:
        """A recording begins."""
        if self.kept:
            self.kept = False
            if self.running == 0:
                self.call(None)


def _nobody(function: object) -> None:
    """There is no tool number."""


_listening = Listening()


def unsupported() -> str | None:
    """Tell why this interpreter cannot tell of exceptions, or None."""
    return None if sys.version_info >= (3, 12) else "it needs sys.monitoring, of Python 3.12"


def absence() -> str | None:
    """Tell why nothing was seen in this session, or None."""
    return None if _tool is not None else "other tools had taken all numbers of sys.monitoring"


@_users.first
def install() -> None:
    """Watch from now on; each call needs one of `uninstall`."""
    global _tool
    if sys.version_info < (3, 12):
        return
    monitoring = sys.monitoring
    _tool = next((tool for tool in _FREE if monitoring.get_tool(tool) is None), None)
    if _tool is not None:
        event = monitoring.events.EXCEPTION_HANDLED
        monitoring.use_tool_id(_tool, _NAME)
        monitoring.set_events(_tool, event)
        _listening.call = functools.partial(monitoring.register_callback, _tool, event)
        _patches.wrap(tasks, "run", _wrap_run)
        plain_tasks.around.listening = _listening


@_users.last
def uninstall() -> None:
    """Stop watching once the last user is gone."""
    global _tool
    if _tool is None or sys.version_info < (3, 12):
        return
    _patches.restore()
    plain_tasks.around.listening = None
    _listening.restart()  # the next session has a callback of its own to set
    _listening.call = _nobody
    monitoring = sys.monitoring
    monitoring.set_events(_tool, 0)
    monitoring.register_callback(_tool, monitoring.events.EXCEPTION_HANDLED, None)
    monitoring.free_tool_id(_tool)
    _tool = None


def _wrap_run(original: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    async def run(*call: Any) -> None:
        __tracebackhide__ = True
        _listening.begin()
        try:
            await original(*call)
        finally:
            _listening.end(plain=False)

    return run


def _look(task: ScheduledTask, code: CodeType, offset: int, error: BaseException) -> None:
    entries = list(frames_of(error))
    by_user = is_user_file(code.co_filename)
    if not by_user and not any(is_user_file(frame.f_code.co_filename) for frame, _ in entries):
        return  # a library deals with its own
    line = next((entry.tb_lineno for frame, entry in entries if frame.f_code is code), 0)
    event = ExceptionHandled(
        task=task,
        site=site_of(code, line),
        handler_line=_line_at(code, offset),
        kinds=tuple(kind.__name__ for kind in type(error).__mro__[:-1]),
        failure=failure_of(error),
        by_user=by_user,
        runner=cancelled_runner(),
    )
    hub.emit(event, task.recording)


def _line_at(code: CodeType, offset: int) -> int:
    """Return the line of the first instructions of a handler; the very first one has none."""
    for start, end, line in code.co_lines():
        if line is not None and end > offset and start < offset + 2 * _NEAR:
            return line
    return 0
