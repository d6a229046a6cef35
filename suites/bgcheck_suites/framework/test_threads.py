"""Event loop or worker thread."""

import functools

from fastapi import BackgroundTasks, FastAPI

from bgcheck_suites.apps import Schedule
from bgcheck_suites.events import Contradiction, Event, Gate, Log
from bgcheck_suites.lab import Lab, OnServer
from bgcheck_suites.marks import requirement


def app_of(log: Log, schedule: Schedule) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        log.mark("endpoint")
        schedule(tasks)

    @app.get("/other")
    async def other() -> None:
        log.mark("other request")

    return app


def require_the_loop_of_the_endpoint(log: Log, label: str) -> None:
    endpoint, task = log.first("endpoint"), log.first(label)
    if (task.thread, task.loop) != (endpoint.thread, endpoint.loop):
        raise Contradiction(
            "The task did not run on the event loop of its request.", str(endpoint), str(task)
        )


def in_worker_thread(endpoint: Event, task: Event) -> bool:
    return task.thread != endpoint.thread and task.loop is None


@requirement("BGF-THREAD-01")
def test_a_def_task_runs_in_a_worker_thread(lab: Lab, log: Log) -> None:
    lab.send(app_of(log, lambda tasks: tasks.add_task(log.mark, "task"))).settle()
    endpoint, task = log.first("endpoint"), log.first("task")
    if not in_worker_thread(endpoint, task):
        raise Contradiction("A def task ran on the event loop.", str(endpoint), str(task))


@requirement("BGF-THREAD-02")
def test_an_async_task_runs_on_the_loop_of_the_request(lab: Lab, log: Log) -> None:
    lab.send(app_of(log, lambda tasks: tasks.add_task(log.mark_async, "task"))).settle()
    require_the_loop_of_the_endpoint(log, "task")


@requirement("BGF-THREAD-03")
def test_an_object_with_an_async_call_runs_on_the_loop(lab: Lab, log: Log) -> None:
    class Notifier:
        async def __call__(self) -> None:
            log.mark("task")

    lab.send(app_of(log, lambda tasks: tasks.add_task(Notifier()))).settle()
    require_the_loop_of_the_endpoint(log, "task")


@requirement("BGF-THREAD-04")
def test_a_partial_of_a_coroutine_function_runs_on_the_loop(lab: Lab, log: Log) -> None:
    task = functools.partial(log.mark_async, "task")
    lab.send(app_of(log, lambda tasks: tasks.add_task(task))).settle()
    require_the_loop_of_the_endpoint(log, "task")


@requirement("BGF-THREAD-05")
def test_a_busy_def_task_leaves_the_server_free(on_server: OnServer, log: Log) -> None:
    gate = Gate(log)

    def busy() -> None:
        log.mark("task starts")
        gate.wait()
        log.mark("task ends")

    app = app_of(log, lambda tasks: tasks.add_task(busy))
    first = on_server.send(app)
    log.wait("task starts")
    on_server.send(app, "/other").settle()
    gate.open()
    first.settle()
    log.in_order("task starts", "other request", "task ends")
