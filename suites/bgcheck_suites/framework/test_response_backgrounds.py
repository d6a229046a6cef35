"""Backgrounds that a response gets in other ways than from its handler's group."""

import threading
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import BackgroundTasks, Depends, FastAPI
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import LIMIT, Log, same
from bgcheck_suites.lab import Lab, OnServer
from bgcheck_suites.marks import requirement


class Item(BaseModel):
    """What the handlers answer with."""

    name: str


def plain_app(respond: Callable[[], Response]) -> Starlette:
    """Return an app without FastAPI whose `GET /` answers with what the function gives."""

    async def endpoint(_: Request) -> Response:
        return respond()

    return Starlette(routes=[Route("/", endpoint)])


def answering_with(background: Any) -> Starlette:
    """Return an app that attaches anything at all as the background of its response."""
    return plain_app(lambda: JSONResponse({}, background=background))


@requirement("BGF-RESP-13")
def test_a_response_that_fails_validation_drops_the_tasks(lab: Lab, log: Log) -> None:
    app = FastAPI()

    @app.get("/", response_model=Item)
    def endpoint(tasks: BackgroundTasks) -> dict[str, str]:
        tasks.add_task(log.mark, "task")
        return {"title": "no name"}

    lab.send(app).end().answered(500)
    log.never("task")


@requirement("BGF-RESP-14")
def test_a_task_comes_too_late_to_change_the_response(lab: Lab, log: Log) -> None:
    app = FastAPI()

    def rename(item: Item) -> None:
        item.name = "changed"
        log.mark("task")

    @app.get("/", response_model=Item)
    def endpoint(tasks: BackgroundTasks) -> Item:
        item = Item(name="first")
        tasks.add_task(rename, item)
        return item

    exchange = lab.send(app).settle()
    log.times("task", 1)
    same("The client got what the task made of it.", exchange.body, b'{"name":"first"}')


@requirement("BGF-RESP-15")
def test_a_shared_response_runs_its_own_background_each_time(lab: Lab, log: Log) -> None:
    shared = JSONResponse({}, background=BackgroundTask(log.mark, "task"))
    app = plain_app(lambda: shared)
    lab.send(app).settle()
    lab.send(app).settle()
    log.times("task", 2)


@requirement("BGF-RESP-16")
def test_a_shared_response_with_injected_tasks(lab: Lab, log: Log, observe: Observe) -> None:
    shared = JSONResponse({})
    app = FastAPI()

    @app.get("/{number}")
    def endpoint(number: int, tasks: BackgroundTasks) -> Response:
        tasks.add_task(log.mark, f"task {number}")
        return shared

    lab.send(app, "/1").settle()
    lab.send(app, "/2").settle()
    runs = [f"task {number} ran {log.count(f'task {number}')} times" for number in (1, 2)]
    observe(", ".join(runs))


@requirement("BGF-RESP-17")
def test_a_background_can_be_attached_later(lab: Lab, log: Log) -> None:
    def respond() -> Response:
        response = JSONResponse({})
        response.background = BackgroundTask(log.mark, "task")
        return response

    lab.send(plain_app(respond)).settle()
    log.in_order("response complete", "task")


@requirement("BGF-RESP-18")
def test_a_list_as_background(lab: Lab, log: Log, observe: Observe) -> None:
    exchange = lab.send(answering_with([BackgroundTask(log.mark, "task")])).end()
    observe(f"{exchange.told()}, task ran {log.count('task')} times")


@requirement("BGF-RESP-19")
def test_a_plain_function_as_background(lab: Lab, log: Log, observe: Observe) -> None:
    exchange = lab.send(answering_with(lambda: log.mark("function"))).end()
    where = "on the event loop" if log.first("function").loop is not None else "in a thread"
    observe(f"{exchange.told()}, function ran {where}")


@requirement("BGF-RESP-20")
def test_a_coroutine_function_as_background(lab: Lab, log: Log, observe: Observe) -> None:
    async def function() -> None:
        log.mark("function")

    exchange = lab.send(answering_with(function)).end()
    observe(f"{exchange.told()}, function ran {log.count('function')} times")


@requirement("BGF-RESP-21")
def test_the_background_of_a_response_from_a_dependency(
    lab: Lab, log: Log, observe: Observe
) -> None:
    def dependency() -> Response:
        return JSONResponse({}, background=BackgroundTask(log.mark, "task"))

    app = FastAPI()
    app.get("/", dependencies=[Depends(dependency)])(lambda: {"state": "accepted"})
    lab.send(app).settle()
    observe("it runs" if log.count("task") else "it is dropped")


@requirement("BGF-RESP-22")
def test_the_background_of_the_injected_response(lab: Lab, log: Log, observe: Observe) -> None:
    app = FastAPI()

    @app.get("/")
    def endpoint(response: Response) -> dict[str, str]:
        response.background = BackgroundTask(log.mark, "task")
        return {"state": "accepted"}

    lab.send(app).settle()
    observe("it runs" if log.count("task") else "it is dropped")


class Narrow(JSONResponse):
    """A response class whose constructor takes no background."""

    def __init__(self, content: Any, status_code: int = 200) -> None:
        super().__init__(content, status_code)


@requirement("BGF-RESP-23")
def test_a_response_class_without_background(lab: Lab, log: Log, observe: Observe) -> None:
    app = FastAPI()

    @app.get("/", response_class=Narrow)
    def endpoint(tasks: BackgroundTasks) -> dict[str, str]:
        tasks.add_task(log.mark, "task")
        return {"state": "accepted"}

    exchange = lab.send(app).end()
    observe(f"{exchange.told()}, task ran {log.count('task')} times")


@requirement("BGF-RESP-24")
def test_a_response_object_shared_by_two_requests_at_once(on_server: OnServer, log: Log) -> None:
    both_run = threading.Barrier(2, timeout=LIMIT)

    def task() -> None:
        both_run.wait()
        log.mark("task")

    shared = JSONResponse({}, background=BackgroundTask(task))
    app = plain_app(lambda: shared)
    exchanges = [on_server.send(app), on_server.send(app)]
    for exchange in exchanges:
        exchange.settle()
    log.times("task", 2)


class Counting(Response):
    """A response class of a user that adds to what sending does."""

    counted: Log

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send, and count."""
        parent: Callable[[Any, Any, Any], Awaitable[None]] = super().__call__
        await parent(scope, receive, send)
        self.counted.mark("own code")


@requirement("BGF-RESP-25")
def test_a_subclass_that_sends_by_its_parent_runs_the_tasks(lab: Lab, log: Log) -> None:
    Counting.counted = log
    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks) -> Response:
        tasks.add_task(log.mark, "task")
        return Counting(b"{}")

    lab.send(app).settle()
    log.in_order("response complete", "task", "own code")
