"""The worker threads that `def` tasks share, and what runs on the loop beside them."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Annotated

import anyio.from_thread
import anyio.to_thread
from fastapi import BackgroundTasks, Depends, FastAPI

from bgcheck_suites.apps import let_the_others_go_on, scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import LIMIT, Contradiction, Gate, Log, same
from bgcheck_suites.lab import InProcess, Lab, OnServer
from bgcheck_suites.marks import requirement
from bgcheck_suites.probing import call_app, on_a_loop, run_task


@requirement("BGF-THREAD-06")
def test_the_name_of_the_thread(lab: Lab, log: Log, observe: Observe) -> None:
    run_task(lab, log.mark, "task").settle()
    observe(log.first("task").thread_name)


@requirement("BGF-THREAD-07")
def test_a_def_task_takes_a_slot_of_the_shared_limiter(lab: Lab) -> None:
    borrowed: list[float] = []

    async def look() -> None:
        borrowed.append(anyio.to_thread.current_default_thread_limiter().borrowed_tokens)

    def work() -> None:
        anyio.from_thread.run(look)

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(look)
        tasks.add_task(work)

    lab.send(scheduling_app(schedule)).settle()
    same("A def task did not take one slot of the default limiter.", borrowed, [0, 1])


@requirement("BGF-THREAD-08")
def test_a_def_endpoint_while_tasks_take_every_thread(log: Log, observe: Observe) -> None:
    observe(on_a_loop(full_pool(log, busy_app(log), "/def")))


@requirement("BGF-THREAD-09")
def test_an_async_endpoint_while_tasks_take_every_thread(log: Log, observe: Observe) -> None:
    observe(on_a_loop(full_pool(log, busy_app(log), "/async")))


class Busy:
    """A `def` task that says on the loop that it started, and waits at a gate."""

    def __init__(self, log: Log) -> None:
        self.started = asyncio.Event()
        self.gate = Gate(log)

    def __call__(self) -> None:
        anyio.from_thread.run_sync(self.started.set)
        self.gate.wait()


def busy_app(log: Log) -> FastAPI:
    """Return an app with one endpoint of each kind."""
    app = FastAPI()

    @app.get("/def")
    def def_endpoint() -> None:
        log.mark("endpoint")

    @app.get("/async")
    async def async_endpoint() -> None:
        log.mark("endpoint")

    return app


async def full_pool(log: Log, app: FastAPI, path: str) -> str:
    """Let a task take the only thread, and say whether a request to `path` gets through."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    limiter.total_tokens = 1
    busy = Busy(log)
    first = asyncio.create_task(call_app(scheduling_app(lambda tasks: tasks.add_task(busy))))
    await busy.started.wait()
    second = asyncio.create_task(call_app(app, path))
    await let_the_others_go_on()
    waiting = limiter.statistics().tasks_waiting
    served = log.count("endpoint")
    busy.gate.open()
    same("A request was not answered.", await asyncio.gather(first, second), [200, 200])
    return "waits for a free thread" if waiting and not served else "is served"


@requirement("BGF-THREAD-10")
def test_a_def_exit_while_tasks_take_every_thread(log: Log, observe: Observe) -> None:
    observe(on_a_loop(exit_with_a_full_pool(log)))


async def exit_with_a_full_pool(log: Log) -> str:
    """Let a task take the only thread while a request has a `def` yield dependency open."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = 1
    busy, entered, go_on = Busy(log), asyncio.Event(), asyncio.Event()
    exited = asyncio.Event()

    def resource() -> Iterator[None]:
        yield
        anyio.from_thread.run_sync(exited.set)

    app = FastAPI()

    @app.get("/")
    async def endpoint(_: Annotated[None, Depends(resource)]) -> None:
        entered.set()
        await go_on.wait()

    first = asyncio.create_task(call_app(app))
    await entered.wait()
    second = asyncio.create_task(
        call_app(scheduling_app(lambda tasks: tasks.add_task(busy))),
    )
    await busy.started.wait()
    go_on.set()
    try:
        await asyncio.wait_for(first, LIMIT / 2)
    except asyncio.TimeoutError:
        return "waits for a free thread"
    finally:
        busy.gate.open()
        await second
    return "exits" if exited.is_set() else "does not exit"


@requirement("BGF-THREAD-11")
def test_how_many_threads_def_tasks_share(in_process: InProcess, observe: Observe) -> None:
    slots: list[float] = []

    async def look() -> None:
        slots.append(anyio.to_thread.current_default_thread_limiter().total_tokens)

    run_task(in_process, look).settle()
    observe(f"{slots[0]:g}")


@requirement("BGF-THREAD-12")
def test_a_def_task_can_call_back_to_its_loop(lab: Lab, log: Log) -> None:
    async def on_the_loop() -> None:
        log.mark("back on the loop")

    def work() -> None:
        anyio.from_thread.run(on_the_loop)
        log.mark("task ends")

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark_async, "async task")
        tasks.add_task(work)

    lab.send(scheduling_app(schedule)).settle()
    loop, back = log.first("async task"), log.first("back on the loop")
    if back.loop != loop.loop:
        raise Contradiction("It came back to another loop.", str(loop), str(back))
    log.before("back on the loop", "task ends")


@requirement("BGF-THREAD-13")
def test_what_a_def_task_leaves_in_its_thread(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    local = threading.local()

    def first() -> None:
        local.user = "ann"

    def second() -> None:
        log.mark("seen" if hasattr(local, "user") else "not seen")

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(first)
        tasks.add_task(second)

    in_process.send(scheduling_app(schedule)).settle()
    observe("seen by the next task" if log.count("seen") else "not seen by the next task")


@requirement("BGF-THREAD-14")
def test_other_requests_while_an_async_task_blocks(
    on_server: OnServer, log: Log, observe: Observe
) -> None:
    answered = threading.Event()
    other = FastAPI()

    @other.get("/")
    async def endpoint() -> None:
        return None

    def client() -> None:
        log.mark("other request leaves")
        on_server.send(other).settle()
        answered.set()

    thread = threading.Thread(target=client)

    async def blocking() -> None:
        thread.start()
        log.wait("other request leaves")
        log.mark("answered" if answered.wait(0.1) else "not answered")

    on_server.send(scheduling_app(lambda tasks: tasks.add_task(blocking))).settle()
    thread.join()
    observe("answered" if log.count("answered") else "not answered")


@requirement("BGF-THREAD-15")
def test_the_asyncio_task_that_runs_an_async_task(lab: Lab, observe: Observe) -> None:
    tasks_seen: list[object] = []

    async def work() -> None:
        tasks_seen.append(asyncio.current_task())

    app = FastAPI()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks_seen.append(asyncio.current_task())
        tasks.add_task(work)

    lab.send(app).settle()
    same_task = tasks_seen[0] is tasks_seen[1]
    observe("the asyncio task of its request" if same_task else "another asyncio task")
