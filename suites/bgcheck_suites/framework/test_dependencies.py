"""Dependencies: whose tasks run, and when `yield` dependencies exit."""

import io
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI

from bgcheck_suites.apps import TaskError, raising
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Contradiction, Log
from bgcheck_suites.lab import Lab
from bgcheck_suites.marks import requirement
from bgcheck_suites.probing import exit_order


@requirement("BGF-DEPS-01")
def test_tasks_of_a_sub_dependency_run(lab: Lab, log: Log) -> None:
    def inner(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task of the sub-dependency")

    def outer(_: Annotated[None, Depends(inner)]) -> None:
        return None

    app = FastAPI()

    @app.get("/")
    def endpoint(_: Annotated[None, Depends(outer)]) -> None:
        return None

    lab.send(app).settle()
    log.times("task of the sub-dependency", 1)


@requirement("BGF-DEPS-02")
def test_tasks_of_router_and_app_dependencies_run(lab: Lab, log: Log) -> None:
    def of_app(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task of the app's dependency")

    def of_router(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task of the router's dependency")

    router = APIRouter(dependencies=[Depends(of_router)])

    @router.get("/")
    def endpoint() -> None:
        return None

    app = FastAPI(dependencies=[Depends(of_app)])
    app.include_router(router)
    lab.send(app).settle()
    log.in_order("task of the app's dependency", "task of the router's dependency")


@requirement("BGF-DEPS-03")
def test_one_request_has_one_group(lab: Lab, log: Log) -> None:
    groups: list[BackgroundTasks] = []

    def dependency(tasks: BackgroundTasks) -> None:
        groups.append(tasks)

    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks, _: Annotated[None, Depends(dependency)]) -> None:
        groups.append(tasks)

    lab.send(app).settle()
    if len(groups) != 2 or groups[0] is not groups[1]:
        raise Contradiction("Dependency and endpoint got different groups.", repr(groups))


@requirement("BGF-DEPS-04")
def test_when_an_async_yield_dependency_exits(lab: Lab, log: Log, observe: Observe) -> None:
    async def resource() -> AsyncIterator[str]:
        yield "resource"
        log.mark("exit")

    observe(exit_order(lab, log, Depends(resource)))


@requirement("BGF-DEPS-05")
def test_when_a_def_yield_dependency_exits(lab: Lab, log: Log, observe: Observe) -> None:
    def resource() -> Iterator[str]:
        yield "resource"
        log.mark("exit")

    observe(exit_order(lab, log, Depends(resource)))


@requirement("BGF-DEPS-06")
def test_whether_a_yield_dependency_sees_the_error_of_a_task(
    lab: Lab, log: Log, observe: Observe
) -> None:
    async def resource() -> AsyncIterator[None]:
        try:
            yield
        except TaskError:
            log.mark("error seen")
            raise

    app = FastAPI()

    @app.get("/", dependencies=[Depends(resource)])
    def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(raising(TaskError("no")))

    lab.send(app).end().answered()
    observe("seen" if log.count("error seen") else "not seen")


@requirement("BGF-DEPS-07")
def test_whether_a_task_added_after_the_yield_runs(lab: Lab, log: Log, observe: Observe) -> None:
    async def resource(tasks: BackgroundTasks) -> AsyncIterator[None]:
        yield
        tasks.add_task(log.mark, "late task")

    app = FastAPI()

    @app.get("/", dependencies=[Depends(resource)])
    def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task")

    lab.send(app).settle()
    log.times("task", 1)
    observe("runs" if log.count("late task") else "dropped")


@requirement("BGF-DEPS-08")
def test_a_resource_is_open_while_the_response_is_made(lab: Lab, log: Log) -> None:
    async def resource() -> AsyncIterator[None]:
        log.mark("enter")
        yield
        log.mark("exit")

    app = FastAPI()

    @app.get("/", dependencies=[Depends(resource)])
    def endpoint(tasks: BackgroundTasks) -> None:
        log.mark("endpoint")
        tasks.add_task(log.mark, "task")

    lab.send(app).settle()
    log.in_order("enter", "endpoint", "exit")


@requirement("BGF-DEPS-27")
def test_a_file_that_a_dependency_closes(lab: Lab, log: Log, observe: Observe) -> None:
    def opened() -> Iterator[io.StringIO]:
        with io.StringIO() as file:
            yield file

    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks, file: Annotated[io.StringIO, Depends(opened)]) -> None:
        tasks.add_task(lambda: log.mark("closed" if file.closed else "open"))

    lab.send(app).settle()
    observe("open" if log.count("open") else log.first("closed").label)
