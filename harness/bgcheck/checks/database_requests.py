"""BG4: the request's transaction, and the test's overrides."""

from __future__ import annotations

import sys
import weakref
from collections import defaultdict
from typing import TYPE_CHECKING, Any, ClassVar

from bgcheck.checks.base import Check, Finding
from bgcheck.checks.database_base import Connections, DatabaseCheck
from bgcheck.checks.database_connections import opened
from bgcheck.checks.engines import engines_of
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import (
        ConnectionTaken,
        RequestFinished,
        SessionFinished,
        StatementStarted,
        TestFinished,
        TestStarted,
        TransactionEnded,
    )
    from bgcheck.recorder.database import ConnectionInfo, Statement
    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.recorder.request import RequestInfo


class TaskBeforeCommit(DatabaseCheck):
    """The request's transaction is still open while its tasks run, and that matters."""

    code = "BG410"
    name = "task-before-commit"
    default: ClassVar[Default] = "E"
    summary = (
        "A task needs what its request commits only after the tasks, or its failure rolls back "
        "what the client was told is stored."
    )
    way_out = "Commit in the endpoint, before the response, instead of after `yield`."

    def __init__(self) -> None:
        self._connections = Connections()
        self._early: defaultdict[
            ConnectionInfo, list[tuple[ScheduledTask, Statement, Statement]]
        ] = defaultdict(list)
        self._read: defaultdict[RequestInfo, list[tuple[ScheduledTask, Statement]]] = defaultdict(
            list
        )

    def on_connection_taken(self, event: ConnectionTaken) -> None:
        """Note what the request takes for itself."""
        if event.task is None:
            self._connections.add(event.connection)

    def on_statement_started(self, event: StatementStarted) -> None:
        """Note what a task looks for by another connection than the request's."""
        task, request = event.task, event.request
        if task is None or request is None or request.finished:
            return
        mine = [one for one in self._connections.of(request) if one.made_in_request]
        if event.connection in mine:
            return
        self._read[request].append((task, event.statement))
        for connection in mine:
            if _place(connection) == _place(event.connection):
                self._note_early(connection, task, event.statement)

    def _note_early(
        self, connection: ConnectionInfo, task: ScheduledTask, statement: Statement
    ) -> None:
        for write, writer in connection.writes:
            if writer is None and statement.needs(write, earlier=True):
                self._early[connection].append((task, statement, write))
                return

    def on_transaction_ended(self, event: TransactionEnded) -> Iterator[Finding]:
        """Judge when the request's own transaction ends after tasks."""
        connection, request = event.connection, event.connection.request
        if event.task is not None or request is None or not connection.made_in_request:
            return
        if connection not in self._connections.of(request):
            return
        writes = [write for write, writer in event.writes if writer is None]
        early = self._early.pop(connection, [])
        if event.how == "commit":
            yield from self._committed(connection, early, writes)
        elif writes:
            yield from self._rolled_back(connection, request, writes)

    def _committed(
        self,
        connection: ConnectionInfo,
        early: list[tuple[ScheduledTask, Statement, Statement]],
        writes: list[Statement],
    ) -> Iterator[Finding]:
        request = connection.request
        found = {task: (statement, write) for task, statement, write in reversed(early)}
        for task, statement in self._read.get(request, ()) if request is not None else ():
            for write in writes:
                if write.inserts and statement.needs(write, earlier=False):
                    found.setdefault(task, (statement, write))
        connection.explained = bool(found)
        for task, (statement, write) in found.items():
            yield self.found(
                f"{task.name} looks for what its request commits only after the tasks.",
                [
                    ("task sends", statement.sql),
                    ("not committed yet", write.sql),
                    *opened(connection),
                ],
                task=task,
                covers=[task],
            )

    def _rolled_back(
        self, connection: ConnectionInfo, request: RequestInfo, writes: list[Statement]
    ) -> Iterator[Finding]:
        """A client that has seen a success was told that this is stored."""
        status = request.response_status
        if status is None or status >= 400 or not request.response_complete:
            return
        for task in request.tasks:
            if task.outcome == "failed" and not task.injected:
                connection.explained = True
                yield self.found(
                    f"{task.name} failed, and that rolled back what the client was told is stored.",
                    [
                        ("client saw", str(status)),
                        ("rolled back", writes[0].sql),
                        *opened(connection),
                    ],
                    task=task,
                )

    def on_request_finished(self, event: RequestFinished) -> None:
        """Forget the request."""
        for connection in self._connections.pop(event.request):
            self._early.pop(connection, None)
        self._read.pop(event.request, None)


