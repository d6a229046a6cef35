"""What `bgcheck.instrument` tells the rest of bgcheck: one small object for each happening."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from bgcheck.recorder.database import ConnectionInfo, SessionInfo, Statement
    from bgcheck.recorder.record import RequestInfo, ScheduledTask, Site


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
class ConnectionTaken:
    """A connection was taken from its pool. `pool` is alive only while the event is handled."""

    connection: ConnectionInfo
    pool: object
    task: ScheduledTask | None
    request: RequestInfo | None


@dataclass(slots=True, eq=False)
class ConnectionReturned:
    """A connection went back to its pool, or left it for good."""

    connection: ConnectionInfo
    task: ScheduledTask | None
    request: RequestInfo | None


@dataclass(slots=True, eq=False)
class PoolExhausted:
    """All connections of a pool are taken, and somebody begins to wait for one.

    `pool` is the number of the pool, `status` its own words, `stack` the lines that wait.
    """

    pool: int
    status: str
    stack: tuple[Site, ...]
    task: ScheduledTask | None
    request: RequestInfo | None


@dataclass(slots=True, eq=False)
class StatementStarted:
    """A statement is about to be sent."""

    connection: ConnectionInfo
    statement: Statement
    task: ScheduledTask | None
    request: RequestInfo | None


@dataclass(slots=True, eq=False)
class StatementFinished:
    """The last statement of a connection was answered, or failed."""

    connection: ConnectionInfo
    task: ScheduledTask | None
    request: RequestInfo | None


@dataclass(slots=True, eq=False)
class TransactionEnded:
    """A transaction is about to be committed or rolled back.

    `writes` is what it had changed, with the task that did so; `by_close` tells that a session or
    a connection rolls back because it is closed, `by_error` that an error has led to that.
    """

    connection: ConnectionInfo
    how: Literal["commit", "rollback"]
    writes: tuple[tuple[Statement, ScheduledTask | None], ...]
    by_close: bool
    by_error: bool
    task: ScheduledTask | None
    request: RequestInfo | None


@dataclass(slots=True, eq=False)
class SessionBegan:
    """A session begins a transaction, because it is used."""

    session: SessionInfo
    task: ScheduledTask | None
    request: RequestInfo | None


@dataclass(slots=True, eq=False)
class SessionClosed:
    """A session is about to be closed.

    `unwritten` names the classes of objects that were added or deleted, and never flushed.
    """

    session: SessionInfo
    unwritten: tuple[str, ...]
    by_close: bool
    by_error: bool
    task: ScheduledTask | None
    request: RequestInfo | None


@dataclass(slots=True, eq=False)
class SessionRolledBack:
    """User code rolled a session back."""

    session: SessionInfo
    task: ScheduledTask | None
    request: RequestInfo | None


@dataclass(slots=True, eq=False)
class RollbackPending:
    """A session or connection was used although its transaction must be rolled back first."""

    message: str
    task: ScheduledTask | None
    request: RequestInfo | None


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
)
Sink = Callable[[Event], None]
