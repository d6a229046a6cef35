"""Errors in tasks and in handlers."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bgcheck_suites.apps import TaskError, raising, scheduling_app
from bgcheck_suites.events import Contradiction, Log, same
from bgcheck_suites.lab import InProcess, Lab, OnServer, roots
from bgcheck_suites.marks import requirement

ACCEPTED = b'{"state":"accepted"}'


@requirement("BGF-ERR-01")
def test_a_failure_keeps_later_tasks_from_starting(lab: Lab, log: Log) -> None:
    def fail() -> None:
        log.mark("failing task")
        raise TaskError("no")

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task before")
        tasks.add_task(fail)
        tasks.add_task(log.mark, "task after")

    lab.send(scheduling_app(schedule)).end()
    log.in_order("task before", "failing task")
    log.never("task after", because_of="failing task")


@requirement("BGF-ERR-02")
def test_a_failure_leaves_the_response_as_it_was(lab: Lab) -> None:
    app = scheduling_app(lambda tasks: tasks.add_task(raising(TaskError("no"))))
    exchange = lab.send(app).end().answered(200)
    same("The client got another body.", exchange.body, ACCEPTED)


@requirement("BGF-ERR-03")
def test_a_failure_is_in_the_log_of_the_server(on_server: OnServer) -> None:
    error = TaskError("no")
    on_server.send(scheduling_app(lambda tasks: tasks.add_task(raising(error)))).end()
    if not on_server.server.logged(error):
        raise Contradiction(
            "The server did not log the error of a task.", f"{error!r} is not in its log"
        )


@requirement("BGF-ERR-04")
def test_a_failure_is_raised_to_the_in_process_client(in_process: InProcess) -> None:
    error = TaskError("no")
    app = scheduling_app(lambda tasks: tasks.add_task(raising(error)))
    client = in_process.client(app, raise_errors=True)
    raised: list[BaseException] = []
    try:
        client.get("/")
    except Exception as caught:
        raised = roots(caught)
    if raised != [error]:
        raise Contradiction(
            "The test client did not raise the error of a task.",
            f"scheduled to fail with {error!r}",
            f"raised {raised or 'nothing'}",
        )


@requirement("BGF-ERR-05")
def test_a_failure_leaves_the_app_through_its_call(lab: Lab) -> None:
    error = TaskError("no")
    exchange = lab.send(scheduling_app(lambda tasks: tasks.add_task(raising(error)))).end()
    same("The app raised something else to its server.", exchange.root_errors(), [error])


@requirement("BGF-ERR-06")
def test_no_registered_handler_answers_for_a_task(lab: Lab, log: Log) -> None:
    app = scheduling_app(lambda tasks: tasks.add_task(raising(TaskError("no"))))

    @app.exception_handler(TaskError)
    async def handler(_: Request, __: Exception) -> Response:
        log.mark("handler")
        return JSONResponse({"state": "broken"}, 503)

    exchange = lab.send(app).end().answered(200)
    same("The client got the handler's answer.", exchange.body, ACCEPTED)
    log.never("handler")


@requirement("BGF-ERR-07")
def test_an_http_exception_in_the_handler_drops_the_tasks(lab: Lab, log: Log) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task")
        raise HTTPException(409)

    lab.send(scheduling_app(schedule)).settle(409)
    log.never("task")


@requirement("BGF-ERR-08")
def test_an_http_exception_in_a_task_answers_nobody(lab: Lab) -> None:
    task = raising(HTTPException(418, "from the task"))
    exchange = lab.send(scheduling_app(lambda tasks: tasks.add_task(task))).end().answered(200)
    same("The client got the task's answer.", exchange.body, ACCEPTED)
    if exchange.call.error is None:
        raise Contradiction("An HTTPException in a task disappeared.", "the app raised nothing")


@requirement("BGF-ERR-09")
def test_an_error_in_the_handler_drops_the_tasks(lab: Lab, log: Log) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task")
        raise TaskError("no")

    lab.send(scheduling_app(schedule)).end().answered(500)
    log.never("task")


@requirement("BGF-ERR-10")
def test_invalid_input_drops_the_tasks_of_dependencies(lab: Lab, log: Log) -> None:
    def dependency(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task")

    app = FastAPI()

    @app.get("/")
    def endpoint(number: int, _: Annotated[None, Depends(dependency)]) -> int:
        return number

    lab.send(app, "/?number=many").settle(422)
    log.never("task")


@requirement("BGF-ERR-11")
def test_the_next_request_is_served_after_a_failure(lab: Lab, log: Log) -> None:
    app = FastAPI()

    @app.get("/broken")
    def broken_endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(raising(TaskError("no")))

    scheduling_app(lambda tasks: tasks.add_task(log.mark, "task"), app)
    lab.send(app, "/broken").end()
    exchange = lab.send(app).settle()
    same("The next client got another body.", exchange.body, ACCEPTED)
    log.times("task", 1)
