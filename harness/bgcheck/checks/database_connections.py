"""BG4: connections."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, ClassVar

from bgcheck.checks.base import unless_plain
from bgcheck.checks.database_base import Connections, DatabaseCheck, Evidence
from bgcheck.recorder.failure import related, type_name
from bgcheck.recorder.loops import current_asyncio_task, loop_number
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default, Finding
    from bgcheck.events import (
        ConnectionTaken,
        PoolExhausted,
        RequestFinished,
        RequestStarted,
        TaskFinished,
        TaskStarted,
        TestFinished,
    )
    from bgcheck.recorder.database import ConnectionInfo
    from bgcheck.recorder.record import ScheduledTask, Site
    from bgcheck.recorder.request import RequestInfo


def opened(connection: ConnectionInfo) -> list[Evidence]:
    """Write where a connection comes from as evidence."""
    lines: list[Evidence] = [("database", connection.url)]
    session = connection.session
    if session is not None:
        lines += session.evidence("session opened")
    if session is None or connection.stack != session.stack:
        lines += connection.evidence("connection taken")[:2]
    return lines


class ConnectionLeak(DatabaseCheck):
    """A connection is still taken when the request and its tasks are over."""

    code = "BG401"
    name = "connection-leak"
    default: ClassVar[Default] = "E"
    summary = "A connection is still taken from its pool when the request and its tasks are over."
    way_out = (
        "Close what was opened: `with Session() as session:` or `with engine.connect() as "
        "connection:`, in the function that opens it."
    )

    def __init__(self) -> None:
        self._connections = Connections()
        self._postponed: list[ConnectionInfo] = []

    def on_connection_taken(self, event: ConnectionTaken) -> None:
        """Note what the request takes. What was opened outside of any request is not its own."""
        self._connections.add(event.connection)

    def on_request_finished(self, event: RequestFinished) -> Iterator[Finding]:
        """Judge what is left open, but for what a child that still runs has opened."""
        for connection in self._connections.pop(event.request):
            if _has_running_owner(connection):
                self._postponed.append(connection)
            elif _is_leaked(connection):
                yield self._finding(connection)

    def on_test_finished(self, event: TestFinished) -> Iterator[Finding]:
        """Judge what the children have left open."""
        postponed, self._postponed = self._postponed, []
        for connection in postponed:
            if _is_leaked(connection) and not _has_running_owner(connection):
                yield self._finding(connection)

    def _finding(self, connection: ConnectionInfo) -> Finding:
        what = "session" if connection.session is not None else "connection"
        return self.found(
            f"A {what} was never closed: its connection to {connection.dialect} is still taken "
            "when the request and its tasks are over.",
            opened(connection),
            task=connection.task,
            request=connection.request,
            site=connection.task.site if connection.task else _site(connection),
        )


def _site(connection: ConnectionInfo) -> Site | None:
    stack = (connection.session or connection).stack or connection.stack
    return stack[0] if stack else None


def _is_leaked(connection: ConnectionInfo) -> bool:
    """Whether nobody has returned a connection that a request has opened for itself.

    The garbage collector returns the connection of a session some time later, which is no better.
    A bare connection that has sent something is collected late as well, and an async one is lost;
    others go with their last reference. One that a module keeps by a name is the application's own.
    """
    if connection.returned or not connection.made_in_request:
        return False
    if connection.session is not None:
        return not connection.session.explained
    live = connection.live() if connection.live is not None else None
    if live is None:
        return connection.is_async or connection.statements > 0
    return not _has_name(live)


def _has_name(live: object) -> bool:
    """Whether a global name of a user's module is this connection."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not is_user_file(file):
            continue
        for value in list(vars(module).values()):
            if type(value).__module__.startswith("sqlalchemy.") and _holds(value, live):
                return True
    return False


def _holds(value: object, live: object, depth: int = 4) -> bool:
    if value is live:
        return True
    if depth == 0 or isinstance(value, type):
        return False
    return any(_holds(inner, live, depth - 1) for inner in gc.get_referents(value))


def _has_running_owner(connection: ConnectionInfo) -> bool:
    """Whether another asyncio task than this one has taken it, and goes on."""
    reference, here = connection.asyncio_task, current_asyncio_task()
    owner = reference() if reference is not None else None
    return owner is not None and not owner.done() and (here is None or owner is not here())


