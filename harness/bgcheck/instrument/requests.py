"""The outermost application call of a request, turned into a record and events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Token
from typing import Any

from bgcheck.events import RequestFinished, RequestStarted, ResponseCompleted, ResponseStarted
from bgcheck.instrument.hub import current_request, hub
from bgcheck.instrument.route import Scope, route_of
from bgcheck.instrument.tasks import finish_request
from bgcheck.recorder.record import RequestInfo

Message = Any
Send = Callable[[Message], Awaitable[None]]


def is_new(scope: Scope) -> bool:
    """Whether a call with this scope begins a request, rather than pass one on to an inner app.

    A mount and most middleware hand on the same scope, others a copy with the same header list.
    """
    if scope["type"] not in ("http", "websocket"):
        return False
    current = current_request.get()
    return current is None or current.finished or not current.belongs_to(scope)


def begin(scope: Scope) -> tuple[RequestInfo, Token[RequestInfo | None]]:
    """Record the start of a request and make it the current one of this context."""
    root_path = str(scope.get("root_path", ""))
    request = RequestInfo(
        method=scope.get("method", "WEBSOCKET"),
        path=scope["path"],
        number=next(hub.request_numbers),
        recording=hub.recording_number,
        scope=scope,
        find_route=lambda: route_of(scope, root_path),
    )
    token = current_request.set(request)
    hub.emit(RequestStarted(request))
    return request, token


def end(
    request: RequestInfo, token: Token[RequestInfo | None], error: BaseException | None
) -> None:
    """Record the end of a request and of the tasks that it leaves behind."""
    try:
        current_request.reset(token)
    except ValueError:  # the coroutine was closed from another context
        current_request.set(None)
    request.finish(error)
    finish_request(request)
    if request.recording == hub.recording_number:
        hub.emit(RequestFinished(request, error))


def observed(send: Send, request: RequestInfo) -> Send:
    """Return a `send` that notes status and end of the response once the server has taken them."""

    async def observe(message: Message) -> None:
        __tracebackhide__ = True
        await send(message)
        kind = message["type"]
        if kind == "http.response.start":
            request.response_status = message["status"]
            hub.emit(ResponseStarted(request))
        elif _completes(kind, message) and not request.response_complete:
            request.response_complete = True
            hub.emit(ResponseCompleted(request))

    return observe


def _completes(kind: str, message: Message) -> bool:
    if kind == "http.response.body":
        return not message.get("more_body", False)
    return kind in ("http.response.pathsend", "http.response.zerocopysend")
