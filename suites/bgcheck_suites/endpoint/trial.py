"""A trial: the app behind a client and under watch; the request is sent any number of times."""

import json
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from bgcheck import events
from bgcheck.checks.base import Finding
from bgcheck.checks.session import CheckSession
from bgcheck.config import Options
from bgcheck.instrument.postgresql import backend_of
from bgcheck.recorder.database import ConnectionInfo
from bgcheck.recorder.record import ScheduledTask, describe_function
from bgcheck.recording import record
from bgcheck.runner.clients.hangs import StillRunningError
from bgcheck_suites.events import Contradiction
from bgcheck_suites.marks import NotTestable

from .queued import AGAIN, Delivering, in_use, is_message
from .subject import RequestSpec, Subject, SubjectError, variant

VOLATILE_HEADERS = frozenset({b"date", b"content-length", b"etag", b"set-cookie"})
ORDINARY = ("BG401", "BG402")
"""What any trial watches: without a check the instruments of databases would be off."""

WAIT = 0.5
"""Seconds of real time that a task waits for the response of its request."""


@dataclass
class Sent:
    """One request that was sent, and all that came of it.

    Attributes:
        status: what the client got, None where there was no response.
        body: the content.
        headers: those that do not change by themselves.
        messages: what the app sent after its response was complete.
        tasks: what it scheduled, in order.
        error: what the app raised, to its server.
        logged: levels and messages that were logged meanwhile.
        writes: how many statements changed a table.
    """

    status: int | None = None
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    messages: tuple[str, ...] = ()
    tasks: list[ScheduledTask] = field(default_factory=list)
    error: BaseException | None = None
    logged: list[tuple[int, str]] = field(default_factory=list)
    writes: int = 0

    def facts(self) -> dict[str, object]:
        """Return what the client can tell of the response, by name."""
        found: dict[str, object] = {"status": self.status, "sent later": self.messages}
        found.update({f"header {name}": value for name, value in self.headers})
        try:
            found.update(flat(json.loads(self.body), "body"))
        except ValueError:
            found["body"] = self.body
        return found

    def names(self) -> list[str]:
        """Return the names of its tasks."""
        return [task.name for task in self.tasks]


def flat(value: Any, name: str) -> dict[str, object]:
    """Return the leaves of nested lists and dicts, by path.

    Example:
        >>> flat({"a": [1, 2]}, "body")
        {'body.a.length': 2, 'body.a.0': 1, 'body.a.1': 2}
    """
    if isinstance(value, dict):
        pairs: Sequence[tuple[object, Any]] = list(value.items())
    elif isinstance(value, (list, tuple)):
        pairs = [("length", len(value)), *enumerate(value)]
    else:
        return {name: value}
    return {k: v for key, one in pairs for k, v in flat(one, f"{name}.{key}").items()}


