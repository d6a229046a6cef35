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
from bgcheck.instrument.hub import PlainSink, current_request, hub
from bgcheck.instrument.patches import returns_coroutine
from bgcheck.instrument.surroundings import around
from bgcheck.instrument.tasks import finish_request
from bgcheck.recorder.failure import failure_of
from bgcheck.recorder.request import Around, RequestInfo

if TYPE_CHECKING:
    from contextvars import Token

    from bgcheck.instrument.route import Scope
    from bgcheck.recorder.record import ScheduledTask

_REQUESTS: Final = frozenset({"http", "websocket"})
_WHOLE_BODIES: Final = frozenset({"http.response.pathsend", "http.response.zerocopysend"})

Message = Any
Send = Callable[[Message], Awaitable[None]]


class Request(RequestInfo):
    """A request of which an application has got the scope.

    Args:
        scope: the scope.
        number: its number in the recording.
        recording: the recording.
    """

    sent: Any = None
    """What the server has made of the last message, where nobody here has waited for it."""

    def __init__(self, scope: Scope, number: int, recording: int) -> None:
        get = scope.get
        self.scope: Mapping[str, Any] | None = scope
        self.method: str = get("method", "WEBSOCKET")
        self.path: str = get("path", "")
        self.root_path: str = get("root_path", "")
        self.number: int = number
        self.recording: int = recording
        self.tasks: list[ScheduledTask] = []

    def look_around(self, scope: Mapping[str, Any]) -> Around:
        """Tell what is around this request, as far as its scope says now."""
        return around(scope, self.root_path)


class Sender:
    """Takes the messages of an application to the server, and notes what the response has come to.

    Args:
        send: what the server has given.
        request: the request, which does not keep it.
    """

    __slots__ = ("request", "send")

    def __init__(self, send: Send, request: Request) -> None:
        self.send: Send = send
        self.request: Request = request

    async def observe(self, message: Message) -> None:
        """Send a message, and note status and end of the response once the server has taken it."""
        __tracebackhide__ = True
        await self.send(message)
        try:
            kind = message["type"]
            if kind == "http.response.start":
                note_start(self.request, message["status"])
            elif kind in _WHOLE_BODIES or (
                kind == "http.response.body" and not message.get("more_body")
            ):
                note_complete(self.request)
        except Exception as error:  # any bug of bgcheck
            hub.note(error)

    @returns_coroutine
    def pass_on(self, message: Message) -> Awaitable[None]:
        """Send a message as `observe` does, without a coroutine of its own.

        What is noted here is right if the server takes the message; `end` looks at that.
        """
        __tracebackhide__ = True
        if not hub.quiet:  # a recording has begun since
            return self.observe(message)
        request, last = self.request, False
        try:
            kind = message["type"]
            if kind == "http.response.body":
                last = not message.get("more_body")
            elif kind == "http.response.start":
                request.response_status = message["status"]
                scope = request.scope
                if scope is not None and getattr(scope.get("app"), "dependency_overrides", None):
                    note_start(request, message["status"])
            else:
                last = kind in _WHOLE_BODIES
        except Exception as error:  # any bug of bgcheck
            hub.note(error)
        sent = self.send(message)
        if last:
            request.response_complete = True
            request.sent = sent
        return sent


def begin(scope: Scope) -> Request | None:
    """Record the start of a request; None where a call only passes one on to an inner app.

    A mount and most middleware hand on the same scope, others a copy with the same header list.
    """
    if scope.get("type") not in _REQUESTS:
        return None
    current = current_request.get()
    if current is not None and not current.finished and current.belongs_to(scope):
        return None
    request = Request(scope, next(hub.request_numbers), hub.recording_number)
    if not hub.quiet and RequestStarted not in hub.unwanted:
        hub.emit(RequestStarted(request))
    return request


def end(request: Request, token: Token[RequestInfo | None], error: BaseException | None) -> None:
    """Record the end of a request and of the tasks that it leaves behind."""
    try:
        current_request.reset(token)
    except ValueError:  # the coroutine was closed from another context
        current_request.set(None)
    if error is not None:
        request.failure = failure_of(error)
        request.error_delivered = is_delivered()
        if _has_failed(request.sent, error):
            request.response_complete = False
    elif hub.plain_sink is not None and not request.eventful:
        for task in request.tasks:
            if not task.plain or task.ended_at is None:
                break
        else:
            _end_plain(request, hub.plain_sink)
            return
    request.finish(error, keep=hub.keeps_live)
    finish_request(request)
    request.sent, request.called = None, ()
    hub.emit(RequestFinished(request, error), request.recording)


def _has_failed(sent: Any, error: BaseException) -> bool:
    """Whether an error comes from a coroutine."""
    code, trace = getattr(sent, "cr_code", None), error.__traceback__
    while trace is not None and code is not None:
        if trace.tb_frame.f_code is code:
            return True
        trace = trace.tb_next
    return False


def _end_plain(request: Request, sink: PlainSink) -> None:
    """End a request whose tasks are all plain, and done."""
    scope = request.scope
    if scope is not None and request.tasks:
        request.around = around(scope, request.root_path)
    request.scope = request.sent = None
    request.called = ()
    request.finished = True
    if not hub.quiet or sink.plain_tasks is None:
        sink.end_plain(request)


def note_start(request: RequestInfo, status: int) -> None:
    """Note the status of a response, and by what its application is overridden."""
    request.response_status = status
    app = request.scope.get("app") if request.scope is not None else None
    overrides = getattr(app, "dependency_overrides", None)
    if overrides and isinstance(overrides, dict):
        hub.emit(OverridesMet(request, overrides), request.recording)
    if not hub.quiet and ResponseStarted not in hub.unwanted:
        hub.emit(ResponseStarted(request), request.recording)


def note_complete(request: RequestInfo) -> None:
    """The client has the whole response; noted once."""
    if not request.response_complete:
        request.response_complete = True
        if ResponseCompleted not in hub.unwanted:
            hub.emit(ResponseCompleted(request), request.recording)
