"""Tell cancellation from failure, and whether it came from outside of the task."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bgcheck.recorder.failure import is_raised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.recorder.record import Outcome


def outcome_of(error: BaseException | None) -> Outcome:
    """Tell what an error that left a task means for its outcome."""
    if error is None:
        return "succeeded"
    return "cancelled" if _is_cancellation(error) else "failed"


def _is_cancellation(error: BaseException) -> bool:
    inner = getattr(error, "exceptions", None)
    if isinstance(inner, tuple) and inner:
        return all(map(_is_cancellation, inner))
    return isinstance(error, (GeneratorExit, *_cancellation_types()))


def _cancellation_types() -> Iterator[type[BaseException]]:
    for module, name in (("asyncio", "CancelledError"), ("trio", "Cancelled")):
        if module in sys.modules:
            yield getattr(sys.modules[module], name)


def is_cancelled_from_outside(error: BaseException) -> bool:
    """Whether somebody cancelled the task, rather than the task itself or a child of it.

    A task that raises the error itself, or awaits a child that it cancelled, was not cancelled.
    Python 3.10 does not tell the latter; there the task counts as cancelled.
    """
    if isinstance(error, GeneratorExit):
        return True
    if is_raised(error.__traceback__):
        return False
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or not isinstance(error, asyncio.CancelledError):
        return True
    try:
        running = asyncio.current_task()
    except RuntimeError:  # no loop in this thread
        return True
    cancelling = getattr(running, "cancelling", None)
    return cancelling is None or cancelling() > 0