def _place(connection: ConnectionInfo) -> str:
    """The database of a connection, whatever the driver."""
    return connection.url.partition("://")[2]


class OverrideBypassed(DatabaseCheck):
    """A task uses the engine that an override of the test was to replace."""

    code = "BG412"
    name = "override-bypassed"
    default: ClassVar[Default] = "W"
    summary = "A task uses the application's engine, which the test's dependency override replaces."
    way_out = (
        "Take the session factory of the task from the same place as the dependency, and replace "
        "it there; or hand the task a factory that a dependency gives."
    )

    def __init__(self) -> None:
        self._told: weakref.WeakSet[ScheduledTask] = weakref.WeakSet()

    def on_connection_taken(self, event: ConnectionTaken) -> Iterator[Finding]:
        """Ask each override whose engine this is."""
        task, scope = event.task, event.request.scope if event.request is not None else None
        overrides = getattr((scope or {}).get("app"), "dependency_overrides", None)
        if task is None or task in self._told or not isinstance(overrides, dict):
            return
        for dependency, override in list(overrides.items()):
            given = engines_of(override)
            if not given or event.pool in given.pools or event.connection.url in given.urls:
                continue
            if event.pool in engines_of(dependency).pools:
                self._told.add(task)
                yield self.found(
                    f"{task.name} uses the engine of {_name(dependency)}, which the test has "
                    f"overridden by {_name(override)}.",
                    [
                        ("override gives", ", ".join(sorted(given.urls)) or "another engine"),
                        ("task uses", event.connection.url),
                        *opened(event.connection)[1:],
                    ],
                    task=task,
                )
                return


def _name(function: Any) -> str:
    name = str(getattr(function, "__qualname__", type(function).__qualname__))
    return name.rpartition("<locals>.")[2]


class OverrideLeftBehind(Check):
    """A test leaves entries in `dependency_overrides`."""

    code = "BG413"
    name = "override-left-behind"
    default: ClassVar[Default] = "W"
    summary = "A test has put an entry into dependency_overrides, and nobody took it out again."
    way_out = "Set overrides in a fixture, and take them out after its `yield`."

    def __init__(self) -> None:
        self._apps: weakref.WeakSet[Any] = weakref.WeakSet()
        self._before: weakref.WeakKeyDictionary[Any, dict[int, int]] = weakref.WeakKeyDictionary()
        self._left: weakref.WeakKeyDictionary[Any, dict[int, tuple[str, str]]] = (
            weakref.WeakKeyDictionary()
        )
        self._modules = 0

    def on_test_started(self, event: TestStarted) -> None:
        """Note what is in the overrides of every application."""
        self._look_around()
        for app in self._apps:
            self._before[app] = _overrides(app)

    def _look_around(self) -> None:
        """Find the applications that modules of the user's hold."""
        modules = list(sys.modules.values())
        if len(modules) == self._modules:
            return
        self._modules = len(modules)
        for module in modules:
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and is_user_file(file):
                self._apps.update(filter(_is_app, list(vars(module).values())))

    def on_test_finished(self, event: TestFinished) -> None:
        """Note what came in since, and forget what somebody took out."""
        for app in self._apps:
            before, now = self._before.get(app), _overrides(app)
            left = self._left.setdefault(app, {})
            for key in [key for key in left if key not in now]:
                del left[key]
            for dependency in list(app.dependency_overrides):
                key = id(dependency)
                if before is not None and before.get(key) != now.get(key):
                    left.setdefault(key, (event.test, _name(dependency)))

    def on_session_finished(self, event: SessionFinished) -> Iterator[Finding]:
        """Tell what is there when every fixture is over."""
        for app, left in list(self._left.items()):
            now = _overrides(app)
            for key, (test, dependency) in left.items():
                if key in now:
                    yield self.found(
                        f"dependency_overrides[{dependency}] was set by a test and is still there "
                        "after the last one.",
                        [("set in", test)],
                    )


def _is_app(value: object) -> bool:
    kind = type(value)
    return isinstance(getattr(kind, "__mro__", None), tuple) and any(
        base.__name__ == "FastAPI" and base.__module__ == "fastapi.applications"
        for base in kind.__mro__
    )


def _overrides(app: Any) -> dict[int, int]:
    return {id(key): id(value) for key, value in list(app.dependency_overrides.items())}
