"""What `bgcheck.instrument` tells the rest of bgcheck: one small object for each happening."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from bgcheck.events_database import ConnectionReturned as ConnectionReturned
from bgcheck.events_database import ConnectionTaken as ConnectionTaken
from bgcheck.events_database import PoolExhausted as PoolExhausted
from bgcheck.events_database import RollbackPending as RollbackPending
from bgcheck.events_database import SessionBegan as SessionBegan
from bgcheck.events_database import SessionClosed as SessionClosed
from bgcheck.events_database import SessionRolledBack as SessionRolledBack
from bgcheck.events_database import StatementFinished as StatementFinished
from bgcheck.events_database import StatementStarted as StatementStarted
from bgcheck.events_database import TransactionEnded as TransactionEnded
from bgcheck.events_requests import OverridesMet as OverridesMet
from bgcheck.events_resources import TempfileMade as TempfileMade
from bgcheck.events_resources import WorkersTaken as WorkersTaken

if TYPE_CHECKING:
    from contextvars import ContextVar

    from bgcheck.recorder.failure import Failure
    from bgcheck.recorder.record import ScheduledTask, Site
    from bgcheck.recorder.request import RequestInfo


@dataclass(slots=True, eq=False)
class RequestStarted:
    """An application was called with an http or websocket scope."""

    request: RequestInfo


@dataclass(slots=True, eq=False)
class ResponseStarted:
    """The server has taken the status and headers of the response."""

    request: RequestInfo


@dataclass(slots=True, eq=False)
class ResponseCompleted:
    """The server has taken the last byte of the response."""

    request: RequestInfo


@dataclass(slots=True, eq=False)
class RequestFinished:
    """The application call is over: tasks, dependencies and middleware are done."""

    request: RequestInfo
    error: BaseException | None


@dataclass(slots=True, eq=False)
class TaskScheduled:
    """User code handed a function with its arguments to the framework."""

    task: ScheduledTask


@dataclass(slots=True, eq=False)
class TaskStarted:
    """A task begins to run."""

    task: ScheduledTask


@dataclass(slots=True, eq=False)
class TaskFinished:
    """A task has its last outcome: it ran, was skipped, or was lost.

    `error` is what it raised, alive only while the event is handled.
    """

    task: ScheduledTask
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class TestStarted:
    """A test begins, with its fixtures; `test` is its node id."""

    __test__: ClassVar[bool] = False

    test: str


@dataclass(slots=True, eq=False)
class TaskSettled:
    """Nothing more is expected of a task in its test: its request and the test's body are over.

    Comes once for each task. `test_error` is what the test itself raised, alive only while the
    event is handled.
    """

    task: ScheduledTask
    test_error: BaseException | None


@dataclass(slots=True, eq=False)
class TestFinished:
    """A test and the teardown of its fixtures are over, and all its tasks are settled."""

    __test__: ClassVar[bool] = False

    test: str


@dataclass(slots=True, eq=False)
class SessionFinished:
    """The last test is over."""


@dataclass(slots=True, eq=False)
class TaskWaits:
    """A task begins to wait for time to pass or for an HTTP request; `line` is where."""

    task: ScheduledTask
    call: str
    line: Site | None


@dataclass(frozen=True, slots=True)
class FileUsed:
    """A task did something with a file for the first time, and could not have what it wants.

    Attributes:
        task: the task.
        state: `closed` or `at its end`.
        use: the method it called.
        site: the line of user code, or None.
    """

    task: ScheduledTask
    state: str
    use: str
    site: Site | None


@dataclass(frozen=True, slots=True)
class BodyRead:
    """A task reads the body of its request for the first time.

    Attributes:
        task: the task.
        site: the line of user code, or None.
    """

    task: ScheduledTask
    site: Site | None


@dataclass(slots=True, eq=False)
class StreamBegins:
    """A response that user code produces piece by piece is about to be sent."""

    request: RequestInfo


@dataclass(slots=True, eq=False)
class ValueReturned:
    """An endpoint has returned what becomes the content of a response.

    `value` is alive only while the event is handled.
    """

    request: RequestInfo
    value: object


@dataclass(slots=True, eq=False)
class BlockingCall:
    """A call that blocks its thread is about to be made while a task is under way in it.

    `call` is what user code calls, `waits_in` where that ends, such as `requests.get` and
    `socket.connect`; `line` is the line of user code; `database` tells a database driver's call.
    """

    task: ScheduledTask
    call: str
    waits_in: str
    line: Site
    database: bool


@dataclass(slots=True, eq=False)
class CoroutineDropped:
    """A coroutine that nobody has awaited was dropped while a task ran.

    `stack` is the user code that ran, innermost first, within the task; `defined` its function.
    """

    task: ScheduledTask
    name: str
    defined: Site | None
    stack: tuple[Site, ...]


@dataclass(slots=True, eq=False)
class ChildFailed:
    """An asyncio task that a background task had started has failed, and nobody looked.

    `site` is the line of user code that started it.
    """

    task: ScheduledTask
    name: str
    site: Site | None
    failure: Failure


@dataclass(slots=True, eq=False)
class ExceptionHandled:
    """An exception arrived at a handler: `except`, `with` or `finally`, in a task.

    Attributes:
        task: the task.
        site: the line of the handling function that the exception came from.
        handler_line: the line of the handler, 0 if it has none.
        kinds: the names of its classes, the most derived first.
        failure: the error as text.
        by_user: user code handles it, and not a library that called user code.
        runner: the id of the asyncio task where it was handled, if that was asked to cancel.
    """

    task: ScheduledTask
    site: Site
    handler_line: int
    kinds: tuple[str, ...]
    failure: Failure
    by_user: bool
    runner: int | None


@dataclass(slots=True, eq=False)
class PostSucceeded:
    """A task has sent an HTTP POST, and the answer was a success.

    `what` is the method and the URL, `digest` stands for what was sent, `stack` is the user code
    that sent it, innermost first.
    """

    task: ScheduledTask
    what: str
    digest: str
    stack: tuple[Site, ...]


@dataclass(slots=True, eq=False)
class LoopEntered:
    """An event loop is about to be started while a task is under way in this thread.

    `call` is what starts it, `line` the line of user code.
    """

    task: ScheduledTask
    call: str
    line: Site


@dataclass(frozen=True, slots=True)
class RecordLogged:
    """A log record of a watched request, or of its task, is on its way to the handlers.

    Attributes:
        task: the task that logged it, or None.
        request: the request.
        text: the message, with the error that it tells of.
        site: the line that logged it.
    """

    task: ScheduledTask | None
    request: RequestInfo
    text: str
    site: Site


@dataclass(frozen=True, slots=True)
class OutputCaptured:
    """What the body of a test has written to standard output and standard error."""

    text: str


@dataclass(frozen=True, slots=True)
class ContextLost:
    """A worker thread of a request has set a context variable in its copy of the context.

    Attributes:
        request: the request.
        variable: the variable.
        value: what it was set to, alive only while the event is handled.
        earlier: the id of its value before, or None if it had none.
        setter: the function that ran in the thread, alive only while the event is handled.
    """

    request: RequestInfo
    variable: ContextVar[Any]
    value: object
    earlier: int | None
    setter: Callable[..., Any]


@dataclass(slots=True, eq=False)
class LoopHeld:
    """An async task has held its event loop by computing from one `await` to the next.

    `seconds` is CPU time of the thread, without garbage collection; `since` and `until` are the
    lines where it went on and where it awaited again, None for its start and end.
    """

    task: ScheduledTask
    seconds: float
    since: Site | None
    until: Site | None


@dataclass(slots=True, eq=False)
class WorkStarted:
    """User code has started something that may outlive the task which is under way.

    `work` is an asyncio task, a thread, an executor, or the future of a job; alive only while the
    event is handled. `line` is the line of user code.
    """

    task: ScheduledTask
    kind: Literal["asyncio task", "thread", "executor", "job"]
    work: object
    name: str
    line: Site


@dataclass(slots=True, eq=False)
class HandleDropped:
    """The last reference to an open file or socket went while a task is under way.

    `handle` is its text, `line` the line of user code that let go of it, None where a function of
    the task was left with it.
    """

    task: ScheduledTask
    handle: str
    line: Site | None


@dataclass(slots=True, eq=False)
class LoopObjectTouched:
    """An object of an event loop is used in a thread that does not run the loop.

    `call` is the method, `line` the line of user code.
    """

    task: ScheduledTask
    call: str
    line: Site


Event = (
    RequestStarted
    | ResponseStarted
    | ResponseCompleted
    | RequestFinished
    | TaskScheduled
    | TaskStarted
    | TaskFinished
    | TestStarted
    | TaskSettled
    | TestFinished
    | SessionFinished
    | ConnectionTaken
    | ConnectionReturned
    | PoolExhausted
    | StatementStarted
    | StatementFinished
    | TransactionEnded
    | SessionBegan
    | SessionClosed
    | SessionRolledBack
    | RollbackPending
    | TaskWaits
    | FileUsed
    | BodyRead
    | ValueReturned
    | StreamBegins
    | OverridesMet
    | RecordLogged
    | OutputCaptured
    | ContextLost
    | CoroutineDropped
    | ChildFailed
    | ExceptionHandled
    | PostSucceeded
    | BlockingCall
    | LoopEntered
    | LoopHeld
    | WorkStarted
    | HandleDropped
    | TempfileMade
    | WorkersTaken
    | LoopObjectTouched
)
Sink = Callable[[Event], None]
