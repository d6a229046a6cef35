"""Groups: what they hold, nested ones, and tasks that schedule tasks."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse

from bgcheck_suites.apps import scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Gate, Log
from bgcheck_suites.lab import InProcess, Lab, OnServer
from bgcheck_suites.marks import requirement

ROUNDS = 200


@requirement("BGF-ORDER-07")
def test_tasks_of_two_requests_do_not_wait_for_each_other(on_server: OnServer, log: Log) -> None:
    gate = Gate(log)
    numbers = iter(["first", "second"])

    def work(name: str) -> None:
        log.mark(f"{name} starts")
        if name == "first":
            gate.wait()
        log.mark(f"{name} ends")

    app = scheduling_app(lambda tasks: tasks.add_task(work, next(numbers)))
    first = on_server.send(app)
    log.wait("first starts")
    on_server.send(app).settle()
    gate.open()
    first.settle()
    log.in_order("first starts", "second ends", "first ends")


@requirement("BGF-ORDER-08")
def test_a_function_that_is_scheduled_twice_runs_twice(lab: Lab, log: Log) -> None:
    def work(number: int) -> None:
        log.mark(f"task {number}")

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(work, 1)
        tasks.add_task(work, 2)
        tasks.add_task(log.mark, "the same call")
        tasks.add_task(log.mark, "the same call")

    lab.send(scheduling_app(schedule)).settle()
    log.in_order("task 1", "task 2")
    log.times("the same call", 2)


@requirement("BGF-ORDER-09")
def test_a_task_that_a_def_task_adds_runs(lab: Lab, log: Log) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        def adding() -> None:
            log.mark("adding task")
            tasks.add_task(log.mark_async, "added task")

        tasks.add_task(adding)

    lab.send(scheduling_app(schedule)).settle()
    log.in_order("adding task", "added task")


@requirement("BGF-ORDER-10")
def test_a_task_that_is_added_to_an_ended_group(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    kept: list[BackgroundTasks] = []

    def schedule(tasks: BackgroundTasks) -> None:
        for ended in kept:
            ended.add_task(log.mark, "late task")
        kept.append(tasks)
        tasks.add_task(log.mark, f"task of request {len(kept)}")

    app = scheduling_app(schedule)
    in_process.send(app).settle()
    in_process.send(app).settle()
    log.in_order("task of request 1", "task of request 2")
    observe("runs" if log.count("late task") else "never runs")


@requirement("BGF-ORDER-11")
def test_a_task_that_schedules_itself_again(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        async def work(rounds: int) -> None:
            log.mark("round")
            if rounds > 1:
                tasks.add_task(work, rounds - 1)

        tasks.add_task(work, ROUNDS)

    in_process.send(scheduling_app(schedule)).settle()
    all_ran = log.count("round") == ROUNDS
    observe("every round runs before the call ends" if all_ran else "the rounds are cut short")


@requirement("BGF-ORDER-12")
def test_a_task_that_is_taken_out_of_the_group(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task taken out")
        tasks.add_task(log.mark, "task")
        del tasks.tasks[0]

    in_process.send(scheduling_app(schedule)).settle()
    log.times("task", 1)
    observe("runs all the same" if log.count("task taken out") else "never runs")


@requirement("BGF-ORDER-13")
def test_a_group_as_a_task_of_a_group(lab: Lab, log: Log) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        inner = BackgroundTasks()
        inner.add_task(log.mark, "inner task 1")
        inner.add_task(log.mark_async, "inner task 2")
        tasks.add_task(log.mark, "task before")
        tasks.add_task(inner)
        tasks.add_task(log.mark, "task after")

    lab.send(scheduling_app(schedule)).settle()
    log.in_order("task before", "inner task 1", "inner task 2", "task after")


@requirement("BGF-ORDER-14")
def test_a_list_that_grows_after_a_group_was_made_of_it(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    app = FastAPI()

    @app.get("/")
    def endpoint() -> JSONResponse:
        tasks = [BackgroundTask(log.mark, "task")]
        group = BackgroundTasks(tasks)
        tasks.append(BackgroundTask(log.mark, "task appended to the list"))
        return JSONResponse({}, background=group)

    in_process.send(app).settle()
    log.times("task", 1)
    observe("runs" if log.count("task appended to the list") else "never runs")


@requirement("BGF-ORDER-15")
def test_a_group_that_the_endpoint_runs_itself(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    app = FastAPI()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task")
        await tasks()

    in_process.send(app).settle()
    log.before("task", "response complete")
    observe("run again after the response" if log.count("task") > 1 else "run once")


@requirement("BGF-ORDER-16")
def test_tasks_of_a_sub_dependency_come_first(lab: Lab, log: Log) -> None:
    def inner(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task of the sub-dependency")

    def outer(tasks: BackgroundTasks, _: Annotated[None, Depends(inner)]) -> None:
        tasks.add_task(log.mark, "task of the dependency")

    app = FastAPI()

    @app.get("/", dependencies=[Depends(outer)])
    def endpoint() -> None:
        return None

    lab.send(app).settle()
    log.in_order("task of the sub-dependency", "task of the dependency")
