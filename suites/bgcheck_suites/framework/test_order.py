"""Order and sequence of tasks."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI
from starlette.concurrency import run_in_threadpool

from bgcheck_suites.apps import scheduling_app
from bgcheck_suites.events import Log, same
from bgcheck_suites.lab import Lab
from bgcheck_suites.marks import requirement


@requirement("BGF-ORDER-01")
def test_tasks_run_in_the_order_they_were_added(lab: Lab, log: Log) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task 1")
        tasks.add_task(log.mark_async, "task 2")
        tasks.add_task(log.mark, "task 3")

    lab.send(scheduling_app(schedule)).settle()
    log.in_order("task 1", "task 2", "task 3")


@requirement("BGF-ORDER-02")
def test_a_task_starts_when_the_one_before_has_ended(lab: Lab, log: Log) -> None:
    async def first() -> None:
        log.mark("task 1 starts")
        for _ in range(5):
            await run_in_threadpool(int)
        log.mark("task 1 ends")

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(first)
        tasks.add_task(log.mark_async, "task 2 starts")

    lab.send(scheduling_app(schedule)).settle()
    log.in_order("task 1 starts", "task 1 ends", "task 2 starts")


@requirement("BGF-ORDER-03")
def test_a_task_runs_once(lab: Lab, log: Log) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "def task")
        tasks.add_task(log.mark_async, "async task")

    lab.send(scheduling_app(schedule)).settle()
    log.times("def task", 1)
    log.times("async task", 1)


@requirement("BGF-ORDER-04")
def test_tasks_of_a_dependency_come_before_those_of_the_endpoint(lab: Lab, log: Log) -> None:
    def dependency(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task of the dependency")

    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks, _: Annotated[None, Depends(dependency)]) -> None:
        tasks.add_task(log.mark, "task of the endpoint")

    lab.send(app).settle()
    log.in_order("task of the dependency", "task of the endpoint")


@requirement("BGF-ORDER-05")
def test_a_task_that_a_running_task_adds_runs_last(lab: Lab, log: Log) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        async def adding() -> None:
            log.mark("adding task")
            tasks.add_task(log.mark, "added task")

        tasks.add_task(adding)
        tasks.add_task(log.mark, "task scheduled before")

    lab.send(scheduling_app(schedule)).settle()
    log.in_order("adding task", "task scheduled before", "added task")


@requirement("BGF-ORDER-06")
def test_each_request_starts_with_an_empty_group(lab: Lab, log: Log) -> None:
    sizes: list[int] = []

    def schedule(tasks: BackgroundTasks) -> None:
        sizes.append(len(tasks.tasks))
        tasks.add_task(log.mark, f"task of request {len(sizes)}")

    app = scheduling_app(schedule)
    lab.send(app).settle()
    lab.send(app).settle()
    same("A request found tasks in the group that it was given.", sizes, [0, 0])
    log.in_order("task of request 1", "task of request 2")
