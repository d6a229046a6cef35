"""`bgcheck.instrument.tasks`: what became of each task, with error, status, thread and duration."""

import asyncio
import sys
import threading
from typing import Annotated, Any

import anyio
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from starlette.background import BackgroundTask
from starlette.background import BackgroundTasks as StarletteTasks
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.testclient import TestClient

from bgcheck.instrument.hub import hub
from support.apps import TaskError, answer, async_note, fail, fastapi_app, note, starlette_app
from support.clients import asgi, by_asgi

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


def outcomes(bgtasks: Any) -> list[str]:
    return [task.outcome for task in bgtasks]


def post(app: Any, path: str = "/items/1") -> int:
    return int(TestClient(app, raise_server_exceptions=False).post(path).status_code)


def test_succeeded(bgtasks: Any) -> None:
    assert post(fastapi_app(lambda tasks: tasks.add_task(note, 1))) == 200
    (task,) = bgtasks
    assert (task.outcome, task.error, task.reason) == ("succeeded", None, None)
    assert (task.response_status, task.runs) == (200, 1)


def test_failed_and_later_ones_skipped(bgtasks: Any) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(note)
        tasks.add_task(fail, "no mail server")
        tasks.add_task(note)
        tasks.add_task(async_note)

    assert post(fastapi_app(schedule)) == 200
    assert outcomes(bgtasks) == ["succeeded", "failed", "skipped", "skipped"]
    error = bgtasks[1].error
    assert isinstance(error, TaskError)
    assert str(error) == "no mail server"
    assert bgtasks[2].reason == "an earlier task of the same response did not succeed"
    assert [task.response_status for task in bgtasks] == [200, 200, 200, 200]
    assert bgtasks[2].duration is None


@pytest.mark.parametrize("error", [KeyError("x"), ExceptionGroup("several", [ValueError()])])
def test_the_very_error_is_kept(error: Exception, bgtasks: Any) -> None:
    def raise_it() -> None:
        raise error

    with pytest.raises(BaseException):  # noqa: B017 - anyio may put it into a group
        by_asgi(starlette_app(lambda: answer(raise_it)), "GET", "/")
    assert bgtasks[0].outcome == "failed"
    assert bgtasks[0].error is error


def test_a_nested_group_that_fails_skips_the_outer_one_too(bgtasks: Any) -> None:
    def respond() -> Response:
        inner = StarletteTasks([BackgroundTask(fail), BackgroundTask(note, "inner")])
        return Response(background=StarletteTasks([inner, BackgroundTask(note, "outer")]))

    with pytest.raises(TaskError):
        by_asgi(starlette_app(respond), "GET", "/")
    assert outcomes(bgtasks) == ["failed", "skipped", "skipped"]


def test_a_task_added_by_a_task_is_skipped_if_a_later_one_fails(bgtasks: Any) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        def add() -> None:
            tasks.add_task(note, "added")

        tasks.add_task(add)
        tasks.add_task(fail)

    post(fastapi_app(schedule))
    assert outcomes(bgtasks) == ["succeeded", "failed", "skipped"]


def test_cancelled_by_a_timeout_around_the_app(bgtasks: Any) -> None:
    async def main() -> None:
        started = anyio.Event()

        async def hang() -> None:
            started.set()
            await anyio.sleep_forever()

        app = fastapi_app(lambda tasks: (tasks.add_task(hang), tasks.add_task(note)))
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(asgi, app, "POST", "/items/1")
                await started.wait()
                scope.cancel()

    asyncio.run(main())
    assert outcomes(bgtasks) == ["cancelled", "skipped"]
    assert bgtasks[0].error is None
    assert bgtasks[0].duration is not None
    assert bgtasks[0].response_status == 200


def test_a_timeout_inside_the_task_is_a_failure(bgtasks: Any) -> None:
    async def slow() -> None:
        await asyncio.wait_for(asyncio.Event().wait(), timeout=0)

    post(fastapi_app(lambda tasks: tasks.add_task(slow)))
    assert outcomes(bgtasks) == ["failed"]


def test_cancelled_by_the_server(bgtasks: Any) -> None:
    async def main() -> None:
        started = asyncio.Event()

        async def hang() -> None:
            started.set()
            await asyncio.Event().wait()

        app = fastapi_app(lambda tasks: tasks.add_task(hang))
        call = asyncio.create_task(asgi(app, "POST", "/items/1"))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(main())
    assert outcomes(bgtasks) == ["cancelled"]


