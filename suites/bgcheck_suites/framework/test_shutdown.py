"""What becomes of tasks when the server ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import BackgroundTasks
from starlette.applications import Starlette

from bgcheck_suites.apps import scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Contradiction, Gate, Log
from bgcheck_suites.lab import OnServer, own_server
from bgcheck_suites.marks import requirement

SHORT = 0.02
"""The time-out of a graceful shutdown, in seconds, where a probe wants it to run out."""


def closing_app(log: Log) -> Starlette:
    """Return an app that marks when its lifespan ends."""

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        yield
        log.mark("lifespan ends")

    return Starlette(lifespan=lifespan)


def async_task(log: Log) -> Callable[[], Awaitable[None]]:
    """Return an async task that waits for ever, and marks how it ends."""

    async def task() -> None:
        log.mark("task starts")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.mark("task cancelled")
            raise

    return task


def def_task(log: Log, gate: Gate) -> Callable[[], None]:
    """Return a def task that waits for the gate."""

    def task() -> None:
        log.mark("task starts")
        gate.wait()
        log.mark("task ends")

    return task


def start(place: OnServer, *tasks: Callable[[], Any]) -> None:
    """Send a request with these tasks, and wait until the first one runs."""

    def schedule(group: BackgroundTasks) -> None:
        for task in tasks:
            group.add_task(task)

    place.send(scheduling_app(schedule)).answered()
    place.log.wait("task starts")


def end(place: OnServer) -> None:
    """Require that the server ends by itself."""
    if not place.server.ended():
        raise Contradiction("The server did not end.", str(place.log.events[-1]))
    place.log.mark("server has ended")


def seen(log: Log, *labels: str) -> str:
    """Return the first event of each label that happened, in order."""
    firsts = {event.label: None for event in log.events if event.label in labels}
    return ", ".join(firsts)


@requirement("BGF-SHUTDOWN-01")
def test_a_graceful_shutdown_waits_for_a_task(log: Log) -> None:
    gate = Gate(log)
    with own_server(log, closing_app(log)) as place:
        start(place, def_task(log, gate))
        place.server.stop()
        log.mark("stop asked for")
        gate.open()
        end(place)
    log.in_order("stop asked for", "task ends", "lifespan ends", "server has ended")


@requirement("BGF-SHUTDOWN-02")
def test_tasks_that_have_not_started_run_as_well(log: Log) -> None:
    gate = Gate(log)
    with own_server(log, closing_app(log)) as place:
        start(place, def_task(log, gate), lambda: log.mark("next task"))
        place.server.stop()
        log.mark("stop asked for")
        gate.open()
        end(place)
    log.in_order("stop asked for", "task ends", "next task", "lifespan ends")


@requirement("BGF-SHUTDOWN-03")
def test_an_async_task_when_the_time_is_over(log: Log, observe: Observe) -> None:
    with own_server(log, closing_app(log), timeout_graceful_shutdown=SHORT) as place:
        start(place, async_task(log), lambda: log.mark("next task"))
        place.server.stop()
        end(place)
    observe(seen(log, "task cancelled", "task ends", "next task"))


@requirement("BGF-SHUTDOWN-04")
def test_a_def_task_when_the_time_is_over(log: Log, observe: Observe) -> None:
    gate = Gate(log)
    with own_server(log, closing_app(log), timeout_graceful_shutdown=SHORT) as place:
        start(place, def_task(log, gate), lambda: log.mark("next task"))
        place.server.stop()
        log.wait("lifespan ends")
        gate.open()
        end(place)
        log.wait("task ends")
    observe(seen(log, "lifespan ends", "task ends", "next task"))


@requirement("BGF-SHUTDOWN-05")
def test_a_second_signal(log: Log, observe: Observe) -> None:
    with own_server(log, closing_app(log)) as place:
        start(place, async_task(log), lambda: log.mark("next task"))
        place.server.stop()
        place.server.stop(force=True)
        end(place)
    lifespan = "lifespan ended" if log.count("lifespan ends") else "lifespan not ended"
    observe(f"{seen(log, 'task cancelled', 'task ends', 'next task')}, {lifespan}")


@requirement("BGF-SHUTDOWN-06")
def test_a_task_left_to_the_loop(log: Log, observe: Observe) -> None:
    left: list[asyncio.Task[None]] = []

    async def leave() -> None:
        left.append(asyncio.ensure_future(work()))

    async def work() -> None:
        await async_task(log)()

    with own_server(log, closing_app(log)) as place:
        start(place, leave)
        place.server.stop()
        end(place)
    observe(seen(log, "lifespan ends", "task cancelled", "task ends"))
