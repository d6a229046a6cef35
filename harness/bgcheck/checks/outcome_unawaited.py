"""BG206 and BG209: what a task started and nobody waited for."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, ClassVar

from bgcheck.checks.base import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import ChildFailed, CoroutineDropped, SessionFinished, TestFinished
    from bgcheck.recorder.record import ScheduledTask, Site


class NeverAwaited(Check):
    """A coroutine was made in a task and dropped before anybody awaited it."""

    code = "BG206"
    name = "never-awaited"
    default: ClassVar[Default] = "E"
    summary = "A task made a coroutine and never awaited it: its body did not run."
    way_out = "Await the call; or, to have it run on its own, start it by a task group and wait."
    instruments: ClassVar[tuple[str, ...]] = ("coroutines",)

    def __init__(self) -> None:
        self._told: weakref.WeakKeyDictionary[ScheduledTask, set[tuple[str, Site | None]]] = (
            weakref.WeakKeyDictionary()
        )

    def on_coroutine_dropped(self, event: CoroutineDropped) -> Iterator[Finding]:
        """Tell of each coroutine function once for each line that drops it."""
        line = event.stack[0] if event.stack else None
        told = self._told.setdefault(event.task, set())
        if (event.name, line) in told:
            return
        told.add((event.name, line))
        evidence: list[tuple[str, str | Site]] = [
            ("dropped", line or "as the result of the task, which the framework ignores")
        ]
        if event.defined is not None:
            evidence.append(("defined", event.defined))
        yield self.found(
            f"{event.task.name} made the coroutine {event.name} and never awaited it: its body "
            "did not run.",
            evidence,
            task=event.task,
        )


class OrphanTaskException(Check):
    """An asyncio task that a task started has failed, and nobody looked."""

    code = "BG209"
    name = "orphan-task-exception"
    default: ClassVar[Default] = "E"
    summary = "An asyncio task started by a task failed, and nobody looked at its failure."
    way_out = (
        "Await it, gather it, or start it in a task group; or add a done callback that looks at "
        "its exception."
    )
    instruments: ClassVar[tuple[str, ...]] = ("asyncio_children",)

    def on_child_failed(self, event: ChildFailed) -> Iterator[Finding]:
        """Name the line that started it, and the error."""
        from bgcheck.checks.outcome import failure_evidence

        evidence = failure_evidence(event.failure)
        if event.site is not None:
            evidence.append(("started", event.site))
        yield self.found(
            f"{event.name}, an asyncio task that {event.task.name} started, failed with "
            f"{event.failure.type}, and nobody looked.",
            evidence,
            task=event.task,
        )

    def on_test_finished(self, event: TestFinished) -> None:
        """Look at what the test has kept, and whose loop is gone."""
        self._look(last=False)

    def on_session_finished(self, event: SessionFinished) -> None:
        """Look at all that is left."""
        self._look(last=True)

    def _look(self, *, last: bool) -> None:
        from bgcheck.instrument.asyncio_children import tell_unseen  # loaded when it is on

        tell_unseen(last=last)