def raise_http(tasks: BackgroundTasks) -> None:
    tasks.add_task(note)
    raise HTTPException(409)


def raise_error(tasks: BackgroundTasks) -> None:
    tasks.add_task(note)
    raise TaskError


@pytest.mark.parametrize(
    ("schedule", "status", "reason"),
    [
        (raise_http, 409, "no response that was sent carried it"),
        (
            raise_error,
            500,
            "the request ended with support.apps.TaskError before its tasks could run",
        ),
    ],
)
def test_lost_when_the_endpoint_raises(
    schedule: Any, status: int, reason: str, bgtasks: Any
) -> None:
    assert post(fastapi_app(schedule)) == status
    (task,) = bgtasks
    assert (task.outcome, task.reason) == ("lost", reason)
    assert task.response_status == status
    assert (task.thread, task.duration) == (None, None)


def test_lost_when_the_response_has_a_background_of_its_own(bgtasks: Any) -> None:
    app = FastAPI()

    @app.post("/items/{item_id}")
    def endpoint(tasks: BackgroundTasks) -> Response:
        tasks.add_task(note, "injected")
        return answer(note, "own")

    post(app)
    assert [(task.params["values"][0], task.outcome) for task in bgtasks] == [
        ("injected", "lost"),
        ("own", "succeeded"),
    ]


def test_lost_when_an_error_handler_answers(bgtasks: Any) -> None:
    app = fastapi_app(raise_error)

    @app.exception_handler(TaskError)
    def handle(request: Any, error: Exception) -> Response:
        return PlainTextResponse("sorry", 418)

    assert post(app) == 418
    assert outcomes(bgtasks) == ["lost"]


def test_lost_when_never_attached(bgtasks: Any) -> None:
    def respond() -> Response:
        StarletteTasks().add_task(note)
        return Response()

    by_asgi(starlette_app(respond), "GET", "/")
    assert outcomes(bgtasks) == ["lost"]


def test_lost_on_a_websocket(bgtasks: Any) -> None:
    app = FastAPI()

    @app.websocket("/ws")
    async def endpoint(websocket: WebSocket, tasks: BackgroundTasks) -> None:
        tasks.add_task(note)
        await websocket.accept()
        await websocket.close()

    with TestClient(app).websocket_connect("/ws"):
        pass
    (task,) = bgtasks
    assert (task.outcome, task.reason) == (
        "lost",
        "a websocket has no response that could carry it",
    )
    assert (task.request.method, task.request.route) == ("WEBSOCKET", "/ws")


def test_added_when_a_dependency_is_torn_down(bgtasks: Any) -> None:
    """It depends on the release whether the response is still to come; the record says which."""
    happened: list[str] = []

    async def dependency(tasks: BackgroundTasks) -> Any:
        yield
        happened.append("teardown")
        tasks.add_task(note)

    app = FastAPI()

    @app.get("/")
    def endpoint(value: Annotated[None, Depends(dependency)]) -> None: ...

    async def main() -> None:
        async def send(message: Any) -> None:
            happened.append(message["type"])

        await asgi(app, send=send)

    asyncio.run(main())
    before_response = happened.index("teardown") < happened.index("http.response.start")
    assert outcomes(bgtasks) == ["succeeded" if before_response else "lost"]


def test_lost_when_the_client_goes_away_while_streaming(bgtasks: Any) -> None:
    """Since Starlette 0.42 a send that fails ends the request; before, the task still ran."""

    def respond() -> Response:
        return StreamingResponse(iter(["a", "b"]), background=BackgroundTask(note))

    async def main() -> None:
        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                raise OSError

        await asgi(starlette_app(respond), send=send, asgi={"spec_version": "2.4"})

    with pytest.raises(Exception):  # noqa: B017 - OSError or ClientDisconnect, by version
        asyncio.run(main())
    assert outcomes(bgtasks) == ["lost"]


def test_disconnect_before_the_end_of_a_stream(bgtasks: Any) -> None:
    """Servers before ASGI 2.4 tell by a message; the stream stops and the task runs."""

    async def body() -> Any:
        yield "a"
        await anyio.sleep_forever()

    app = starlette_app(lambda: StreamingResponse(body(), background=BackgroundTask(note)))

    async def main() -> None:
        messages = [{"type": "http.disconnect"}, {"type": "http.request", "body": b""}]

        async def receive() -> Any:
            return messages.pop()

        async def send(message: Any) -> None: ...

        from support.clients import make_scope

        await app(make_scope(), receive, send)

    asyncio.run(main())
    assert outcomes(bgtasks) == ["succeeded"]


