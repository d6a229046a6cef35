"""Calls that user code sends to a task queue, as records of the running `bgtasks`.

A queue task is no background task of a response: the gates, the clock and the checks leave it
alone, and only the recording of a test is told of it. What becomes of it is known where a worker
runs in this process, as the test backends of the queue libraries do.
"""

from __future__ import annotations

import threading
import weakref
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from bgcheck.events import TaskScheduled
from bgcheck.instrument.hub import current_request, current_task, hub
from bgcheck.instrument.site import schedule_site
from bgcheck.recorder.binding import unwrap
from bgcheck.recorder.failure import failure_of
from bgcheck.recorder.params import take_params
from bgcheck.recorder.record import Outcome, ScheduledTask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Key = tuple[str, str]
"""The library and the id that it has given to the message."""

_sent: weakref.WeakValueDictionary[Key, ScheduledTask] = weakref.WeakValueDictionary()
_running: ContextVar[ScheduledTask | None] = ContextVar("bgcheck_queue_task", default=None)
_lock: Final = threading.Lock()


class QueuedCall:
    """A function and its arguments, as they were handed to a queue."""

    def __init__(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        self.func: Callable[..., Any] = func
        self.args: tuple[Any, ...] = args
        self.kwargs: Mapping[str, Any] = kwargs


def sent(key: Key, func: Any, args: Any, kwargs: Any) -> ScheduledTask | None:
    """Record that a call is about to be sent; a message that is sent again waits again.

    Args:
        key: the message.
        func: the task as the library knows it.
        args: its arguments, or None.
        kwargs: those given by name, or None.

    Returns:
        The record; None where no test records, or where the message is known already.
    """
    known = known_task(key)
    if known is not None and _is_sent_again(key, known):
        known.outcome = "pending"
        return None
    if not hub.keeps_live:
        return None
    call = unwrap(func, tuple(args or ()), dict(kwargs or {}))
    live = QueuedCall(call.func, call.args, call.kwargs)
    task = ScheduledTask(
        live,
        params=hub.guard(take_params, call.func, call.args, call.kwargs),
        site=(hub.guard(schedule_site, live) or (None,))[0],
        request=current_request.get(),
        number=next(hub.task_numbers),
        recording=hub.recording_number,
    )
    task.queued = True
    parent = _running.get() or current_task.get()
    if parent is not None:
        task.parent = parent
    with _lock:
        _sent[key] = task
    _tell(task)
    return task


def _is_sent_again(key: Key, known: ScheduledTask) -> bool:
    """Tell a retry, or a delayed message that is due, from a new message with an old id."""
    return known.outcome == "running" or key[0] == "dramatiq"  # whose ids no user chooses


def _tell(task: ScheduledTask) -> None:
    """Tell the recordings, and not what watches the background tasks of the whole session."""
    event = TaskScheduled(task)
    for sink in hub.sinks:
        if getattr(sink, "keeps_live", True):
            hub.guard(sink, event)


def known_task(key: Key) -> ScheduledTask | None:
    """Return the record of a message of this recording, if there is one."""
    task = _sent.get(key)
    return task if task is not None and task.recording == hub.recording_number else None


def not_sent(task: ScheduledTask | None, error: BaseException) -> None:
    """Note that the library could not send a call, unless it has run within the attempt."""
    if task is not None and task.outcome == "pending":
        task.reason = f"it could not be sent: {type(error).__name__}: {error}"
        task.outcome = "lost"


def started(key: Key, *, on_loop: bool = False) -> None:
    """Note that a worker of this process runs a message from here on."""
    task = known_task(key)
    if task is None:
        return
    _running.set(task)
    task.runs += 1
    task.outcome = "running"
    task.thread = "loop" if on_loop else "worker"
    task.thread_name = threading.current_thread().name
    task.started_at, task.ended_at = perf_counter(), None
    task.error = task.failure = None


def ended(key: Key, error: BaseException | None, outcome: Outcome | None = None) -> None:
    """Note how a run has ended.

    Args:
        key: the message.
        error: what it raised.
        outcome: where it stands, if the error does not tell.
    """
    task = known_task(key)
    if task is None:
        return
    _running.set(None)
    if task.started_at is not None:
        task.ended_at = perf_counter()
    if error is not None:
        task.failure = failure_of(error)
        task.error = error
    task.outcome = outcome or ("succeeded" if error is None else "failed")
