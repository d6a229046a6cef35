"""Every way in which user code can schedule a task is seen, and belongs to its request."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.background import BackgroundTasks as StarletteTasks
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route, Router

from bgcheck import scheduled
from support.apps import answer, async_note, note, starlette_app
from support.clients import CLIENTS, by_asgi


def by_endpoint(app: FastAPI) -> None:
    @app.get("/")
    def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(note, 1)


def by_annotated(app: FastAPI) -> None:
    @app.get("/")
    def endpoint(tasks: Annotated[BackgroundTasks, "told"]) -> None:
        tasks.add_task(note, 1)


def by_default(app: FastAPI) -> None:
    @app.get("/")
    def endpoint(tasks: BackgroundTasks = None) -> None:  # type: ignore[assignment]
        tasks.add_task(note, 1)


def by_starlette_annotation(app: FastAPI) -> None:
    @app.get("/")
    def endpoint(tasks: StarletteTasks) -> None:
        tasks.add_task(note, 1)


def add(tasks: BackgroundTasks) -> None:
    tasks.add_task(note, 1)


def add_further(tasks: BackgroundTasks, first: Annotated[None, Depends(add)]) -> None:
    """A dependency with a sub-dependency."""


class Adding:
    def __init__(self, tasks: BackgroundTasks) -> None:
        tasks.add_task(note, 1)


class CallableAdding:
    def __call__(self, tasks: BackgroundTasks) -> None:
        tasks.add_task(note, 1)


async def add_before_yield(tasks: BackgroundTasks) -> Any:
    tasks.add_task(note, 1)
    yield


def by_dependency(dependency: Callable[..., Any]) -> Callable[[FastAPI], None]:
    def build(app: FastAPI) -> None:
        @app.get("/")
        async def endpoint(value: Annotated[Any, Depends(dependency)]) -> None: ...

    return build


def by_decorator_dependency(app: FastAPI) -> None:
    @app.get("/", dependencies=[Depends(add)])
    def endpoint() -> None: ...


def by_router_dependency(app: FastAPI) -> None:
    router = APIRouter(dependencies=[Depends(add)])

    @router.get("/")
    def endpoint() -> None: ...

    app.include_router(router)


def by_include_dependency(app: FastAPI) -> None:
    router = APIRouter()

    @router.get("/")
    def endpoint() -> None: ...

    app.include_router(router, dependencies=[Depends(add)])


def by_hand(app: FastAPI) -> None:
    @app.get("/")
    def endpoint() -> Response:
        tasks = BackgroundTasks()
        tasks.add_task(note, 1)
        return JSONResponse({}, background=tasks)


INJECTED = [
    by_endpoint,
    by_annotated,
    by_default,
    by_starlette_annotation,
    by_decorator_dependency,
    by_router_dependency,
    by_include_dependency,
    by_hand,
    by_dependency(add),
    by_dependency(add_further),
    by_dependency(Adding),
    by_dependency(CallableAdding()),
    by_dependency(add_before_yield),
]


@pytest.mark.parametrize("build", INJECTED)
def test_fastapi_task_is_recorded(build: Callable[[FastAPI], None], bgtasks: Any) -> None:
    app = FastAPI()
    build(app)
    assert by_asgi(app, "GET", "/") == 200
    assert bgtasks == [scheduled(note, 1)]
    (task,) = bgtasks
    assert task.outcome == "succeeded"
    assert (task.request.method, task.request.path, task.request.number) == ("GET", "/", 1)
    assert task.site.file == __file__


def test_task_of_an_app_dependency_is_recorded(bgtasks: Any) -> None:
    app = FastAPI(dependencies=[Depends(add)])

    @app.get("/")
    def endpoint() -> None: ...

    assert by_asgi(app, "GET", "/") == 200
    assert bgtasks == [scheduled(note, 1)]
    assert bgtasks[0].outcome == "succeeded"


def carry(background: BackgroundTask) -> list[Callable[[], Response]]:
    return [
        lambda: Response(background=background),
        lambda: PlainTextResponse("ok", background=background),
        lambda: HTMLResponse("ok", background=background),
        lambda: JSONResponse({}, background=background),
        lambda: RedirectResponse("/elsewhere", background=background),
        lambda: FileResponse(__file__, background=background),
        lambda: StreamingResponse(iter(["a", "b"]), background=background),
        lambda: StreamingResponse(io.StringIO("a"), background=background),
    ]


@pytest.mark.parametrize("number", range(len(carry(BackgroundTask(note)))))
@pytest.mark.parametrize("app_class", [Starlette, FastAPI])
def test_task_of_every_response_class_runs_and_is_recorded(
    number: int, app_class: Any, bgtasks: Any
) -> None:
    def respond() -> Response:
        return carry(BackgroundTask(note, number))[number]()

    async def endpoint(request: Any) -> Response:
        return respond()

    app = app_class(routes=[Route("/", endpoint)])
    assert by_asgi(app, "GET", "/") in (200, 307)
    assert bgtasks == [scheduled(note, number)]
    assert (bgtasks[0].outcome, bgtasks[0].site.function) == (
        "succeeded",
        "respond",
    )
    assert bgtasks[0].request.path == "/"


def appended() -> BackgroundTask:
    tasks = BackgroundTasks()
    tasks.tasks.append(BackgroundTask(note, 1))
    return tasks


def added() -> BackgroundTask:
    tasks = StarletteTasks()
    tasks.add_task(note, 1)
    return tasks


GROUPS = [
    appended,
    added,
    lambda: BackgroundTask(note, 1),
    lambda: StarletteTasks([BackgroundTask(note, 1)]),
    lambda: BackgroundTasks(tasks=[BackgroundTask(note, 1)]),
    lambda: StarletteTasks([BackgroundTasks([BackgroundTask(note, 1)])]),
]


@pytest.mark.parametrize("make", GROUPS)
def test_task_in_a_group_made_by_hand_is_recorded_once(make: Any, bgtasks: Any) -> None:
    by_asgi(starlette_app(lambda: Response(background=make())), "GET", "/")
    assert bgtasks == [scheduled(note, 1)]
    assert bgtasks[0].outcome == "succeeded"
    assert bgtasks[0].request.path == "/"


def test_group_as_the_function_of_a_task(bgtasks: Any) -> None:
    inner = StarletteTasks([BackgroundTask(async_note, "inner")])
    outer = BackgroundTask(inner)
    by_asgi(starlette_app(lambda: Response(background=outer)), "GET", "/")
    assert [task.outcome for task in bgtasks] == ["succeeded", "succeeded"]


def test_a_running_task_adds_a_task(bgtasks: Any) -> None:
    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks) -> None:
        def first() -> None:
            tasks.add_task(note, "second")

        tasks.add_task(first)

    by_asgi(app, "GET", "/")
    first, second = bgtasks
    assert (second.params, second.outcome) == ({"values": ("second",), "named": {}}, "succeeded")
    assert second.parent is first
    assert second.site.function.endswith("first")
    assert second.request is first.request


def mounted_starlette() -> Any:
    return Starlette(routes=[Mount("/sub", starlette_app(lambda: answer(note, 1)))])


def mounted_fastapi() -> Any:
    app, sub = FastAPI(), FastAPI()
    by_endpoint(sub)
    app.mount("/sub", sub)
    return app


def bare_router() -> Any:
    async def endpoint(request: Any) -> Response:
        return answer(note, 1)

    return Router(routes=[Route("/sub/", endpoint)])


async def bare_function(scope: Any, receive: Any, send: Any) -> None:
    await answer(note, 1)(scope, receive, send)


@pytest.mark.parametrize(
    "app", [mounted_starlette(), mounted_fastapi(), bare_router(), bare_function]
)
def test_any_application_is_one_request(app: Any, bgtasks: Any) -> None:
    by_asgi(app, "GET", "/sub/")
    assert bgtasks == [scheduled(note, 1)]
    assert bgtasks[0].outcome == "succeeded"
    assert [request.path for request in bgtasks.requests] == ["/sub/"]
    assert bgtasks[0].request is bgtasks.requests[0]


@pytest.mark.parametrize("call", CLIENTS)
def test_every_client(call: Any, bgtasks: Any, tmp_path: Path) -> None:
    app = FastAPI()
    by_endpoint(app)
    assert call(app, "GET", "/") == 200
    assert call(app, "GET", "/") == 200
    assert bgtasks == [scheduled(note, 1), scheduled(note, 1)]
    assert [task.request.number for task in bgtasks] == [1, 2]
    assert [task.outcome for task in bgtasks] == ["succeeded", "succeeded"]
    assert [task.response_status for task in bgtasks] == [200, 200]


def test_group_made_in_a_unit_test_and_awaited(bgtasks: Any) -> None:
    import asyncio

    def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(note, 1)

    tasks = BackgroundTasks()
    endpoint(tasks)
    assert bgtasks == [scheduled(note, 1)]
    assert (bgtasks[0].outcome, bgtasks[0].request) == ("pending", None)
    asyncio.run(tasks())
    assert (bgtasks[0].outcome, bgtasks[0].response_status) == ("succeeded", None)


def test_group_made_in_a_unit_test_and_never_awaited(bgtasks: Any) -> None:
    tasks = BackgroundTasks()
    tasks.add_task(note, 1)
    del tasks
    assert bgtasks == [scheduled(note, 1)]
    assert bgtasks[0].outcome == "pending"
    assert bgtasks[0].func is note
