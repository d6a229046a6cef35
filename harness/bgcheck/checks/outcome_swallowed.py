"""BG204 and BG205: exceptions and cancellations that a task lets go without a trace."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, ClassVar, Final

from bgcheck.checks.base import Check, Finding, unless_plain
from bgcheck.checks.handlers import Handler, drops, handler_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import ExceptionHandled, SessionFinished, TaskFinished, TaskSettled
    from bgcheck.recorder.failure import Failure
    from bgcheck.recorder.record import ScheduledTask, Site

CANCELLED: Final = frozenset({"CancelledError", "Cancelled"})
"""The classes of asyncio and trio."""

_TAKES_CANCELLED: Final = CANCELLED | {"BaseException", "get_cancelled_exc_class"}

Handled = tuple["Site", int, tuple[str, ...]]
"""Where an exception came from, the line of the handlers, and its classes."""


class ExceptionCheck(Check):
    """A check that needs to see exceptions where they are handled."""

    instruments: ClassVar[tuple[str, ...]] = ("exceptions",)

    @classmethod
    def unsupported(cls) -> str | None:
        """Return why the check cannot work on this interpreter, or None."""
        from bgcheck.instrument.exceptions import unsupported

        return unsupported()

    def absent(self) -> str | None:
        """Return what was missing in this session, or None."""
        from bgcheck.instrument.exceptions import absence

        return absence()


class ExceptionSwallowed(ExceptionCheck):
    """User code dropped a broad exception without a trace."""

    code = "BG204"
    name = "exception-swallowed"
    default: ClassVar[Default] = "W"
    summary = "A handler for any exception dropped one without logging, raising or recording it."
    way_out = (
        "Catch the exceptions that are meant, and log the others with their traceback: "
        "logger.exception(...)."
    )

    def __init__(self) -> None:
        self._handled: weakref.WeakKeyDictionary[ScheduledTask, dict[Handled, Failure]] = (
            weakref.WeakKeyDictionary()
        )

    def on_exception_handled(self, event: ExceptionHandled) -> None:
        """Note it; the source is read when the test's body is over."""
        if event.by_user and CANCELLED.isdisjoint(event.kinds):
            key = (event.site, event.handler_line, event.kinds)
            self._handled.setdefault(event.task, {}).setdefault(key, event.failure)

    @unless_plain
    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """Judge what the task has handled."""
        if self._handled:
            yield from self._judge(event.task)

    def on_session_finished(self, event: SessionFinished) -> Iterator[Finding]:
        """Judge what came after that."""
        for task in list(self._handled):
            yield from self._judge(task)

    def _judge(self, task: ScheduledTask) -> Iterator[Finding]:
        told: set[tuple[str, int]] = set()
        for (site, line, kinds), failure in self._handled.pop(task, {}).items():
            handler = handler_of(site, line, kinds)
            if handler is None or (site.file, handler.line) in told or not handler.is_broad:
                continue
            if drops(handler, result_is_dropped=site.function == task.name):
                told.add((site.file, handler.line))
                yield self._tell(task, site, handler, failure)

    def _tell(self, task: ScheduledTask, site: Site, handler: Handler, failure: Failure) -> Finding:
        return self.found(
            f"{site.function} dropped {failure.type} in a handler for any exception: nobody will "
            "know.",
            [("error", str(failure)), ("raised", failure.site or site), *_place(site, handler)],
            task=task,
        )


def _place(site: Site, handler: Handler) -> list[tuple[str, str | Site]]:
    return [(handler.text, type(site)(site.file, handler.line, site.function))]


class CancellationSwallowed(ExceptionCheck):
    """A task was cancelled, caught that, and went on."""

    code = "BG205"
    name = "cancellation-swallowed"
    default: ClassVar[Default] = "W"
    summary = "A task that was asked to cancel caught the cancellation and did not raise it again."
    way_out = "Clean up in finally, or end the handler of the cancellation with raise."

    def __init__(self) -> None:
        self._handled: weakref.WeakKeyDictionary[ScheduledTask, dict[Handled, int]] = (
            weakref.WeakKeyDictionary()
        )
        self._ended: weakref.WeakKeyDictionary[ScheduledTask, list[Handled]] = (
            weakref.WeakKeyDictionary()
        )

    def on_exception_handled(self, event: ExceptionHandled) -> None:
        """Note a cancellation that came from outside of the asyncio task that runs."""
        if event.by_user and event.runner is not None and not CANCELLED.isdisjoint(event.kinds):
            key = (event.site, event.handler_line, event.kinds)
            self._handled.setdefault(event.task, {})[key] = event.runner

    @unless_plain
    def on_task_finished(self, event: TaskFinished) -> None:
        """Keep it if the task ended in another way, still asked to cancel."""
        from bgcheck.instrument.cancellation import cancelled_runner  # loaded when it is on

        if not self._handled:
            return
        task = event.task
        handled = self._handled.pop(task, {})
        if task.outcome in ("succeeded", "failed") and not task.injected:
            runner = cancelled_runner()
            self._ended[task] = [key for key, where in handled.items() if where == runner]

    @unless_plain
    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """Name the handler."""
        if not self._ended:
            return
        task = event.task
        for site, line, kinds in self._ended.pop(task, []):
            handler = handler_of(site, line, (*kinds, *_TAKES_CANCELLED))
            if handler is None or handler.raises or _TAKES_CANCELLED.isdisjoint(handler.names):
                continue
            yield self.found(
                f"{site.function} caught the cancellation of {task.name} and did not raise it "
                "again.",
                [("the task", task.outcome), ("cancelled at", site), *_place(site, handler)],
                task=task,
            )
            return
