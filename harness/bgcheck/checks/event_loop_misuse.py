"""BG505 and BG506: an event loop that is missed, and one too many. The error itself tells."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, ClassVar, Final

from bgcheck.checks.base import Check, unless_plain
from bgcheck.checks.event_loop_base import LoopCheck
from bgcheck.recorder.failure import failure_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgcheck.checks.base import Default, Finding
    from bgcheck.events import LoopEntered, TaskFinished
    from bgcheck.recorder.record import ScheduledTask, Site

_NO_LOOP: Final = ("no running event loop", "There is no current event loop in thread")
_NO_LOOP_TYPES: Final = frozenset({"AsyncLibraryNotFoundError", "NoEventLoopError"})
_NESTED: Final = (
    "run() cannot be called from a running event loop",
    "This event loop is already running",
    "Cannot run the event loop while another loop is running",
    "Already running ",  # anyio
    "Attempted to call run() from inside a run()",  # trio
)


class NoLoopInThread(Check):
    """A `def` task needs an event loop, and its worker thread has none."""

    code = "BG505"
    name = "no-loop-in-thread"
    default: ClassVar[Default] = "E"
    summary = "A `def` task asks for an event loop, and its worker thread has none."
    way_out = (
        "Make the task an `async def` function; or, in a worker thread, run a coroutine by "
        "asyncio.run, or on the loop by anyio.from_thread.run."
    )

    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Look for the error of asyncio or anyio in what the task raised."""
        task = event.task
        if event.error is None or task.thread != "worker":
            return
        for error in _causes(event.error):
            if _says(error, _NO_LOOP) or type(error).__name__ in _NO_LOOP_TYPES:
                yield self.found(
                    f"{task.name} runs in a worker thread, which has no event loop: "
                    f"{_first_line(error)}.",
                    _evidence(error),
                    task=task,
                    covers=[task],
                )
                return


class NestedEventLoop(LoopCheck):
    """An async task starts an event loop inside the one that runs it."""

    code = "BG506"
    name = "nested-event-loop"
    default: ClassVar[Default] = "E"
    summary = "An async task starts an event loop inside the one that runs it."
    way_out = "Await the coroutine, or schedule it by asyncio.create_task and await that."
    instruments: ClassVar[tuple[str, ...]] = ("nesting",)

    def __init__(self) -> None:
        self._entered: weakref.WeakKeyDictionary[ScheduledTask, tuple[str, Site]] = (
            weakref.WeakKeyDictionary()
        )

    def on_loop_entered(self, event: LoopEntered) -> None:
        """Note the first start of a loop in the thread of the task's own loop."""
        if self.is_on_loop(event.task):
            self._entered.setdefault(event.task, (event.call, event.line))

    @unless_plain
    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Report what was started; the error that comes of it needs no finding of its own."""
        task = event.task
        entered = self._entered.pop(task, None) if self._entered else None
        error = next((one for one in _causes(event.error) if _says(one, _NESTED)), None)
        if entered is not None:
            call, line = entered
            lines: list[tuple[str, str | Site]] = [("calls", call), ("at", line)]
            yield self._found(task, f"it calls {call}", lines, error)
        elif error is not None and task.thread == "loop":
            yield self._found(task, _first_line(error), [], error)

    def _found(
        self,
        task: ScheduledTask,
        what: str,
        lines: list[tuple[str, str | Site]],
        error: BaseException | None,
    ) -> Finding:
        """Make the finding; it explains the failure that came of it."""
        return self.found(
            f"{task.name} starts an event loop inside a running one: {what}.",
            [*lines, *(_evidence(error) if error is not None else ())],
            task=task,
            covers=[task] if error is not None else (),
        )


def _says(error: BaseException, texts: Iterable[str]) -> bool:
    """Whether a `RuntimeError` says one of these; uvloop begins with small letters."""
    message = str(error).lower() if isinstance(error, RuntimeError) else ""
    return any(text.lower() in message for text in texts)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__


def _evidence(error: BaseException) -> list[tuple[str, str | Site]]:
    failure = failure_of(error)
    lines: list[tuple[str, str | Site]] = [
        ("error", f"{type(error).__name__}: {_first_line(error)}")
    ]
    if failure.site is not None:
        lines.append(("raised", failure.site))
    return lines


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, the members of a group, and what each was raised from on purpose.

    What was merely handled when it was raised is no cause: code may ask for a loop and do without.
    """
    while error is not None:
        yield error
        for member in getattr(error, "exceptions", ()):
            yield from _causes(member)
        error = error.__cause__
