"""The outermost application call of a request, turned into a record and events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from bgcheck.events import (
    OverridesMet,
    RequestFinished,
    RequestStarted,
    ResponseCompleted,
    ResponseStarted,
)
from bgcheck.instrument.clients import is_delivered
from bgcheck.instrument.hub import current_request, hub
from bgcheck.instrument.surroundings import around
from bgcheck.instrument.tasks import finish_request
from bgcheck.recorder.failure import failure_of
from bgcheck.recorder.request import Around, RequestInfo

if TYPE_CHECKING:
    from contextvars import Token

    from bgcheck.instrument.route import Scope

_REQUESTS: Final = frozenset({"http", "websocket"})
_WHOLE_BODIES: Final = frozenset({"http.response.pathsend", "http.response.zerocopysend"})

Message = Any
Send = Callable[[Message], Awaitable[None]]


class _Request(RequestInfo):
    """A request of which an application has got the scope."""

    __slots__ = ()

    def look_around(self, scope: Mapping[str, Any]) -> Around:
        """Tell what is around this request, as far as its scope says now."""
        return around(scope, self.root_path)


def begin(scope: Scope) -> RequestInfo | None:
    """Record the start of a request; None where a call only passes one on to an inner app.

    A mount and most middleware hand on the same scope, others a copy with the same header list.
    """
    if scope.get("type") not in _REQUESTS:
        return None
    current = current_request.get()
    if current is not None and not current.finished and current.belongs_to(scope):
        return None
    get = scope.get
    request = _Request(
        get("method", "WEBSOCKET"),
        get("path", ""),
        next(hub.request_numbers),
        hub.recording_number,
        scope,
        get("root_path", ""),
    )
    if RequestStarted not in hub.unwanted:
        hub.emit(RequestStarted(request))
    return request


def end(
    request: RequestInfo, token: Token[RequestInfo | None], error: BaseException | None
) -> None:
    """Record the end of a request and of the tasks that it leaves behind."""
    try:
        current_request.reset(token)
    except ValueError:  # the coroutine was closed from another context
        current_request.set(None)
    if error is not None:
        request.failure = failure_of(error)
        request.error_delivered = is_delivered()
    elif hub.plain_sink is not None and not request.eventful and _end_plain(request):
        return
    request.finish(error, keep=hub.keeps_live)
    finish_request(request)
    hub.emit(RequestFinished(request, error), request.recording)


def _end_plain(request: RequestInfo) -> bool:
    """End a request if all of its tasks are plain, and done."""
    tasks, sink = request.tasks, hub.plain_sink
    for task in tasks:
        if not task.plain or task.ended_at is None:
            return False
    if tasks and request.scope is not None:
        request.around = around(request.scope, request.root_path)
    request.scope = None
    request.finished = True
    if sink is not None:
        sink.end_plain(request)
    return True


def observed(send: Send, request: RequestInfo) -> Send:
    """Return a `send` that notes status and end of the response once the server has taken them."""

    async def observe(message: Message) -> None:
        __tracebackhide__ = True
        await send(message)
        try:
            kind = message["type"]
            if kind == "http.response.body":
                if not message.get("more_body"):
                    if ResponseCompleted in hub.unwanted:
                        request.response_complete = True
                    else:
                        note_complete(request)
            elif kind == "http.response.start":
                _note_start(request, message["status"])
            elif kind in _WHOLE_BODIES:
                note_complete(request)
        except Exception as error:  # any bug of bgcheck
            hub.note(error)

    return observe


def _note_start(request: RequestInfo, status: int) -> None:
    request.response_status = status
    app = request.scope.get("app") if request.scope is not None else None
    overrides = getattr(app, "dependency_overrides", None)
    if overrides and isinstance(overrides, dict):
        hub.emit(OverridesMet(request, overrides), request.recording)
    if ResponseStarted not in hub.unwanted:
        hub.emit(ResponseStarted(request), request.recording)


def note_complete(request: RequestInfo) -> None:
    """The client has the whole response; noted once."""
    if not request.response_complete:
        request.response_complete = True
        if ResponseCompleted not in hub.unwanted:
            hub.emit(ResponseCompleted(request), request.recording)
