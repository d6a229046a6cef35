"""Classes as endpoints, routes of a user's own, and apps within apps that fail."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, BackgroundTasks, FastAPI
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from bgcheck_suites.apps import TaskError, add_scheduling_route, raising, scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log, same
from bgcheck_suites.lab import Lab
from bgcheck_suites.marks import requirement

Handler = Callable[[Request], Awaitable[Response]]


@requirement("BGF-APP-05")
def test_the_background_of_an_endpoint_class_runs(lab: Lab, log: Log) -> None:
    class Endpoint(HTTPEndpoint):
        async def get(self, _: Request) -> Response:
            return JSONResponse({}, background=BackgroundTask(log.mark, "task"))

    lab.send(Starlette(routes=[Route("/", Endpoint)])).settle()
    log.in_order("response complete", "task")


def app_with_route(around: Callable[[Response], Response], log: Log) -> FastAPI:
    """Return an app whose own route class has a hand in each response."""

    class OwnRoute(APIRoute):
        def get_route_handler(self) -> Any:
            handler: Handler = super().get_route_handler()

            async def own(request: Request) -> Response:
                return around(await handler(request))

            return own

    router = APIRouter(route_class=OwnRoute)
    add_scheduling_route(router, lambda tasks: tasks.add_task(log.mark, "task"))
    app = FastAPI()
    app.include_router(router)
    return app


@requirement("BGF-APP-06")
def test_an_own_route_class_sees_tasks_before_they_run(lab: Lab, log: Log) -> None:
    seen: list[int] = []

    def look(response: Response) -> Response:
        log.mark("route looks")
        seen.append(len(getattr(response.background, "tasks", [])))
        return response

    lab.send(app_with_route(look, log)).settle()
    log.in_order("route looks", "response complete", "task")
    same("The route saw another number of tasks.", seen, [1])


@requirement("BGF-APP-07")
def test_an_own_route_class_replaces_the_response(lab: Lab, log: Log, observe: Observe) -> None:
    lab.send(app_with_route(lambda _: JSONResponse({"state": "replaced"}), log)).settle()
    observe("the tasks run" if log.count("task") else "the tasks are dropped")


@requirement("BGF-APP-08")
def test_the_error_of_a_task_of_a_mounted_app(lab: Lab, log: Log, observe: Observe) -> None:
    def app_with_handler(name: str) -> FastAPI:
        app = FastAPI()

        @app.exception_handler(Exception)
        def handler(_: Request, __: Exception) -> Response:
            log.mark(name)
            return JSONResponse({}, 500)

        return app

    outer, inner = app_with_handler("outer handler"), app_with_handler("inner handler")
    outer.mount("/inner", inner)
    scheduling_app(lambda tasks: tasks.add_task(raising(TaskError("no"))), inner)
    lab.send(outer, "/inner/").end()
    observe(", ".join(e.label for e in log.events if "handler" in e.label) or "no handler")


@requirement("BGF-APP-09")
def test_an_app_of_fastapi_within_one_of_starlette(lab: Lab, log: Log) -> None:
    inner = scheduling_app(lambda tasks: tasks.add_task(log.mark, "task"))
    lab.send(Starlette(routes=[Mount("/inner", inner)]), "/inner/").settle()
    log.in_order("response complete", "task")


@requirement("BGF-APP-10")
def test_a_starlette_route_in_an_app_of_fastapi(lab: Lab, log: Log) -> None:
    def endpoint(_: Request) -> Response:
        return JSONResponse({}, background=BackgroundTask(log.mark, "task"))

    app = FastAPI()
    app.add_route("/", endpoint)
    lab.send(app).settle()
    log.in_order("response complete", "task")


@requirement("BGF-APP-11")
def test_a_group_that_the_handler_runs_by_itself(lab: Lab, log: Log, observe: Observe) -> None:
    app = FastAPI()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task")
        await tasks()

    lab.send(app).settle()
    observe(f"the task ran {log.count('task')} times")
