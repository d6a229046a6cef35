"""Context variables that change on the way to a task, and those that a task changes."""

from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar

from fastapi import BackgroundTasks, Depends, FastAPI
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bgcheck_suites.apps import scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log, same
from bgcheck_suites.lab import InProcess, Lab, OnServer
from bgcheck_suites.marks import requirement

VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="unset")


class Seen(list[str]):
    """The values that tasks saw."""

    def note(self) -> None:
        """Note the value as a `def` task."""
        self.append(VARIABLE.get())

    async def note_async(self) -> None:
        """Note the value as an async task."""
        self.append(VARIABLE.get())


async def change() -> None:
    """Be an async task that changes the variable."""
    VARIABLE.set("set by a task")


@requirement("BGF-CTX-07")
def test_an_async_task_and_the_tasks_after_it(lab: Lab, observe: Observe) -> None:
    seen = Seen()

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(change)
        tasks.add_task(seen.note)

    lab.send(scheduling_app(schedule)).settle()
    observe("seen" if seen == ["set by a task"] else "not seen")


@requirement("BGF-CTX-08")
def test_what_an_asgi_middleware_set(lab: Lab) -> None:
    seen = Seen()

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(seen.note)
        tasks.add_task(seen.note_async)

    app = scheduling_app(schedule)

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        VARIABLE.set("set")
        await app(scope, receive, send)

    lab.send(middleware).settle()
    same("The tasks saw another context.", list(seen), ["set", "set"])


@requirement("BGF-CTX-09")
def test_what_a_base_http_middleware_set(lab: Lab, observe: Observe) -> None:
    seen = Seen()

    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        VARIABLE.set("set")
        return await call_next(request)

    app = scheduling_app(lambda tasks: tasks.add_task(seen.note_async))
    lab.send(BaseHTTPMiddleware(app, dispatch=dispatch)).settle()
    observe(seen[0])


@requirement("BGF-CTX-10")
def test_what_a_def_dependency_set(lab: Lab, observe: Observe) -> None:
    seen = Seen()

    def dependency() -> None:
        VARIABLE.set("set")

    app = FastAPI(dependencies=[Depends(dependency)])
    lab.send(scheduling_app(lambda tasks: tasks.add_task(seen.note), app)).settle()
    observe(seen[0])


@requirement("BGF-CTX-11")
def test_a_variable_that_a_dependency_resets(lab: Lab, observe: Observe) -> None:
    seen = Seen()

    async def dependency() -> AsyncIterator[None]:
        token = VARIABLE.set("set")
        yield
        VARIABLE.reset(token)

    app = FastAPI(dependencies=[Depends(dependency)])
    lab.send(scheduling_app(lambda tasks: tasks.add_task(seen.note), app)).settle()
    observe(seen[0])


@requirement("BGF-CTX-12")
def test_a_variable_that_a_def_dependency_resets(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    def dependency() -> Iterator[None]:
        token = VARIABLE.set("set")
        yield
        try:
            VARIABLE.reset(token)
            log.mark("is reset")
        except ValueError:
            log.mark("raises ValueError")

    app = FastAPI(dependencies=[Depends(dependency)])
    in_process.send(scheduling_app(lambda _: None, app)).settle()
    observe("is reset" if log.count("is reset") else log.first("raises ValueError").label)


@requirement("BGF-CTX-13")
def test_the_next_request_of_a_connection_does_not_see_it(on_server: OnServer) -> None:
    seen = Seen()
    app = FastAPI()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        seen.note()
        tasks.add_task(change)

    connection = on_server.connect()
    connection.send(app).settle()
    connection.send(app).settle()
    same("A request saw what a task of another one set.", list(seen), ["unset", "unset"])


@requirement("BGF-CTX-14")
def test_a_variable_that_is_set_after_add_task(lab: Lab, observe: Observe) -> None:
    seen = Seen()

    def schedule(tasks: BackgroundTasks) -> None:
        VARIABLE.set("at add_task")
        tasks.add_task(seen.note)
        VARIABLE.set("after add_task")

    lab.send(scheduling_app(schedule)).settle()
    observe(f"the value {seen[0]}")


@requirement("BGF-CTX-15")
def test_what_an_asgi_middleware_sees_afterwards(lab: Lab, observe: Observe) -> None:
    seen = Seen()
    app = scheduling_app(lambda tasks: tasks.add_task(change))

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        seen.note()

    lab.send(middleware).settle()
    observe("seen" if seen == ["set by a task"] else "not seen")
