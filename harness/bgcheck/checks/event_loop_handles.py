"""BG504 and BG513: objects of a loop in the wrong thread, and handles that nobody closes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bgcheck.checks.base import Check
from bgcheck.checks.event_loop_base import LoopCheck, Once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default, Finding
    from bgcheck.events import HandleDropped, LoopObjectTouched


class LoopObjectFromThread(LoopCheck):
    """An object of an event loop used from a worker thread."""

    code = "BG504"
    name = "loop-object-from-thread"
    default: ClassVar[Default] = "W"
    summary = "An object of an event loop is used from a thread that does not run the loop."
    way_out = (
        "Hand the call over by loop.call_soon_threadsafe, asyncio.run_coroutine_threadsafe or "
        "anyio.from_thread.run; or make the task an `async def` function."
    )
    instruments: ClassVar[tuple[str, ...]] = ("loop_objects",)

    def __init__(self) -> None:
        self._once = Once()

    def on_loop_object_touched(self, event: LoopObjectTouched) -> Iterator[Finding]:
        """Report each line once a task."""
        task, line = event.task, event.line
        if self.is_on_loop(task) or not self._once.is_first(task, (line.file, line.line)):
            return
        yield self.found(
            f"{task.name} uses an object of an event loop from another thread: it calls "
            f"{event.call}.",
            [("calls", event.call), ("at", line)],
            task=task,
        )


class HandleLeftOpen(Check):
    """A file or socket that a task has opened and let go of without closing it."""

    code = "BG513"
    name = "handle-left-open"
    default: ClassVar[Default] = "W"
    summary = "A task lets go of a file or socket that it has not closed."
    way_out = "Open it in a `with` block, or close it in `finally`."
    instruments: ClassVar[tuple[str, ...]] = ("handles",)

    def __init__(self) -> None:
        self._once = Once()

    def on_handle_dropped(self, event: HandleDropped) -> Iterator[Finding]:
        """Report each handle of a task."""
        if self._once.is_first(event.task, (event.handle, str(event.line))):
            yield self.found(
                f"{event.task.name} left a handle open: {event.handle}.",
                [("handle", event.handle), ("let go", event.line or "where a function ended")],
                task=event.task,
            )
