"""BG503: an async task that computes for long without giving way."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bgcheck.checks.base import Check
from bgcheck.checks.event_loop_base import Once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default, Finding
    from bgcheck.events import LoopHeld


class LoopBlocked(Check):
    """The event loop held for long by computation."""

    code = "BG503"
    name = "loop-blocked"
    default: ClassVar[Default] = "W"
    summary = "An async task computes for long without an await, and holds the event loop."
    way_out = (
        "Make the task a `def` function, which runs in a worker thread; or hand the computation "
        "to asyncio.to_thread or a process pool."
    )
    instruments: ClassVar[tuple[str, ...]] = ("steps",)

    def __init__(self) -> None:
        self._once = Once()

    def on_loop_held(self, event: LoopHeld) -> Iterator[Finding]:
        """Report each stretch between two lines once a task."""
        task = event.task
        if self._once.is_first(task, (str(event.since), str(event.until))):
            yield self.found(
                f"{task.name} held the event loop for {event.seconds:.2f} s of CPU time.",
                [
                    ("from", event.since or "its start"),
                    ("until", event.until or "its end"),
                ],
                task=task,
            )
