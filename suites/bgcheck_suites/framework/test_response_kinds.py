"""Kinds of responses: files and their ranges, streams, HEAD, generator endpoints."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bgcheck_suites.apps import TaskError
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log, same
from bgcheck_suites.lab import Exchange, Lab
from bgcheck_suites.marks import requirement


def file_app(path: Path, background: BackgroundTask) -> Starlette:
    """Return an app that sends a file."""

    async def endpoint(_: Request) -> Response:
        return FileResponse(path, background=background)

    return Starlette(routes=[Route("/", endpoint, methods=["GET"])])


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """A file of ten bytes."""
    path = tmp_path / "letters.txt"
    path.write_bytes(b"abcdefghij")
    return path


def with_range(lab: Lab, path: Path, asked: str) -> str:
    """Ask for ranges of a file, and say what became of its background."""
    app = file_app(path, BackgroundTask(lab.log.mark, "task"))
    exchange = lab.send(app, headers={"range": asked}).end()
    return f"{exchange.status}, background {'runs' if lab.log.count('task') else 'dropped'}"


@requirement("BGF-RESP-26")
def test_the_background_of_a_range(lab: Lab, letters: Path, observe: Observe) -> None:
    observe(with_range(lab, letters, "bytes=2-4"))


@requirement("BGF-RESP-27")
def test_the_background_of_several_ranges(lab: Lab, letters: Path, observe: Observe) -> None:
    observe(with_range(lab, letters, "bytes=0-1,6-7"))


@requirement("BGF-RESP-28")
def test_the_background_of_a_range_outside_of_the_file(
    lab: Lab, letters: Path, observe: Observe
) -> None:
    observe(with_range(lab, letters, "bytes=50-60"))


@requirement("BGF-RESP-29")
def test_the_background_of_a_malformed_range(lab: Lab, letters: Path, observe: Observe) -> None:
    observe(with_range(lab, letters, "pages=1-2"))


@requirement("BGF-RESP-30")
def test_the_background_may_remove_the_file(lab: Lab, letters: Path) -> None:
    exchange = lab.send(file_app(letters, BackgroundTask(letters.unlink))).settle()
    same("The client got another file.", exchange.body, b"abcdefghij")
    same("The file is still there.", letters.exists(), False)


@requirement("BGF-RESP-31")
def test_a_file_that_is_missing(lab: Lab, tmp_path: Path, log: Log, observe: Observe) -> None:
    app = file_app(tmp_path / "missing", BackgroundTask(log.mark, "task"))
    exchange = lab.send(app).end()
    observe(f"{exchange.told()}, task ran {log.count('task')} times")


@requirement("BGF-RESP-32")
def test_tasks_of_an_answer_to_head_run(lab: Lab, log: Log) -> None:
    app = FastAPI()

    @app.head("/")
    def endpoint(tasks: BackgroundTasks) -> Response:
        tasks.add_task(log.mark, "task")
        return JSONResponse({})

    lab.send(app, method="HEAD").settle()
    log.in_order("response complete", "task")


@requirement("BGF-RESP-33")
def test_the_background_of_a_file_that_head_asks_for(lab: Lab, log: Log, letters: Path) -> None:
    app = file_app(letters, BackgroundTask(log.mark, "task"))
    same("HEAD has a body.", lab.send(app, method="HEAD").settle().body, b"")
    log.in_order("response complete", "task")


@requirement("BGF-RESP-34")
def test_an_error_in_a_stream_drops_its_tasks(lab: Lab, log: Log) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        raise TaskError("in the stream")

    lab.send(streaming_app(log, chunks)).end()
    log.never("task")


@requirement("BGF-RESP-35")
def test_tasks_of_a_stream_from_a_generator_function_run_after_it(lab: Lab, log: Log) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"first,"
        log.mark("last chunk")
        yield b"last"

    exchange = lab.send(streaming_app(log, chunks)).settle()
    same("The client got another stream.", exchange.body, b"first,last")
    log.in_order("last chunk", "response complete", "task")


@requirement("BGF-RESP-36")
def test_a_task_that_is_added_while_the_stream_is_sent(
    lab: Lab, log: Log, observe: Observe
) -> None:
    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            tasks.add_task(log.mark, "task")

        return StreamingResponse(chunks())

    lab.send(app).settle()
    observe("it runs" if log.count("task") else "it is dropped")


def streaming_app(log: Log, chunks: Callable[[], Any]) -> FastAPI:
    """Return an app that streams, and schedules a task."""
    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks) -> Response:
        tasks.add_task(log.mark, "task")
        return StreamingResponse(chunks())

    return app


def generator_app(log: Log, **options: Any) -> FastAPI:
    """Return an app whose endpoint is itself a generator, which schedules a task."""
    app = FastAPI()

    async def endpoint(tasks: BackgroundTasks) -> AsyncIterator[Any]:
        tasks.add_task(log.mark, "task")
        yield "first"
        log.mark("last item")
        yield "last"

    app.get("/", **options)(endpoint)
    return app


def order_of(exchange: Exchange, log: Log) -> str:
    """Say when the task of a generator endpoint ran."""
    if exchange.status != 200 or b"last" not in exchange.body:
        return "not supported"
    if not log.count("task"):
        return "stream, task dropped"
    found = [e.label for e in log.events if e.label in ("task", "response complete", "last item")]
    return ", ".join(found)


def lines_app(log: Log) -> FastAPI | None:
    """Return an app that streams its items as lines of JSON, None where that is unknown."""
    try:
        return generator_app(log)
    except Exception:
        return None


@requirement("BGF-RESP-37")
def test_tasks_of_an_endpoint_that_yields_lines(lab: Lab, log: Log, observe: Observe) -> None:
    app = lines_app(log)
    observe("not supported" if app is None else order_of(lab.send(app).end(), log))


@requirement("BGF-RESP-38")
def test_tasks_of_an_endpoint_that_yields_server_sent_events(
    lab: Lab, log: Log, observe: Observe
) -> None:
    try:
        from fastapi.sse import EventSourceResponse
    except ImportError:
        return observe("not supported")
    app = generator_app(log, response_class=EventSourceResponse)
    return observe(order_of(lab.send(app).end(), log))


@requirement("BGF-RESP-39")
def test_tasks_of_an_endpoint_that_yields_chunks(lab: Lab, log: Log, observe: Observe) -> None:
    options = {"response_class": StreamingResponse, "response_model": None}
    observe(order_of(lab.send(generator_app(log, **options)).end(), log))