class Wire:
    """The app, with what it sends noted: a client hears of nothing after a complete response."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.later: list[str] = []
        self.endpoints: list[Any] = []
        self.error: BaseException | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Run the app."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        complete = False

        async def watched(message: Any) -> None:
            nonlocal complete
            if complete:
                self.later.append(str(message["type"]))
            complete = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.endpoints += filter(None, [scope.get("endpoint")])


class Witness:
    """Hears of everything that happens in a trial."""

    def __init__(self) -> None:
        self.pools: dict[int, Any] = {}
        self.engines: dict[int, Any] = {}
        self.backends: set[int] = set()
        self.writes = 0
        self.incomplete: list[ScheduledTask] = []
        self.on_scheduled: list[Callable[[ScheduledTask], object]] = []
        self.log: list[tuple[int, str]] = []

    def __call__(self, event: events.Event) -> None:
        """Take an event."""
        if isinstance(event, events.ConnectionTaken):
            self.pools.setdefault(id(event.pool), event.pool)
            self._note_backend(event.connection)
        elif isinstance(event, events.StatementStarted):
            self.writes += event.statement.written is not None
        elif isinstance(event, events.TaskScheduled):
            for judge in self.on_scheduled:
                judge(event.task)

    def _note_backend(self, connection: ConnectionInfo) -> None:
        """Note the process of a PostgreSQL server that serves a connection."""
        live = connection.live() if connection.live is not None else None
        if live is not None and connection.dialect == "postgresql":
            number = backend_of(live)
            if number is not None:
                self.backends.add(number)


class Trial:
    """The app behind a response-first client. Made by `trial`."""

    def __init__(self, subject: Subject, session: CheckSession) -> None:
        self.subject = subject
        self.deliveries = Delivering(subject.app, lambda: self.bgtasks)
        self.wire = Wire(self.deliveries if in_use() else subject.app)
        self.witness = Witness()
        self.session = session
        self.bgtasks: Any = None
        self.client: Any = None
        self.threads = frozenset(threading.enumerate())

    @property
    def functions(self) -> list[Any]:
        """The functions of the tasks so far, once each, in order."""
        return list({id(t.func): t.func for t in self.tasks()}.values())

    @property
    def messages(self) -> list[ScheduledTask]:
        """What the last request has sent to a queue."""
        return self.deliveries.last

    def tasks(self, since: int = 0) -> list[ScheduledTask]:
        """Return the tasks from a number on; a message is a task once it is delivered."""
        return [task for task in list(self.bgtasks)[since:] if not is_message(task)]

    def findings(self) -> list[Finding]:
        """Return what the checks found since the last call."""
        self.session.engine.settle()
        return self.session.engine.current.take_findings()

    def begin(self, request: RequestSpec | None = None) -> Sent:
        """Send the request; return when the response is there, with its tasks pending."""
        request = self._prepared(request)
        sent, number = Sent(), len(self.bgtasks)
        with _deadline(self.subject, f"{request.line} was not answered"):
            try:
                response = self.client.request(request.method, request.url, **request.options())
                sent.status, sent.body = response.status_code, response.content
                sent.headers = tuple(sorted(_stable(response.headers.raw)))
            except StillRunningError:
                raise
            except Exception as error:  # the app broke off without a response
                sent.error = error
        sent.tasks = self.tasks(number)
        return sent

    def deliver_again(self) -> Sent:
        """Deliver the messages of the last request once more."""
        return self.send(RequestSpec(f"POST {AGAIN}"))

    def _prepared(self, request: RequestSpec | None) -> RequestSpec:
        """Have the adopter prepare a request, which may be another each time."""
        given = self.subject.prepare()
        if request is not None or given is None:
            return request or self.subject.request
        try:
            return variant(self.subject.request, given, "prepare()")
        except SubjectError as error:
            raise NotTestable(str(error)) from None

    def send(self, request: RequestSpec | None = None) -> Sent:
        """Send the request, and wait until its tasks are over."""
        self.wire.later.clear()
        self.wire.error = None
        number, logs, writes = len(self.bgtasks), len(self.witness.log), self.witness.writes
        sent = self.begin(request)
        self.drain()
        sent.tasks = self.tasks(number)
        sent.error = sent.error or self.wire.error
        sent.messages = tuple(self.wire.later)
        sent.logged = self.witness.log[logs:]
        sent.writes = self.witness.writes - writes
        return sent

    def drain(self) -> None:
        """Wait until the tasks of all requests are over."""
        with _deadline(self.subject, "The tasks of the request did not end"):
            self.client.drain(self.subject.timeout)

    def discover(self) -> Sent:
        """Send the request as it is, and require that it schedules tasks.

        Raises NotTestable where it does not, or schedules others than the adopter expects.
        """
        sent = self.send()
        line, expected = self.subject.request.line, self.subject.tasks
        if sent.status is None or sent.status >= 500 or not sent.tasks:
            raise NotTestable(f"{line} {_unusable(sent)}")
        failed = [task for task in sent.tasks if task.error is not None]
        if self.messages and failed:
            raise NotTestable(
                f"{failed[0].name} fails with no more than its message: {failed[0].error!r}. Give "
                "a request whose message can be worked off."
            )
        if expected is not None and sent.names() != list(expected):
            raise NotTestable(
                f"{line} scheduled {', '.join(sent.names())}, and `tasks` expects "
                f"{', '.join(expected) or 'none'}"
            )
        return sent

    def discover_twice(self) -> tuple[Sent, Sent]:
        """Send the request as it is, twice, for what is compared with other times.

        Raises NotTestable where it does not schedule the same tasks again: no fault would reach
        those that are missing.
        """
        first, second = self.discover(), self.send()
        missing = set(first.names()) - set(second.names())
        if missing:
            raise NotTestable(
                f"{self.subject.request.line} schedules {', '.join(sorted(missing))} the first "
                f"time only; the second time it was answered {second.status}. Have `prepare` "
                "return another request each time, or undo what the last one did."
            )
        return first, second


def _unusable(sent: Sent) -> str:
    """Write why nothing can be verified by a request, and what to give instead."""
    answer = f"was answered {sent.status}" if sent.status else "was not answered"
    if sent.error is not None:
        answer += f", and the app raised {type(sent.error).__name__}: {sent.error}"
        return f"{answer}. Give a request that the app can serve, or mend the app."
    body = f"The body: {sent.body[:200].decode('utf-8', 'replace')}"
    if sent.status is None or sent.status >= 400:
        return f"{answer}. Give one that is accepted, with its body and headers. {body}"
    return f"{answer}, and scheduled no task. Give one that schedules tasks. {body}"


def _stable(headers: Any) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        if name.lower() not in VOLATILE_HEADERS:
            yield name.lower().decode("latin-1"), value.decode("latin-1")


@contextmanager
def _deadline(subject: Subject, fact: str) -> Iterator[None]:
    try:
        yield
    except StillRunningError as error:
        raise Contradiction(
            f"{fact} within {subject.timeout:g} s.", *str(error).splitlines()[:8]
        ) from None


@contextmanager
def trial(subject: Subject, *codes: str) -> Iterator[Trial]:
    """Start the app under watch for a block, where sleeping takes no time.

    Args:
        subject: the app and its request.
        codes: the checks that are on, besides those that any trial needs.
    """
    # Not a global of this module: through it, an argument would be in sight of a user's module.
    from bgcheck.instrument.hub import hub

    session = CheckSession(Options(select=(*ORDINARY, *codes)), os.getcwd())
    made = Trial(subject, session)
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        stack.enter_context(session.instruments())
        stack.enter_context(hub.connected(session.engine))
        session.engine.start_test("contract")
        stack.callback(session.engine.finish_test)
        stack.enter_context(hub.connected(made.witness))
        made.bgtasks = stack.enter_context(record())
        made.bgtasks.runner.response_limit = WAIT
        stack.enter_context(_noting_logs(made.witness.log))
        stack.enter_context(made.bgtasks.virtual_time())
        made.client = stack.enter_context(_started(made))
        stack.callback(_let_go, made)
        yield made


@contextmanager
def _started(made: Trial) -> Iterator[Any]:
    """Start the app behind its client.

    Raises NotTestable where its lifespan fails.
    """
    client = made.bgtasks.client(
        made.wire,
        raise_server_exceptions=False,
        follow_redirects=False,
        leave_timeout=made.subject.timeout,
        backend=made.subject.backend,
    )
    with ExitStack() as stack:
        try:
            started = stack.enter_context(client)
        except Exception as error:
            raise NotTestable(f"The app does not start: {type(error).__name__}: {error}") from error
        yield started


@contextmanager
def _quiet() -> Iterator[None]:
    """Let nobody be warned of what the faults leave open; BGC-END-01 has a check for that."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed", ResourceWarning)
        yield


def _let_go(made: Trial) -> None:
    """Close what an event loop owns, before it ends: another trial has another loop."""
    from .state import dispose_async

    dispose_async(made)
    made.witness.pools.clear()
    made.witness.engines.clear()


@contextmanager
def _noting_logs(log: list[tuple[int, str]]) -> Iterator[None]:
    """Note every record that any logger makes."""
    factory = logging.getLogRecordFactory()

    def noting(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made: logging.LogRecord = factory(*args, **kwargs)
        if not made.name.startswith("bgcheck."):
            log.append((made.levelno, f"{made.levelname} {made.name}: {made.msg}"))
        return made

    logging.setLogRecordFactory(noting)
    try:
        yield
    finally:
        logging.setLogRecordFactory(factory)


def place(task: ScheduledTask) -> str:
    """Write a task with the line that scheduled it."""
    where = f", scheduled at {task.site}" if task.site is not None else ""
    return f"{task.name}({task.params.describe()}){where}"


def name_of(function: Any) -> str:
    """Name a task's function."""
    return describe_function(function)
