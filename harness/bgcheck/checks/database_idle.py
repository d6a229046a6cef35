"""BG4: a transaction that is open while its task waits for something else."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, ClassVar, Final

from bgcheck.checks.database_base import DatabaseCheck, Evidence
from bgcheck.checks.database_connections import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default, Finding
    from bgcheck.events import BlockingCall, StatementFinished, StatementStarted, TaskWaits
    from bgcheck.recorder.database import ConnectionInfo
    from bgcheck.recorder.record import ScheduledTask, Site

_THREADS: Final = ("threading.", "queue.", "Future.")
"""Waits for other threads."""


class IdleInTransaction(DatabaseCheck):
    """A transaction is open while its task waits for something else."""

    code = "BG406"
    name = "idle-in-transaction"
    default: ClassVar[Default] = "W"
    summary = "A transaction stays open while its task sleeps, or waits for another service."
    way_out = "Commit before the wait, and begin again after it."
    instruments: ClassVar[tuple[str, ...]] = ("sqlalchemy", "blocking", "task_waits")

    def __init__(self) -> None:
        self._used: weakref.WeakKeyDictionary[ScheduledTask, dict[ConnectionInfo, bool]] = (
            weakref.WeakKeyDictionary()
        )
        self._told: weakref.WeakSet[ScheduledTask] = weakref.WeakSet()

    def on_statement_started(self, event: StatementStarted) -> None:
        """Note which connections the task uses, and that one is under way."""
        if event.task is not None:
            self._used.setdefault(event.task, {})[event.connection] = True

    def on_statement_finished(self, event: StatementFinished) -> None:
        """Note that the answer has come."""
        if event.task is not None:
            self._used.setdefault(event.task, {})[event.connection] = False

    def on_blocking_call(self, event: BlockingCall) -> Iterator[Finding]:
        """Judge a wait of the thread. Another thread may well work for the same transaction."""
        if not event.database and not event.waits_in.startswith(_THREADS):
            yield from self._waits(event.task, event.call, event.line)

    def on_task_waits(self, event: TaskWaits) -> Iterator[Finding]:
        """Judge a wait of the coroutine, or for an HTTP request."""
        yield from self._waits(event.task, event.call, event.line)

    def _waits(self, task: ScheduledTask, call: str, line: Site | None) -> Iterator[Finding]:
        for connection, sends in list(self._used.get(task, {}).items()):
            if sends or not connection.is_open or not connection.in_transaction:
                continue
            if task in self._told:
                return
            evidence: list[Evidence] = [("waits for", call)]
            evidence += [("in", line)] if line is not None else []
            if connection.dialect == "postgresql":
                state = _server_state(connection)
                if state is not None and not state.startswith("idle in transaction"):
                    continue
                evidence.append(("server says", state or "nothing: no driver to ask it by"))
            self._told.add(task)
            yield self.found(
                f"{task.name} waits for {call} while its transaction is open.",
                [*evidence, *opened(connection)],
                task=task,
            )
            return


def _server_state(connection: ConnectionInfo) -> str | None:
    from bgcheck.instrument.sqlalchemy import server_state

    return server_state(connection)
