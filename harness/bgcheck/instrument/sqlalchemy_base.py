"""What the listeners of SQLAlchemy share: whose turn it is, what is closing, what is patched."""

from __future__ import annotations

import functools
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from bgcheck.instrument.hub import current_request, current_task, hub
from bgcheck.instrument.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.recorder.request import RequestInfo


class _Closing(NamedTuple):
    """A `close` that is on the stack; `by_error` if an error has led to it."""

    by_error: bool


_closing: ContextVar[_Closing | None] = ContextVar("bgcheck_closing", default=None)
_leaving_by_error: ContextVar[bool] = ContextVar("bgcheck_leaving_by_error", default=False)

patches: Patches = Patches()
_listening: list[tuple[Any, str, Any]] = []


def is_ours() -> bool:
    """Whether anybody listens, and a request or a task is under way here."""
    return bool(hub.sinks) and (current_task.get() is not None or current_request.get() is not None)


def owner() -> tuple[ScheduledTask | None, RequestInfo | None]:
    """The task and the request that are under way here. What outlives its request is on its own."""
    task = current_task.get()
    return task, task.request if task is not None else current_request.get()


def emit(kind: Callable[..., Any], *parts: Any) -> None:
    """Tell of something that happens here.

    Args:
        kind: the event, whose last fields are the task and the request under way.
        parts: its other fields.
    """
    task, request = owner()
    source = task if task is not None else request
    hub.emit(kind(*parts, task, request), source.recording if source is not None else None)


def how_closed() -> tuple[bool, bool]:
    """Whether a `close` is on the stack, and whether an error has led to it."""
    closing = _closing.get()
    return closing is not None, closing is not None and closing.by_error


def wrap_close(note: Callable[[Any], None], original: Any) -> Any:
    """Wrap the `close` of a session or a connection.

    Args:
        note: is told what is about to be closed.
        original: the method.
    """

    @functools.wraps(original)
    def close(self: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if not hub.sinks or _closing.get() is not None:
            return original(self, *args, **kwargs)
        token = _closing.set(_Closing(_leaving_by_error.get() or sys.exc_info()[0] is not None))
        try:
            hub.guard(note, self)
            return original(self, *args, **kwargs)
        finally:
            _closing.reset(token)

    return close


def wrap_async_close(original: Any) -> Any:
    """Wrap an async `close` or `__aexit__`: the greenlet below does not know of an error here."""

    @functools.wraps(original)
    async def close(self: Any, *args: Any) -> Any:
        __tracebackhide__ = True
        token = _leaving_by_error.set(_leaving_by_error.get() or sys.exc_info()[0] is not None)
        try:
            return await original(self, *args)
        finally:
            _leaving_by_error.reset(token)

    return close


def listen(target: Any, **listeners: Callable[..., None]) -> None:
    """Listen to events of a class of SQLAlchemy, by name."""
    event = sys.modules["sqlalchemy.event"]
    for name, listener in listeners.items():
        guarded = functools.partial(_call, listener)
        event.listen(target, name, guarded)
        _listening.append((target, name, guarded))


def _call(listener: Callable[..., None], *args: Any) -> None:
    if hub.sinks:
        hub.guard(listener, *args)


def remove() -> None:
    """Stop listening and put back what was patched."""
    while _listening:
        target, name, listener = _listening.pop()
        sys.modules["sqlalchemy.event"].remove(target, name, listener)
    patches.restore()
