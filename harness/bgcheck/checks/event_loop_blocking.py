"""BG501 and BG502: calls that block the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bgcheck.checks.event_loop_base import LoopCheck, Once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default, Finding
    from bgcheck.events import BlockingCall, StatementStarted
    from bgcheck.recorder.record import Site


class BlockingCallOnLoop(LoopCheck):
    """A call that blocks the event loop, in an async task."""

    code = "BG501"
    name = "blocking-call"
    default: ClassVar[Default] = "E"
    summary = "An async task makes a call that blocks the event loop."
    way_out = (
        "Use the async counterpart (asyncio.sleep, an async client, "
        "asyncio.create_subprocess_exec), hand the call to asyncio.to_thread, or make the task a "
        "`def` function, which runs in a worker thread."
    )
    instruments: ClassVar[tuple[str, ...]] = ("blocking",)

    def __init__(self) -> None:
        self._once = Once()

    def on_blocking_call(self, event: BlockingCall) -> Iterator[Finding]:
        """Report each line once a task; a call in a worker thread blocks no loop."""
        task = event.task
        if event.database or not self.is_on_loop(task):
            return
        if self._once.is_first(task, (event.line.file, event.line.line)):
            yield self.found(
                f"{task.name} blocks the event loop: it calls {event.call}.",
                _evidence(event),
                task=task,
            )


def _evidence(event: BlockingCall) -> list[tuple[str, str | Site]]:
    lines: list[tuple[str, str | Site]] = [("calls", event.call), ("at", event.line)]
    if event.waits_in != event.call:
        lines.append(("waits in", event.waits_in))
    return lines


class BlockingDatabaseCall(LoopCheck):
    """A synchronous database call on the event loop, in an async task."""

    code = "BG502"
    name = "blocking-db"
    default: ClassVar[Default] = "E"
    summary = "An async task makes a synchronous database call, which blocks the event loop."
    way_out = (
        "Use an async engine and driver, or make the task a `def` function, which runs in a "
        "worker thread."
    )
    instruments: ClassVar[tuple[str, ...]] = ("blocking", "sqlalchemy")

    def __init__(self) -> None:
        self._once = Once()

    def on_blocking_call(self, event: BlockingCall) -> Iterator[Finding]:
        """Report the first call of a driver in a task."""
        task = event.task
        if event.database and self.is_on_loop(task) and self._once.is_first(task):
            yield self.found(
                f"{task.name} blocks the event loop: it makes the synchronous database call "
                f"{event.call}.",
                _evidence(event),
                task=task,
            )

    def on_statement_started(self, event: StatementStarted) -> Iterator[Finding]:
        """Report the first statement in a task that goes through a synchronous engine."""
        from bgcheck.instrument.blocking_callers import caller

        task, connection = event.task, event.connection
        if task is None or connection.is_async or not self.is_on_loop(task):
            return
        found = caller()
        if found is not None and self._once.is_first(task):
            yield self.found(
                f"{task.name} blocks the event loop: it sends a statement through a synchronous "
                "engine.",
                [
                    ("calls", found.entered or "a statement"),
                    ("at", found.line),
                    ("statement", event.statement.sql),
                    ("database", connection.url),
                ],
                task=task,
            )
