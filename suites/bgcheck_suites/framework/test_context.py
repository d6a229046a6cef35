"""Context variables, and the request, as a task sees them."""

from collections.abc import AsyncIterator
from contextvars import ContextVar

from fastapi import BackgroundTasks, Depends, FastAPI
from starlette.requests import Request

from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log, same
from bgcheck_suites.lab import Lab
from bgcheck_suites.marks import requirement

VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="unset")


class Seen:
    """Tasks that note the value that they see."""

    def __init__(self) -> None:
        self.values: list[str] = []

    def note(self) -> None:
        """Note it as a `def` task."""
        self.values.append(VARIABLE.get())

    async def note_async(self) -> None:
        """Note it as an async task."""
        self.values.append(VARIABLE.get())


@requirement("BGF-CTX-01")
def test_an_async_task_sees_what_an_async_endpoint_set(lab: Lab) -> None:
    seen, app = Seen(), FastAPI()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        VARIABLE.set("set")
        tasks.add_task(seen.note_async)

    lab.send(app).settle()
    same("The task saw another context.", seen.values, ["set"])


@requirement("BGF-CTX-02")
def test_a_def_task_sees_what_an_async_endpoint_set(lab: Lab) -> None:
    seen, app = Seen(), FastAPI()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        VARIABLE.set("set")
        tasks.add_task(seen.note)

    lab.send(app).settle()
    same("The task saw another context.", seen.values, ["set"])


@requirement("BGF-CTX-03")
def test_what_a_def_endpoint_sets(lab: Lab, observe: Observe) -> None:
    seen, app = Seen(), FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks) -> None:
        VARIABLE.set("set")
        tasks.add_task(seen.note_async)

    lab.send(app).settle()
    observe(", ".join(seen.values))


@requirement("BGF-CTX-04")
def test_a_task_sees_what_an_async_dependency_set(lab: Lab, observe: Observe) -> None:
    seen, app = Seen(), FastAPI()

    async def dependency() -> AsyncIterator[None]:
        VARIABLE.set("set")
        yield

    @app.get("/", dependencies=[Depends(dependency)])
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(seen.note_async)

    lab.send(app).settle()
    observe(", ".join(seen.values))


@requirement("BGF-CTX-05")
def test_a_def_task_keeps_its_changes_to_itself(lab: Lab) -> None:
    seen, app = Seen(), FastAPI()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(VARIABLE.set, "by the first task")
        tasks.add_task(seen.note_async)

    lab.send(app).settle()
    same("A later task saw it.", seen.values, ["unset"])


@requirement("BGF-CTX-06")
def test_a_task_can_read_the_request_that_it_was_given(lab: Lab, log: Log) -> None:
    received: list[tuple[str, str, str]] = []
    app = FastAPI()

    def task(request: Request) -> None:
        received.append((request.method, request.url.path, request.state.user))

    @app.get("/read")
    async def endpoint(request: Request, tasks: BackgroundTasks) -> None:
        request.state.user = "ann"
        tasks.add_task(task, request)

    lab.send(app, "/read").settle()
    same("The task read another request.", received, [("GET", "/read", "ann")])
