"""What hangs is named by request, line and thread, and ends with the client."""

import asyncio
import threading
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from fastapi import BackgroundTasks, FastAPI
from starlette.middleware.base import BaseHTTPMiddleware

from bgcheck.runner.clients import async_client, client, response_first
from bgcheck.runner.clients.hangs import StillRunningError

HERE = __file__
LIMIT = 0.05


def line_of(marker: str) -> int:
    """Return the number of the line that ends with a comment."""
    with open(HERE, encoding="utf-8") as source:
        return next(n for n, line in enumerate(source, 1) if line.rstrip().endswith(f"# {marker}"))


reached: list[str] = []
"""What the tasks note before they hang."""


@pytest.fixture(autouse=True)
def nothing_reached() -> None:
    reached.clear()


async def hang_in_task() -> None:
    reached.append("task")
    await anyio.sleep_forever()  # hangs here


async def hang_in_group() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(hang_in_task)


async def hang_in_generator() -> None:
    async for _ in hanging_numbers():
        pass


async def hanging_numbers() -> Any:
    reached.append("generator")
    await anyio.sleep_forever()  # generator
    yield 1


async def cleaning_up() -> None:
    await hang_in_task()


def app_with(task: Any, *args: Any, middleware: bool = False) -> FastAPI:
    """An app whose one endpoint schedules a task."""

    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(task, *args)

    async def dispatch(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    app = FastAPI()
    app.post("/reports")(endpoint)
    if middleware:
        app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    return app


def message(*places: str, state: str = "response complete") -> str:
    """The message for one request that waits at these places."""
    return "\n".join(
        [
            f"1 request is still running {LIMIT:g} s after the client was left:",
            f"  POST /reports ({state})",
            *(f"    {place}" for place in places),
            "Cancelled. Let it end before the client is left (release its gate, set its event), or "
            "give the client a longer leave_timeout.",
        ]
    )


SLEEPS = "await anyio.sleep_forever()"


def test_a_task_is_named_by_its_innermost_line(make_client: Any) -> None:
    http = make_client(app_with(cleaning_up), leave_timeout=LIMIT)
    with pytest.raises(StillRunningError) as error, http:
        http.post("/reports")
        http.run_until(lambda: bool(reached))
    line = line_of("hangs here")
    assert str(error.value) == message(
        f"waits at {HERE}:{line} in hang_in_task: {SLEEPS}  # hangs here"
    )
    assert not http.calls.pending


@pytest.mark.parametrize(
    ("task", "marker", "function", "middleware"),
    [
        (hang_in_group, "hangs here", "hang_in_task", False),
        (hang_in_task, "hangs here", "hang_in_task", True),
        (hang_in_generator, "generator", "hanging_numbers", False),
    ],
)
def test_child_tasks_and_generators_are_followed(
    make_client: Any, task: Any, marker: str, function: str, middleware: bool
) -> None:
    http = make_client(app_with(task, middleware=middleware), leave_timeout=LIMIT)
    with pytest.raises(StillRunningError) as error, http:
        http.post("/reports")
        http.run_until(lambda: bool(reached))
    [place] = [line for line in error.value.lines if "waits at" in line]
    assert place == f"  waits at {HERE}:{line_of(marker)} in {function}: {SLEEPS}  # {marker}"


def test_a_def_task_is_named_by_its_thread_and_line(make_client: Any) -> None:
    release, names = threading.Event(), []

    def slow() -> None:
        names.append(threading.current_thread().name)
        release.wait()  # thread waits here

    http = make_client(app_with(slow), leave_timeout=LIMIT)
    http.post("/reports")
    http.run_until(lambda: bool(names))
    with pytest.raises(StillRunningError) as error:
        http.drain(LIMIT)
    line = line_of("thread waits here")
    assert error.value.lines[-1] == (
        f"  thread {names[0]!r} is at {HERE}:{line} in slow: release.wait()  # thread waits here"
    )
    assert str(error.value).endswith(
        "Let it end first (release its gate, set its event), or wait with a longer timeout."
    )
    release.set()
    http.close()


def test_a_hanging_thread_is_named_when_the_client_is_left() -> None:
    release, started = threading.Event(), threading.Event()

    def slow() -> None:
        started.set()
        release.wait()

    app = app_with(slow)

    async def releasing(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        finally:
            release.set()  # cancellation does not end a thread

    http = client(releasing, leave_timeout=LIMIT)
    http.post("/reports")
    http.run_until(started.is_set)
    with pytest.raises(StillRunningError, match="thread 'AnyIO worker thread' is at"):
        http.close()
    assert not [t for t in threading.enumerate() if t.name == "AnyIO worker thread"]


def test_several_requests_are_all_named(make_client: Any) -> None:
    http = make_client(app_with(hang_in_task), leave_timeout=LIMIT)
    with pytest.raises(StillRunningError) as error, http:
        http.post("/reports")
        http.post("/reports")
        http.run_until(lambda: len(reached) == 2)
    assert str(error.value).startswith("2 requests are still running 0.05 s after")
    assert len(error.value.lines) == 4


def test_a_task_that_resists_cancellation_is_told() -> None:
    cancelled = 0

    async def stubborn() -> None:
        nonlocal cancelled
        while cancelled < 2:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancelled += 1

    http = client(app_with(stubborn), leave_timeout=LIMIT)
    http.post("/reports")
    with pytest.raises(
        StillRunningError, match="\n1 request is still running after the cancellation.$"
    ):
        http.close()
    assert cancelled == 2  # closing the loop cancels what is left once more


def test_an_error_of_the_block_goes_first(make_client: Any) -> None:
    http = make_client(app_with(hang_in_task), leave_timeout=LIMIT)
    with pytest.raises(KeyError), http:
        http.post("/reports")
        raise KeyError("of the block")
    assert not http.calls.pending


async def until_reached(number: int) -> None:
    with anyio.fail_after(10):
        while len(reached) < number:
            await anyio.lowlevel.checkpoint()


@pytest.mark.anyio
async def test_the_async_client_and_the_wrapper_tell_the_same(anyio_backend: str) -> None:
    app = app_with(hang_in_task)
    place = f"waits at {HERE}:{line_of('hangs here')} in hang_in_task: {SLEEPS}  # hangs here"
    with pytest.raises(StillRunningError) as error:
        async with async_client(app, leave_timeout=LIMIT) as http:
            await http.post("/reports")
            await until_reached(1)
    assert str(error.value) == message(place)
    wrapped = response_first(app, leave_timeout=LIMIT)
    with pytest.raises(StillRunningError) as error:
        async with wrapped, async_client(wrapped, lifespan="off") as http:
            await http.post("/reports")
            await until_reached(2)
    assert str(error.value) == message(place)
