"""Ways to ask for the group of tasks."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from starlette.background import BackgroundTasks as StarletteBackgroundTasks

from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log, same
from bgcheck_suites.lab import InProcess, Lab
from bgcheck_suites.marks import requirement


@requirement("BGF-INJ-01")
def test_the_annotation_decides_and_not_the_name(lab: Lab, log: Log) -> None:
    app = FastAPI()

    @app.get("/")
    def endpoint(afterwards: BackgroundTasks) -> None:
        afterwards.add_task(log.mark, "task")

    lab.send(app).settle()
    log.times("task", 1)


@requirement("BGF-INJ-02")
def test_the_class_of_starlette_is_injected_too(lab: Lab, log: Log) -> None:
    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: StarletteBackgroundTasks) -> None:
        tasks.add_task(log.mark, "task")

    lab.send(app).settle()
    log.times("task", 1)


@requirement("BGF-INJ-03")
def test_an_override_of_the_class_has_no_effect(lab: Lab, log: Log) -> None:
    app = FastAPI()
    app.dependency_overrides[BackgroundTasks] = lambda: log.mark("override")

    @app.get("/")
    def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task")

    lab.send(app).settle()
    log.never("override")
    log.times("task", 1)


@requirement("BGF-INJ-04")
def test_a_class_dependency_gets_the_group(lab: Lab, log: Log) -> None:
    class Outbox:
        def __init__(self, tasks: BackgroundTasks) -> None:
            self.tasks = tasks

    app = FastAPI()

    @app.get("/")
    def endpoint(outbox: Annotated[Outbox, Depends()]) -> None:
        outbox.tasks.add_task(log.mark, "task")

    lab.send(app).settle()
    log.times("task", 1)


@requirement("BGF-INJ-05")
def test_tasks_of_a_websocket_endpoint(in_process: InProcess, log: Log, observe: Observe) -> None:
    app = FastAPI()

    @app.websocket("/")
    async def endpoint(socket: WebSocket, tasks: BackgroundTasks) -> None:
        await socket.accept()
        tasks.add_task(log.mark, "task")
        await socket.send_text("scheduled")
        await socket.close()

    with in_process.client(app).websocket_connect("/") as socket:
        same("The client got something else.", socket.receive_text(), "scheduled")
    observe("run" if log.count("task") else "never run")
