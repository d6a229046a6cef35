"""BG4: sessions and their transactions."""

from __future__ import annotations

import re
import weakref
from typing import TYPE_CHECKING, ClassVar

from bgcheck.checks.database_base import DatabaseCheck
from bgcheck.checks.outcome import failure_evidence
from bgcheck.recorder.failure import related

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default, Finding
    from bgcheck.events import (
        RollbackPending,
        SessionBegan,
        SessionClosed,
        SessionRolledBack,
        TaskFinished,
        TransactionEnded,
    )
    from bgcheck.recorder.database import ConnectionInfo, Origin, SessionInfo
    from bgcheck.recorder.record import ScheduledTask, Site


class SessionUsedAfterClose(DatabaseCheck):
    """A task uses a session that was closed before, and leaves it open."""

    code = "BG402"
    name = "session-used-after-close"
    default: ClassVar[Default] = "E"
    summary = "A task uses a session that its request has closed: it opens again in silence."
    way_out = "Hand the task ids, and let it open and close a session of its own."

    def __init__(self) -> None:
        self._reopened: weakref.WeakKeyDictionary[ScheduledTask, dict[SessionInfo, Origin]] = (
            weakref.WeakKeyDictionary()
        )

    def on_session_began(self, event: SessionBegan) -> None:
        """Note the first use after a close by somebody else."""
        task, session, closed = event.task, event.session, event.session.closed
        if task is None or closed is None or closed.task is not None:
            return
        if session.request is not None and session.request is task.request:
            self._reopened.setdefault(task, {})[session] = closed

    def on_session_closed(self, event: SessionClosed) -> None:
        """A task that closes it again knows what it does."""
        if event.task is not None:
            self._reopened.get(event.task, {}).pop(event.session, None)

    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Tell of the sessions that the task has left open."""
        task = event.task
        for session, closed in self._reopened.pop(task, {}).items():
            session.explained = True
            yield self.found(
                f"{task.name} uses a session that was closed before it started: the session has "
                "opened again, and nobody closes it any more.",
                [*session.evidence("session opened"), *closed.evidence("closed")[:2]],
                task=task,
            )


_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class DetachedInstance(DatabaseCheck):
    """A task loads an attribute of an object whose session is gone."""

    code = "BG403"
    name = "detached-instance"
    default: ClassVar[Default] = "E"
    summary = "A task loads an attribute of an ORM object whose session is gone."
    way_out = (
        "Hand the task the primary key and load the object in a session of the task, or load what "
        "it needs before the session is closed."
    )

    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Look for the error of SQLAlchemy."""
        task, failure = event.task, event.task.failure
        if event.error is None or failure is None or task.injected:
            return
        if any(map(_is_detached, related(event.error))):
            evidence = [
                (label, _ADDRESS.sub("", text) if isinstance(text, str) else text)
                for label, text in failure_evidence(failure)
            ]
            yield self.found(
                f"{task.name} loads an attribute of an object whose session is gone.",
                evidence,
                task=task,
                covers=[task],
            )


def _is_detached(error: BaseException) -> bool:
    kind = type(error)
    return kind.__name__ == "DetachedInstanceError" and kind.__module__ == "sqlalchemy.orm.exc"


class MissingCommit(DatabaseCheck):
    """What a task has written is rolled back when its session is closed."""

    code = "BG408"
    name = "missing-commit"
    default: ClassVar[Default] = "E"
    summary = "What a task wrote was never committed: closing the session rolled it back."
    way_out = "Commit: `with Session.begin() as session:`, or session.commit() before the close."

    def __init__(self) -> None:
        self._lost: weakref.WeakKeyDictionary[ScheduledTask, list[tuple[str, tuple[Site, ...]]]] = (
            weakref.WeakKeyDictionary()
        )

    def on_transaction_ended(self, event: TransactionEnded) -> Iterator[Finding]:
        """Note what tasks have written, where a close rolls it back."""
        owner = event.connection.session or event.connection
        if event.how == "commit" or not event.by_close or event.by_error:
            return
        if _is_meant(owner) or event.connection.commit_in_sight:
            return
        writers = {task: statement for statement, task in event.writes if task is not None}
        for task, statement in writers.items():
            yield from self._tell(task, statement.sql, owner.stack)

    def on_session_closed(self, event: SessionClosed) -> Iterator[Finding]:
        """Note what tasks have put into a session, where it was not even flushed."""
        session = event.session
        task = session.writer or session.task
        if task is None or not event.unwritten or event.by_error or _is_meant(session):
            return
        yield from self._tell(task, ", ".join(event.unwritten), session.stack)

    def _tell(self, task: ScheduledTask, what: str, stack: tuple[Site, ...]) -> Iterator[Finding]:
        """Tell at once where the task is over, else at its end, if it does not fail."""
        if task.finished:
            if task.outcome == "succeeded":
                yield self._finding(task, what, stack)
        else:
            self._lost.setdefault(task, []).append((what, stack))

    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Tell what was lost. An error rolls back on purpose."""
        lost = self._lost.pop(event.task, [])
        if lost and event.task.outcome == "succeeded":
            yield self._finding(event.task, *lost[0])

    def _finding(self, task: ScheduledTask, what: str, stack: tuple[Site, ...]) -> Finding:
        return self.found(
            f"What {task.name} wrote was never committed, and is lost since the close.",
            [("lost", what), *zip(("opened", "called from"), stack, strict=False)],
            task=task,
        )


def _is_meant(owner: SessionInfo | ConnectionInfo) -> bool:
    """Whether a commit was there and not reached, or a fixture decides what is kept."""
    return owner.commit_in_sight or owner.request is None


class PoisonedSession(DatabaseCheck):
    """A task uses a session on after an error, without a rollback."""

    code = "BG409"
    name = "poisoned-session"
    default: ClassVar[Default] = "E"
    summary = "A task used a session on after an error, without rolling it back first."
    way_out = (
        "Call session.rollback() where the error is caught, or give each unit of work a savepoint: "
        "`with session.begin_nested():`."
    )

    def __init__(self) -> None:
        self._pending: weakref.WeakKeyDictionary[ScheduledTask, str] = weakref.WeakKeyDictionary()

    def on_rollback_pending(self, event: RollbackPending) -> None:
        """Note that SQLAlchemy or the server has refused."""
        if event.task is not None:
            self._pending.setdefault(event.task, event.message)

    def on_session_rolled_back(self, event: SessionRolledBack) -> None:
        """A task that rolls back and goes on has dealt with it."""
        if event.task is not None:
            self._pending.pop(event.task, None)

    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Tell what was refused until the end, or what left the task."""
        task = event.task
        message = self._pending.pop(task, None)
        if event.error is not None:
            refused = filter(_is_refusal, related(event.error))
            message = next((str(error) for error in refused), message)
        if message is None or task.injected:
            return
        yield self.found(
            f"{task.name} used a session on after an error, without rolling it back.",
            [("refused", message.splitlines()[0])],
            task=task,
            covers=[task] if event.error is not None else [],
        )


def _is_refusal(error: BaseException) -> bool:
    return type(error).__name__ == "PendingRollbackError"
