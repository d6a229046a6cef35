"""The exits of `yield` dependencies: what they see, what they may raise, and in which order."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException

from bgcheck_suites.apps import TaskError, raising
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log
from bgcheck_suites.lab import Exchange, Lab
from bgcheck_suites.marks import requirement
from bgcheck_suites.probing import depends_accepts, exit_order, place, raised

Resource = Callable[..., object]


def send_with(lab: Lab, resource: Resource, task: Callable[[], object]) -> Exchange:
    """Send a request whose endpoint has a dependency and schedules a task."""
    app = FastAPI()

    @app.get("/", dependencies=[Depends(resource)])
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(task)

    return lab.send(app).end()


@requirement("BGF-DEPS-09")
def test_a_dependency_that_swallows_the_error_of_a_task(lab: Lab, observe: Observe) -> None:
    async def resource() -> AsyncIterator[None]:
        with contextlib.suppress(TaskError):
            yield

    exchange = send_with(lab, resource, raising(TaskError("no"))).answered()
    observe(f"the app raises {raised(exchange)}")


@requirement("BGF-DEPS-10")
def test_a_dependency_that_turns_the_error_of_a_task_into_a_response(
    lab: Lab, observe: Observe
) -> None:
    async def resource() -> AsyncIterator[None]:
        try:
            yield
        except TaskError as error:
            raise HTTPException(409) from error

    exchange = send_with(lab, resource, raising(TaskError("no")))
    observe(f"status {exchange.status}, the app raises {raised(exchange)}")


def fate_of_a_failing_exit(lab: Lab, log: Log, error: Exception) -> str:
    """Let a dependency raise after its yield, and say what became of response and task."""

    async def resource() -> AsyncIterator[None]:
        yield
        raise error

    exchange = send_with(lab, resource, lambda: log.mark("task"))
    task = "runs" if log.count("task") else "is dropped"
    return f"status {exchange.status}, the task {task}, the app raises {raised(exchange)}"


@requirement("BGF-DEPS-11")
def test_a_dependency_that_raises_in_its_exit(lab: Lab, log: Log, observe: Observe) -> None:
    observe(fate_of_a_failing_exit(lab, log, ValueError("no")))


@requirement("BGF-DEPS-12")
def test_a_dependency_that_raises_http_exception_in_its_exit(
    lab: Lab, log: Log, observe: Observe
) -> None:
    observe(fate_of_a_failing_exit(lab, log, HTTPException(409)))


@requirement("BGF-DEPS-13")
def test_nested_dependencies_exit_in_reverse_order(lab: Lab, log: Log) -> None:
    async def outer() -> AsyncIterator[None]:
        log.mark("enter outer")
        yield
        log.mark("exit outer")

    def inner(_: None = Depends(outer)) -> Iterator[None]:
        log.mark("enter inner")
        yield
        log.mark("exit inner")

    send_with(lab, inner, lambda: None).settle()
    log.in_order("enter outer", "enter inner", "exit inner", "exit outer")


@requirement("BGF-DEPS-14")
def test_where_a_def_yield_dependency_exits(lab: Lab, log: Log, observe: Observe) -> None:
    def resource() -> Iterator[None]:
        yield
        log.mark("exit")

    send_with(lab, resource, lambda: None).settle()
    observe(place(log.first("exit")))


@requirement("BGF-DEPS-15")
def test_a_dependency_exits_once_when_a_task_fails(lab: Lab, log: Log) -> None:
    async def resource() -> AsyncIterator[None]:
        try:
            yield
        finally:
            log.mark("exit")

    send_with(lab, resource, raising(TaskError("no"))).answered()
    log.times("exit", 1)


@requirement("BGF-DEPS-16")
def test_whether_a_dependency_sees_the_http_exception_of_its_endpoint(
    lab: Lab, log: Log, observe: Observe
) -> None:
    async def resource() -> AsyncIterator[None]:
        try:
            yield
        except HTTPException:
            log.mark("seen")
            raise

    app = FastAPI()

    @app.get("/", dependencies=[Depends(resource)])
    async def endpoint() -> None:
        raise HTTPException(409)

    lab.send(app).settle(409)
    observe("seen" if log.count("seen") else "not seen")


@requirement("BGF-DEPS-17")
def test_when_a_dependency_of_scope_function_exits(lab: Lab, log: Log, observe: Observe) -> None:
    observe(scoped_exit_order(lab, log, "function"))


@requirement("BGF-DEPS-18")
def test_when_a_dependency_of_scope_request_exits(lab: Lab, log: Log, observe: Observe) -> None:
    observe(scoped_exit_order(lab, log, "request"))


def scoped_exit_order(lab: Lab, log: Log, scope: str) -> str:
    """Return where the exit of a dependency with a scope lies."""

    async def resource() -> AsyncIterator[None]:
        yield
        log.mark("exit")

    if not depends_accepts("scope"):
        return "not supported"
    depends: Any = Depends
    return exit_order(lab, log, depends(resource, scope=scope))
