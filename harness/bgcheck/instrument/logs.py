"""Log records of requests that somebody watches, turned into events. No handler is added."""

from __future__ import annotations

import functools
import logging
import weakref
from typing import TYPE_CHECKING, Any

from bgcheck.events import RecordLogged
from bgcheck.instrument.hub import current_request, current_task, hub
from bgcheck.instrument.patches import Patches
from bgcheck.instrument.users import Users
from bgcheck.recorder.record import Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgcheck.recorder.request import RequestInfo

_patches = Patches()
_users = Users()
_watched: weakref.WeakSet[RequestInfo] = weakref.WeakSet()


@_users.first
def install() -> None:
    """Look at log records on their way to the handlers; each call needs one of `uninstall`."""
    _patches.wrap(logging.Logger, "callHandlers", _wrap_call_handlers)


@_users.last
def uninstall() -> None:
    """Look no more once the last user is gone."""
    _patches.restore()
    _watched.clear()


def watch(request: RequestInfo) -> None:
    """Emit the log records of a request and its tasks from now on.

    Args:
        request: a request that is under way.
    """
    _watched.add(request)


def _wrap_call_handlers(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def callHandlers(self: Any, record: logging.LogRecord) -> Any:  # noqa: N802
        __tracebackhide__ = True
        if _watched and hub.sinks:
            request = current_request.get()
            if request is not None and request in _watched:
                hub.guard(_note, request, record)
        return original(self, record)

    return callHandlers


def _note(request: RequestInfo, record: logging.LogRecord) -> None:
    try:
        text = record.getMessage()
    except Exception:  # a format that does not fit; the handlers tell
        return
    if record.exc_info and record.exc_info[1] is not None:
        text += f" {record.exc_info[1]!r}"
    site = Site(record.pathname, record.lineno, record.funcName or "<module>")
    hub.emit(RecordLogged(current_task.get(), request, text, site), request.recording)
