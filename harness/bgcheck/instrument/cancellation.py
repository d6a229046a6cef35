"""Tell cancellation from failure, and whether it came from outside of the task."""

from __future__ import annotations

import math
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


def cancelled_runner() -> int | None:
    """Return the id of the asyncio task that runs here if it was asked to cancel, or None.

    On trio, the id of the trio task in a scope that is cancelled.
    """
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:  # noqa: SLF001
        running = asyncio.current_task()
        cancelling = getattr(running, "cancelling", None)
        return id(running) if cancelling is not None and cancelling() > 0 else None
    return _cancelled_on_trio()


def _cancelled_on_trio() -> int | None:
    trio = sys.modules.get("trio")
    try:
        is_cancelled = trio is not None and trio.current_effective_deadline() == -math.inf
    except RuntimeError:  # no trio here
        return None
    return id(trio.lowlevel.current_task()) if is_cancelled and trio is not None else None
