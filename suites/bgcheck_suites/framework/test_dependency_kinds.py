"""Kinds of dependencies: cached or not, security, decorated ones, and limited ones."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, Security
from fastapi.security import SecurityScopes

from bgcheck_suites.apps import let_the_others_go_on
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import LIMIT, Log, same
from bgcheck_suites.lab import InProcess, Lab
from bgcheck_suites.marks import requirement
from bgcheck_suites.probing import call_app, depends_accepts, on_a_loop, raised


@requirement("BGF-DEPS-19")
def test_tasks_of_cached_and_uncached_dependencies(lab: Lab, log: Log) -> None:
    def cached(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task of the cached one")

    def uncached(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task of the uncached one")

    app = FastAPI()

    @app.get("/")
    def endpoint(
        first: Annotated[None, Depends(cached)],
        second: Annotated[None, Depends(cached)],
        third: Annotated[None, Depends(uncached, use_cache=False)],
        fourth: Annotated[None, Depends(uncached, use_cache=False)],
    ) -> None:
        return None

    lab.send(app).settle()
    log.times("task of the cached one", 1)
    log.times("task of the uncached one", 2)


@requirement("BGF-DEPS-26")
def test_uncached_dependencies_in_the_list_of_a_route(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    def uncached(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task")

    app = FastAPI()
    twice = [Depends(uncached, use_cache=False), Depends(uncached, use_cache=False)]

    @app.get("/", dependencies=twice)
    def endpoint() -> None:
        return None

    in_process.send(app).settle()
    observe({1: "runs once", 2: "runs twice"}[log.count("task")])


@requirement("BGF-DEPS-20")
def test_tasks_of_a_security_dependency(lab: Lab, log: Log) -> None:
    def user(tasks: BackgroundTasks, scopes: SecurityScopes) -> None:
        tasks.add_task(log.mark, f"task with {scopes.scope_str}")

    app = FastAPI()

    @app.get("/", dependencies=[Security(user, scopes=["items"]), Security(user, scopes=["me"])])
    def endpoint() -> None:
        return None

    lab.send(app).settle()
    log.in_order("task with items", "task with me")


@requirement("BGF-DEPS-21")
def test_one_dependency_under_two_sets_of_scopes(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    def audit(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task")

    def items(_: Annotated[None, Depends(audit)], scopes: SecurityScopes) -> None:
        return None

    app = FastAPI()

    @app.get("/", dependencies=[Security(items, scopes=["a"]), Security(items, scopes=["b"])])
    def endpoint() -> None:
        return None

    in_process.send(app).settle()
    observe({1: "runs once", 2: "runs twice"}[log.count("task")])


def fate_of_resource(in_process: InProcess, log: Log, resource: Callable[..., Any]) -> str:
    """Say what an endpoint gets from a dependency that should yield a string."""
    app = FastAPI()

    @app.get("/")
    def endpoint(value: Annotated[Any, Depends(resource)], tasks: BackgroundTasks) -> None:
        log.mark("endpoint", value)
        tasks.add_task(log.mark, "task")

    exchange = in_process.send(app).end()
    if exchange.status != 200:
        return f"status {exchange.status}, raises {raised(exchange)}"
    value = log.first("endpoint").value
    return "entered" if value == "resource" else f"not entered, gets a {type(value).__name__}"


def resource_of(log: Log) -> Callable[..., Iterator[str]]:
    """Return a `def` yield dependency."""

    def resource() -> Iterator[str]:
        yield "resource"
        log.mark("exit")

    return resource


@requirement("BGF-DEPS-22")
def test_a_decorated_yield_dependency(in_process: InProcess, log: Log, observe: Observe) -> None:
    resource = resource_of(log)

    @functools.wraps(resource)
    def wrapper() -> Any:
        return resource()

    observe(fate_of_resource(in_process, log, wrapper))


@requirement("BGF-DEPS-23")
def test_a_partial_of_a_yield_dependency(in_process: InProcess, log: Log, observe: Observe) -> None:
    resource = functools.partial(resource_of(log))
    observe(fate_of_resource(in_process, log, resource))


@requirement("BGF-DEPS-24")
def test_a_context_manager_as_a_dependency(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    observe(fate_of_resource(in_process, log, contextmanager(resource_of(log))))


@requirement("BGF-DEPS-25")
def test_a_limited_dependency_while_tasks_run(log: Log, observe: Observe) -> None:
    if not depends_accepts("max_concurrency"):
        return observe("not supported")
    return observe(on_a_loop(limited_dependency(log)))


async def limited_dependency(log: Log) -> str:
    """Let a task wait, and say whether a second request gets the dependency of the first."""
    started, gate = asyncio.Event(), asyncio.Event()

    async def resource() -> AsyncIterator[None]:
        yield

    async def work() -> None:
        started.set()
        await asyncio.wait_for(gate.wait(), LIMIT)

    depends: Any = Depends
    app = FastAPI(dependencies=[depends(resource, max_concurrency=1)])

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        log.mark("endpoint")
        tasks.add_task(work)

    first = asyncio.create_task(call_app(app))
    await started.wait()
    second = asyncio.create_task(call_app(app))
    await let_the_others_go_on()
    entered = log.count("endpoint")
    gate.set()
    same("A request was not answered.", await asyncio.gather(first, second), [200, 200])
    return "waits until the tasks have run" if entered == 1 else "enters while tasks run"