def test_pending_outside_of_a_request(bgtasks: Any) -> None:
    task = BackgroundTask(note)
    assert outcomes(bgtasks) == ["pending"]
    assert bgtasks[0].live is task


def test_running_while_it_runs(bgtasks: Any) -> None:
    seen: list[str] = []

    def look() -> None:
        seen.append(bgtasks[0].outcome)

    post(fastapi_app(lambda tasks: tasks.add_task(look)))
    assert seen == ["running"]


def test_started_by_user_code_after_the_request_is_not_lost_for_ever(bgtasks: Any) -> None:
    made = StarletteTasks()

    def respond() -> Response:
        made.add_task(note)
        return Response()

    by_asgi(starlette_app(respond), "GET", "/")
    assert outcomes(bgtasks) == ["lost"]
    asyncio.run(made())
    assert outcomes(bgtasks) == ["succeeded"]


class Note:
    def sync(self) -> None: ...

    async def coroutine(self) -> None: ...

    def __call__(self) -> None: ...


class AsyncNote:
    async def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("func", "thread"),
    [
        (note, "worker"),
        (async_note, "loop"),
        (Note().sync, "worker"),
        (Note().coroutine, "loop"),
        (Note(), "worker"),
        (AsyncNote(), "loop"),
        (lambda: None, "worker"),
        (print, "worker"),
    ],
)
def test_thread(func: Any, thread: str, bgtasks: Any) -> None:
    names: list[str] = []

    async def main() -> None:
        names.append(threading.current_thread().name)
        await asgi(starlette_app(lambda: answer(func)))

    asyncio.run(main())
    task = bgtasks[0]
    assert (task.outcome, task.thread) == ("succeeded", thread)
    assert (task.thread_name == names[0]) == (thread == "loop")
    assert task.duration >= 0


def test_one_task_object_run_for_two_requests_is_one_record(bgtasks: Any) -> None:
    response = answer(note)
    app = starlette_app(lambda: response)
    by_asgi(app, "GET", "/")
    by_asgi(app, "GET", "/")
    (task,) = bgtasks
    assert task.runs == 2


def test_made_before_the_recording() -> None:
    """It is recorded when it runs; the place where it was made is not known any more."""
    from bgcheck import record

    response = answer(note, 1)
    with record() as log:
        by_asgi(starlette_app(lambda: response), "GET", "/")
    (task,) = log
    assert (task.outcome, task.params["values"], task.request.path) == ("succeeded", (1,), "/")


def test_an_error_in_a_sink_never_reaches_the_app(bgtasks: Any) -> None:
    def broken(event: Any) -> None:
        raise RuntimeError("a bug of bgcheck")

    with hub.connected(broken):
        assert post(fastapi_app(lambda tasks: tasks.add_task(note))) == 200
    assert outcomes(bgtasks) == ["succeeded"]
    assert {str(error) for error in hub.errors} == {"a bug of bgcheck"}
    hub.errors.clear()


def test_an_error_in_reached_never_reaches_the_app(
    bgtasks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(live: object) -> None:
        raise RuntimeError("a bug of bgcheck")

    ran: list[int] = []
    monkeypatch.setattr("bgcheck.instrument.tasks.reached", broken)
    assert post(fastapi_app(lambda tasks: tasks.add_task(ran.append, 1))) == 200
    assert ran == [1]
    assert [str(error) for error in hub.errors] == ["a bug of bgcheck"]
    hub.errors.clear()


@pytest.mark.parametrize("part", ["schedule_site", "take_params", "capture_call"])
def test_a_broken_part_costs_only_what_it_gives(
    part: str, bgtasks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a bug of bgcheck")

    class Watching:
        keeps_live = False

        def __call__(self, event: Any) -> None: ...

    monkeypatch.setattr(f"bgcheck.instrument.tasks.{part}", broken)
    with hub.connected(Watching()):
        assert post(fastapi_app(lambda tasks: tasks.add_task(note, 1))) == 200
    (task,) = bgtasks
    assert (task.func, task.args, task.outcome) == (note, (1,), "succeeded")
    assert (task.site is None) == (part == "schedule_site")
    assert (task.params == {}) == (part == "take_params")
    assert {str(error) for error in hub.errors} == {"a bug of bgcheck"}
    hub.errors.clear()


def test_many_errors_are_not_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(1000):
        hub.guard(int, "x")
    assert len(hub.errors) == 100
    hub.errors.clear()
