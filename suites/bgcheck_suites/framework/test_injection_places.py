"""Places that the group of tasks reaches, and places that it does not."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.responses import Response

from bgcheck_suites.apps import TaskError, add_scheduling_route
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log, same
from bgcheck_suites.lab import InProcess, Lab
from bgcheck_suites.marks import requirement
from bgcheck_suites.probing import raised

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def app_of_route_class(log: Log, change: Callable[[Response], Response]) -> FastAPI:
    """Return an app whose route class changes the response of its handler."""

    class Route(APIRoute):
        def get_route_handler(self) -> Handler:
            original = super().get_route_handler()

            async def handler(request: Request) -> Response:
                log.mark("route class")
                return change(await original(request))

            return handler

    router = APIRouter(route_class=Route)
    add_scheduling_route(router, lambda tasks: tasks.add_task(log.mark, "task"))
    app = FastAPI()
    app.include_router(router)
    return app


@requirement("BGF-INJ-18")
def test_behind_a_route_class(lab: Lab, log: Log) -> None:
    def add_header(response: Response) -> Response:
        response.headers["x-route"] = "1"
        return response

    lab.send(app_of_route_class(log, add_header)).settle()
    log.in_order("route class", "response complete", "task")


@requirement("BGF-INJ-19")
def test_a_route_class_that_replaces_the_response(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    app = app_of_route_class(log, lambda _: JSONResponse({"wrapped": True}))
    in_process.send(app).settle()
    observe("run" if log.count("task") else "dropped")


@requirement("BGF-INJ-20")
def test_an_exception_handler(in_process: InProcess, log: Log, observe: Observe) -> None:
    app = FastAPI()

    async def handler(request: Request, error: TaskError, tasks: BackgroundTasks) -> JSONResponse:
        tasks.add_task(log.mark, "task")
        return JSONResponse({}, status_code=409)

    app.add_exception_handler(TaskError, handler)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    @app.get("/")
    async def endpoint() -> None:
        raise TaskError("handled")

    exchange = in_process.send(app).end()
    observe("runs" if log.count("task") else f"raises {raised(exchange)}, no task runs")


@requirement("BGF-INJ-21")
def test_an_override_gets_the_group(lab: Lab, log: Log) -> None:
    def original() -> None:
        log.mark("original")

    def override(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task of the override")

    app = FastAPI()
    app.dependency_overrides[original] = override

    @app.get("/")
    def endpoint(tasks: BackgroundTasks, _: Annotated[None, Depends(original)]) -> None:
        tasks.add_task(log.mark, "task of the endpoint")

    lab.send(app).settle()
    log.never("original")
    log.in_order("task of the override", "task of the endpoint")


@requirement("BGF-INJ-22")
def test_a_dependency_object_gets_the_group(lab: Lab, log: Log) -> None:
    class Audit:
        def __init__(self, label: str) -> None:
            self.label = label

        def __call__(self, tasks: BackgroundTasks) -> None:
            tasks.add_task(log.mark, self.label)

    app = FastAPI()

    @app.get("/", dependencies=[Depends(Audit("first")), Depends(Audit("second"))])
    def endpoint() -> None:
        return None

    lab.send(app).settle()
    log.in_order("first", "second")


@requirement("BGF-INJ-23")
def test_a_group_that_nobody_injected(in_process: InProcess, log: Log, observe: Observe) -> None:
    app = FastAPI()

    @app.get("/")
    def endpoint() -> None:
        tasks = BackgroundTasks()
        tasks.add_task(log.mark, "task")

    in_process.send(app).settle()
    observe("runs" if log.count("task") else "never runs")


@requirement("BGF-INJ-24")
def test_tasks_that_a_websocket_endpoint_runs_itself(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    app = FastAPI()

    @app.websocket("/")
    async def endpoint(socket: WebSocket, tasks: BackgroundTasks) -> None:
        await socket.accept()
        tasks.add_task(log.mark, "task")
        await socket.close()
        await tasks()

    with in_process.client(app).websocket_connect("/"):
        pass
    observe("run" if log.count("task") else "never run")


@requirement("BGF-INJ-25")
def test_a_response_that_does_not_fit_its_model(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    app = FastAPI()

    @app.get("/", response_model=int)
    def endpoint(tasks: BackgroundTasks) -> str:
        tasks.add_task(log.mark, "task")
        return "no number"

    exchange = in_process.send(app).end()
    ended = "run" if log.count("task") else "dropped"
    observe(f"{ended}, the app raises {raised(exchange)}")


@requirement("BGF-INJ-26")
def test_a_response_that_its_model_filters(lab: Lab, log: Log) -> None:
    app = FastAPI()

    @app.get("/", response_model=dict[str, int])
    def endpoint(tasks: BackgroundTasks) -> dict[str, str]:
        tasks.add_task(log.mark, "task")
        return {"number": "7"}

    exchange = lab.send(app).settle()
    same("The response was not made by the model.", exchange.body, b'{"number":7}')
    log.before("response complete", "task")


@requirement("BGF-INJ-27")
def test_a_lifespan(log: Log, observe: Observe) -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI, tasks: BackgroundTasks) -> AsyncIterator[None]:
        tasks.add_task(log.mark, "task")
        yield

    async def start() -> str:
        app = FastAPI(lifespan=lifespan)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        try:
            async with app.router.lifespan_context(app):
                return "injected"
        except TypeError:
            return "raises TypeError when the app starts"

    observe(asyncio.run(start()))
