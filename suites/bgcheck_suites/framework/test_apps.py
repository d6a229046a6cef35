"""Apps in apps, and apps without FastAPI."""

from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bgcheck_suites.apps import add_scheduling_route, scheduling_app
from bgcheck_suites.events import Log
from bgcheck_suites.lab import Lab
from bgcheck_suites.marks import requirement


@requirement("BGF-APP-01")
def test_tasks_of_a_mounted_app_run(lab: Lab, log: Log) -> None:
    app = FastAPI()
    app.mount("/inner", scheduling_app(lambda tasks: tasks.add_task(log.mark, "task")))
    lab.send(app, "/inner/").settle()
    log.in_order("response complete", "task")


@requirement("BGF-APP-02")
def test_the_background_of_a_plain_starlette_route_runs(lab: Lab, log: Log) -> None:
    async def endpoint(_: Request) -> Response:
        return JSONResponse({}, background=BackgroundTask(log.mark, "task"))

    lab.send(Starlette(routes=[Route("/", endpoint)])).settle()
    log.in_order("response complete", "task")


@requirement("BGF-APP-03")
def test_a_group_of_a_plain_starlette_route_runs_in_order(lab: Lab, log: Log) -> None:
    def endpoint(_: Request) -> Response:
        tasks = [BackgroundTask(log.mark, "task 1"), BackgroundTask(log.mark_async, "task 2")]
        return JSONResponse({}, background=BackgroundTasks(tasks))

    lab.send(Starlette(routes=[Route("/", endpoint)])).settle()
    log.in_order("response complete", "task 1", "task 2")


@requirement("BGF-APP-04")
def test_tasks_of_an_included_router_run(lab: Lab, log: Log) -> None:
    router = APIRouter(prefix="/part")
    add_scheduling_route(router, lambda tasks: tasks.add_task(log.mark, "task"))
    app = FastAPI()
    app.include_router(router)
    lab.send(app, "/part/").settle()
    log.times("task", 1)
