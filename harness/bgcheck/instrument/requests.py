"""The outermost application call of a request, turned into a record and events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from bgcheck.events import RequestFinished, RequestStarted, ResponseCompleted, ResponseStarted
from bgcheck.instrument.clients import is_delivered
from bgcheck.instrument.hub import current_request, hub
from bgcheck.instrument.route import Scope, route_of
from bgcheck.instrument.surroundings import patterns_around
from bgcheck.instrument.tasks import finish_request
from bgcheck.recorder.failure import failure_of
from bgcheck.recorder.record import RequestInfo

if TYPE_CHECKING:
    from contextvars import Token

Message = Any
Send = Callable[[Message], Awaitable[None]]


def is_new(scope: Scope) -> bool:
    """Whether a call with this scope begins a request, rather than pass one on to an inner app.

    A mount and most middleware hand on the same scope, others a copy with the same header list.
    """
    if scope.get("type") not in ("http", "websocket"):
        return False
    current = current_request.get()
    return current is None or current.finished or not current.belongs_to(scope)


def begin(scope: Scope) -> RequestInfo:
    """Record the start of a request."""
    request = RequestInfo(
        method=scope.get("method", "WEBSOCKET"),
        path=scope.get("path", ""),
        number=next(hub.request_numbers),
        recording=hub.recording_number,
        scope=scope,
        find_route=route_of,
        look_around=patterns_around,
        root_path=str(scope.get("root_path", "")),
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
    request.finish(error, keep=hub.keeps_live)
    finish_request(request)
    hub.emit(RequestFinished(request, error), request.recording)


def observed(send: Send, request: RequestInfo) -> Send:
    """Return a `send` that notes status and end of the response once the server has taken them."""

    async def observe(message: Message) -> None:
        __tracebackhide__ = True
        await send(message)
        try:
            _note_sent(request, message)
        except Exception as error:  # any bug of bgcheck
            hub.note(error)

    return observe


def _note_sent(request: RequestInfo, message: Message) -> None:
    kind = message["type"]
    if kind == "http.response.start":
        request.response_status = message["status"]
        if ResponseStarted not in hub.unwanted:
            hub.emit(ResponseStarted(request), request.recording)
    elif _completes(kind, message):
        note_complete(request)


def note_complete(request: RequestInfo) -> None:
    """The client has the whole response; noted once."""
    if not request.response_complete:
        request.response_complete = True
        if ResponseCompleted not in hub.unwanted:
            hub.emit(ResponseCompleted(request), request.recording)


def _completes(kind: str, message: Message) -> bool:
    if kind == "http.response.body":
        return not message.get("more_body", False)
    return kind in ("http.response.pathsend", "http.response.zerocopysend")
