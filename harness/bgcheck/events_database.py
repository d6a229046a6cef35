"""What the instrumentation of databases tells the rest of bgcheck: part of `bgcheck.events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bgcheck.recorder.database import ConnectionInfo, SessionInfo, Statement
    from bgcheck.recorder.record import ScheduledTask, Site
    from bgcheck.recorder.request import RequestInfo


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
