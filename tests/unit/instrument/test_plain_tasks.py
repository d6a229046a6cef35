"""`bgcheck.instrument.plain_tasks`: the short way tells the same, and no fault gets lost on it."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from starlette.background import BackgroundTask
from starlette.responses import Response

from bgcheck.checks.base import Finding
from bgcheck.checks.session import CheckSession
from bgcheck.config import Options
from bgcheck.instrument import exceptions, plain_tasks, tasks
from bgcheck.instrument.hub import hub
from bgcheck.instrument.install import install, uninstall
from bgcheck.recorder.record import ScheduledTask
from support.clients import asgi

ran: list[object] = []
send = asgi


async def note(value: object, kind: str) -> None:
    """A plain task that gets an argument by name."""
    ran.append(value)


async def keep(value: object, kind: str | None = None) -> None:
    """A plain task."""
    ran.append(value)


def keep_in_thread(value: object, kind: str | None = None) -> None:
    """A plain task in a worker thread."""
    ran.append(value)


async def later(value: object, kind: str | None = None) -> None:
    """A plain task that gives way."""
    await asyncio.sleep(0)
    ran.append(value)


async def log_in(user: str, password: str) -> None:
    """A task whose parameter says that it is a secret."""


async def fail(value: object, kind: str | None = None) -> None:
    """A task that fails."""
    raise ValueError(value)


async def block(value: object, kind: str | None = None) -> None:
    """A task that blocks its loop, by a call that virtual time does not see."""
    time.sleep(0.001)  # noqa: ASYNC251


children: list[asyncio.Task[None]] = []


async def swallow() -> None:
    """Lets an exception go after its parent is over."""
    await asyncio.sleep(0)
    try:
        raise KeyError("swallowed")
    except KeyError:
        pass


async def start(value: object) -> None:
    """A task that leaves an asyncio task behind."""
    children.append(asyncio.create_task(swallow()))


class Checks:
    """The checks as the only ones that watch, one test long."""

    def __init__(self) -> None:
        self.session = CheckSession(Options(), "/")
        self.seen: list[ScheduledTask] = []
        self.lines: list[dict[str, Any]] = []

    def call(self, app: FastAPI, *paths: str) -> list[Finding]:
        """Send requests one after the other in a test, and return what was found."""
        engine = self.session.engine
        hub.restart()
        engine.start_test("test")
        run = engine.current
        for path in paths:
            with suppress(ValueError, TypeError):  # that of a task
                asyncio.run(send(app, "POST", path))
        engine.finish_test()
        self.seen = run.take_tasks()
        self.lines = [self.session.task_line(task, "test") for task in self.seen]
        return run.take_findings()


@pytest.fixture
def checks() -> Iterator[Checks]:
    """The checks alone: neither those of this session nor a recording."""
    others = hub.sinks
    made = Checks()
    install()
    hub._connect(())
    try:
        with made.session.instruments(), hub.connected(made.session.engine):
            yield made
    finally:
        hub._connect(others)
        uninstall()
        ran.clear()


def app_with(func: Callable[..., Any]) -> FastAPI:
    app = FastAPI()

    @app.post("/{value}")
    async def schedule(value: int, background: BackgroundTasks) -> None:
        background.add_task(func, value)
        background.add_task(note, str(value), kind="b")

    return app


FACTS = (
    *("name", "shape", "site", "outcome", "runs", "thread", "kinds", "reason", "parent"),
    *("unstarted", "response_status", "finished", "call"),
)


@pytest.mark.parametrize(
    "func", [keep, keep_in_thread, later, fail], ids=lambda func: func.__name__
)
def test_the_short_way_tells_the_same(checks: Checks, func: Callable[..., Any]) -> None:
    findings = checks.call(app_with(func), "/1", "/1", "/1")
    first, second, third = zip(checks.seen[::2], checks.seen[1::2], strict=True)
    for one, other in (*zip(first, second, strict=True), *zip(first, third, strict=True)):
        for fact in FACTS:
            assert str(getattr(other, fact)) == str(getattr(one, fact)), fact
        assert str(other.failure) == str(one.failure)
        assert (other.thread_name is None) == (other.duration is None) == (other.runs == 0)
        assert other.request is not None
        assert other.request.route == "/{value}"
        assert other.request.patterns == {"async-endpoint"}
    assert [task.number for task in checks.seen] == [1, 2, 3, 4, 5, 6]
    assert [task.request.number for task in checks.seen if task.request] == [1, 1, 2, 2, 3, 3]
    assert len({str(line) for line in checks.lines}) == 2
    codes = [finding.code for finding in findings]
    assert codes == (["BG202"] * 3 if func is fail else [])


def test_what_goes_the_short_way(checks: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    long: list[str] = []
    learn = plain_tasks.learn

    def noted(live: Any, task: ScheduledTask) -> None:
        long.append(task.name)
        learn(live, task)

    monkeypatch.setattr(plain_tasks, "learn", noted)
    checks.call(app_with(later), "/1", "/2", "/3")
    assert long == ["later", "note"]
    assert all(task.plain for task in checks.seen)


OTHER_CALLS: dict[str, Any] = {
    "a list": ([],),
    "an object": (object(),),
    "another number of arguments": (1, None),
    "too many arguments": (1, None, 3),
}


@pytest.mark.parametrize("args", OTHER_CALLS.values(), ids=OTHER_CALLS)
def test_another_call_of_the_same_line(checks: Checks, args: tuple[Any, ...]) -> None:
    app, calls = FastAPI(), iter([(1,), args, (2,)])

    @app.post("/")
    async def schedule(background: BackgroundTasks) -> None:
        background.add_task(keep, *next(calls))

    checks.call(app, "/", "/", "/")
    assert [task.plain for task in checks.seen] == [True, args == (1, None), True]


def test_another_function_of_the_same_line(checks: Checks) -> None:
    app, funcs = FastAPI(), iter([keep, later, keep, functools.partial(keep, 5)])

    @app.post("/")
    async def schedule(background: BackgroundTasks) -> None:
        func: Any = next(funcs)
        background.add_task(func, *(() if isinstance(func, functools.partial) else (1,)))

    checks.call(app, "/", "/", "/", "/")
    assert [task.name for task in checks.seen] == ["keep", "later", "keep", "keep"]
    assert [task.shape for task in checks.seen][-1] == ("async-task", "partial")
    assert ran == [1, 1, 1, 5]


def test_what_happens_in_a_task_makes_it_an_ordinary_one(checks: Checks) -> None:
    findings = checks.call(app_with(block), "/1", "/2")
    assert [(finding.code, finding.func) for finding in findings] == [("BG501", "block")] * 2
    assert [task.plain for task in checks.seen] == [False] * 4


@pytest.mark.skipif(sys.version_info < (3, 12), reason="it needs sys.monitoring")
def test_exceptions_are_seen_until_the_next_recording_where_something_was_started(
    checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.collect()  # a run that another test has given up counts until it is gone
    monkeypatch.setattr(exceptions._listening, "running", 0)
    app, handled = FastAPI(), list[str]()
    monkeypatch.setattr(exceptions, "_look", lambda *about: handled.append(repr(about[-1])))

    @app.post("/")
    async def schedule(background: BackgroundTasks) -> None:
        background.add_task(start, 1)

    @app.post("/raise")
    async def swallow_as_well() -> None:
        with suppress(ValueError):
            raise ValueError

    async def with_children(app: FastAPI, method: str, path: str) -> None:
        await asgi(app, method, path)
        await asyncio.gather(*children)

    monkeypatch.setitem(globals(), "send", with_children)
    assert [finding.code for finding in checks.call(app, "/")] == ["BG511"]
    assert handled == ["KeyError('swallowed')"]
    children.clear()
    calls: list[object] = []
    monkeypatch.setattr(exceptions._listening, "call", calls.append)
    checks.call(app, "/raise")
    assert calls == [None]


def test_the_same_function_twice_in_a_request(checks: Checks) -> None:
    findings = checks.call(app_with(keep), "/1", "/1")
    assert findings == []
    app = FastAPI()

    @app.post("/")
    async def schedule(background: BackgroundTasks) -> None:
        for _ in range(2):
            background.add_task(keep, 1)

    assert [finding.code for finding in checks.call(app, "/", "/")] == ["BG105", "BG105"]


def test_a_secret_is_watched_in_every_request(
    checks: Checks, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()

    @app.post("/{number}")
    async def schedule(number: int, background: BackgroundTasks) -> None:
        background.add_task(log_in, "me", f"open sesame {number}")
        logging.getLogger().warning("open sesame %s", number)

    assert [finding.code for finding in checks.call(app, "/1", "/2")] == ["BG312"] * 2


@pytest.mark.parametrize("together", [True, False])
def test_a_task_object_that_runs_twice(checks: Checks, together: bool) -> None:
    app, made = FastAPI(), list[BackgroundTasks]()

    @app.post("/")
    async def schedule(background: BackgroundTasks) -> Response:
        background.add_task(later, 1)
        if together:
            task = background.tasks[0]

            async def both() -> None:
                await asyncio.gather(task(), task())

            return Response(background=BackgroundTask(both))
        made.append(background)
        return Response(background=made[0])

    findings = checks.call(app, "/", "/")
    assert "BG104" in [finding.code for finding in findings]


def test_a_task_that_is_lost(checks: Checks) -> None:
    app = FastAPI()

    @app.post("/{number}")
    async def schedule(number: int, background: BackgroundTasks) -> Response:
        background.add_task(keep, number)
        if number == 2:
            background.tasks.clear()
        return Response(background=background)

    assert [finding.code for finding in checks.call(app, "/1", "/2", "/3")] == ["BG103"]
    assert [task.outcome for task in checks.seen] == ["succeeded", "lost", "succeeded"]


def test_the_groups_of_a_request_are_told_apart(checks: Checks) -> None:
    app = FastAPI()

    @app.post("/")
    async def schedule(background: BackgroundTasks) -> Response:
        background.add_task(later, 1)
        mine = BackgroundTasks()
        mine.add_task(fail, 1)
        mine.add_task(keep, 1)
        return Response(background=mine)

    checks.call(app, "/", "/", "/")
    outcomes = [task.outcome for task in checks.seen]
    assert outcomes == ["lost", "failed", "skipped"] * 3


class Deferred(BackgroundTasks):
    """A group of user code that keeps its tasks to itself."""

    async def __call__(self) -> None:
        for task in self.tasks:
            await task.func(*task.args, **task.kwargs)


def test_a_group_of_user_code_on_the_same_line(
    checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = FastAPI()

    @app.post("/{kind}")
    async def schedule(kind: str) -> Response:
        group = Deferred() if kind == "mine" else BackgroundTasks()
        group.add_task(keep, 1)
        return Response(background=group)

    async def drop(group: Any) -> None:
        """What a test puts in the place of the real one."""

    assert checks.call(app, "/theirs", "/theirs", "/mine", "/theirs") == []
    assert [task.outcome for task in checks.seen] == ["succeeded"] * 3
    monkeypatch.setattr(Deferred, "__call__", drop)
    assert checks.call(app, "/theirs", "/mine", "/theirs") == []


@pytest.mark.parametrize("refused", ["http.response.body", None])
def test_a_response_that_the_server_did_not_take(checks: Checks, refused: str | None) -> None:
    app, lines = app_with(keep), list[tuple[str, str]]()

    async def refuse(message: dict[str, Any]) -> None:
        if message["type"] == refused:
            raise asyncio.CancelledError

    async def cancelled(app: FastAPI, method: str, path: str) -> None:
        with suppress(asyncio.CancelledError):
            await asgi(app, method, path, refuse)

    checks.call(app, "/1", "/2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "send", cancelled)
        checks.call(app, "/3")
    lines = [
        (task.outcome, str(task.request and task.request.response_complete)) for task in checks.seen
    ]
    assert lines == [("succeeded", "True") if refused is None else ("lost", "False")] * 2


def test_a_server_whose_send_raises_at_once(checks: Checks) -> None:
    calls: list[str] = []

    def refuse(message: dict[str, Any]) -> Any:
        calls.append(message["type"])
        raise ValueError("no connection")

    async def refused(app: FastAPI, method: str, path: str) -> None:
        await asgi(app, method, path, refuse)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "send", refused)
        checks.call(app_with(keep), "/1")
    assert calls == ["http.response.start"]
    assert not hub.errors


def test_another_sink_sees_every_event(checks: Checks) -> None:
    app, seen = app_with(keep_in_thread), list[str]()
    checks.call(app, "/1")
    with hub.connected(lambda event: seen.append(type(event).__name__)):
        checks.call(app, "/2")
    assert seen.count("TaskScheduled") == seen.count("TaskFinished") == 2
    assert hub.plain_sink is checks.session.engine


def test_nothing_is_kept_alive(checks: Checks) -> None:
    app, groups = FastAPI(), list[weakref.ref[Any]]()

    @app.post("/")
    async def schedule(background: BackgroundTasks) -> None:
        background.add_task(keep, 1)
        groups.extend(map(weakref.ref, (background, background.tasks[0])))

    checks.call(app, "/", "/")
    gc.collect()
    assert [group() for group in groups] == [None] * 4
    tasks.forget_plain()
    assert not any(task in tasks.plain_records.values() for task in checks.seen)


def test_a_thread_without_the_context_adds_to_a_group(checks: Checks) -> None:
    app = FastAPI()

    @app.post("/")
    async def schedule(background: BackgroundTasks) -> None:
        thread = threading.Thread(target=background.add_task, args=(keep, 1))
        thread.start()
        thread.join()

    checks.call(app, "/", "/")
    assert [task.request.number for task in checks.seen if task.request] == [1, 2]