class ConnectionHeld(DatabaseCheck):
    """The connection of the request is held all through a task that does not use it."""

    code = "BG405"
    name = "connection-held"
    default: ClassVar[Default] = "W"
    summary = "The request's connection is held all through a task that does not use it."
    way_out = (
        "Commit or close before the response, so that the connection is back in its pool while "
        "the task runs."
    )

    def __init__(self) -> None:
        self._connections = Connections()
        self._held: dict[ScheduledTask, list[tuple[ConnectionInfo, int]]] = {}
        self._idle: dict[ConnectionInfo, list[ScheduledTask]] = {}

    def on_connection_taken(self, event: ConnectionTaken) -> None:
        """Note what the request takes before its tasks."""
        if event.task is None:
            self._connections.add(event.connection)

    def on_task_started(self, event: TaskStarted) -> None:
        """Note what the task finds open."""
        taken = self._connections.of(event.task.request)
        held = [(one, one.statements) for one in taken if one.is_open and one.made_in_request]
        if held:
            self._held[event.task] = held

    def on_task_finished(self, event: TaskFinished) -> None:
        """Note what it did not use; forget the idle time of what it did."""
        for connection, statements in self._held.pop(event.task, ()):
            if connection.statements != statements:
                self._idle.pop(connection, None)
            elif connection.is_open:
                self._idle.setdefault(connection, []).append(event.task)

    def on_request_finished(self, event: RequestFinished) -> Iterator[Finding]:
        """Tell what was idle until the end; what is open even now is a leak instead."""
        for connection in self._connections.pop(event.request):
            for task in self._idle.pop(connection, ()):
                if connection.returned and not connection.explained:
                    yield self.found(
                        f"The request's connection was held all through {task.name}, which does "
                        "not use it.",
                        opened(connection),
                        task=task,
                    )


class PoolExhaustedByRequest(DatabaseCheck):
    """A task waits for a connection, and its own request holds one of the pool."""

    code = "BG407"
    name = "pool-exhausted"
    default: ClassVar[Default] = "W"
    summary = "A task waits for a connection while its own request holds the pool's last ones."
    way_out = (
        "Commit or close the request's session before the response; hand the task ids, and let it "
        "open a session of its own then."
    )

    def __init__(self) -> None:
        self._connections = Connections()

    def on_connection_taken(self, event: ConnectionTaken) -> None:
        """Note what the request takes."""
        self._connections.add(event.connection)

    def on_request_finished(self, event: RequestFinished) -> None:
        """Forget it."""
        self._connections.pop(event.request)

    def on_pool_exhausted(self, event: PoolExhausted) -> Iterator[Finding]:
        """Look for the request's own connections among those that are taken."""
        task = event.task
        if task is None:
            return
        for connection in self._connections.of(event.request):
            if connection.pool == event.pool and connection.is_open:
                connection.explained = True
                yield self.found(
                    f"{task.name} waits for a connection that its own request holds.",
                    [
                        ("pool", event.status),
                        *zip(("task waits", "called from"), event.stack, strict=False),
                        *opened(connection),
                    ],
                    task=task,
                    covers=[task],
                )
                return


class ConnectionOfOtherLoop(DatabaseCheck):
    """An async engine is used on another event loop than the one its connections live on."""

    code = "BG411"
    name = "connection-of-other-loop"
    default: ClassVar[Default] = "E"
    summary = "A task uses an async engine or connection on another event loop than the app does."
    way_out = (
        "Await in an `async def` task, on the loop of the app; a loop of its own needs an engine "
        "of its own, or poolclass=NullPool."
    )

    def __init__(self) -> None:
        self._loops: dict[RequestInfo, int | None] = {}
        self._told: set[ScheduledTask] = set()

    def on_request_started(self, event: RequestStarted) -> None:
        """Note the loop that serves the request."""
        self._loops[event.request] = loop_number()

    def on_request_finished(self, event: RequestFinished) -> None:
        """Forget it."""
        self._loops.pop(event.request, None)
        self._told.difference_update(event.request.tasks)

    def on_connection_taken(self, event: ConnectionTaken) -> Iterator[Finding]:
        """Compare the loops of the connection and of its pool with the one that runs here."""
        task, connection = event.task, event.connection
        if task is None or task.request is None or not connection.is_async:
            return
        if task in self._told or connection.loop in (None, self._loops.get(task.request)):
            return
        others = connection.pool_loops - {connection.loop}
        if connection.born_on == connection.loop and not others:
            return
        self._told.add(task)
        yield self.found(
            f"{task.name} uses an async engine on an event loop of its own, which other loops use "
            "as well.",
            opened(connection),
            task=task,
            covers=[task],
        )

    @unless_plain
    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Look for the error that drivers raise."""
        task = event.task
        if event.error is None or task in self._told or "sqlalchemy" not in sys.modules:
            return
        for error in related(event.error):
            if _is_about_loops(error) and _passed_sqlalchemy(error):
                yield self.found(
                    f"{task.name} failed, because a connection belongs to another event loop.",
                    [("error", f"{type_name(type(error))}: {error}")],
                    task=task,
                    covers=[task],
                )
                return


def _is_about_loops(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "attached to a different loop" in text or "bound to a different event loop" in text
    )


def _passed_sqlalchemy(error: BaseException) -> bool:
    entry = error.__traceback__
    while entry is not None:
        if str(entry.tb_frame.f_globals.get("__name__")).startswith("sqlalchemy."):
            return True
        entry = entry.tb_next
    return False
