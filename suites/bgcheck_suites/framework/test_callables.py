"""What can be scheduled."""

import functools
from collections.abc import Generator

from fastapi import BackgroundTasks

from bgcheck_suites.apps import scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log, same
from bgcheck_suites.lab import Lab
from bgcheck_suites.marks import requirement


class Service:
    """A service whose methods are scheduled."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def work(self, number: int) -> None:
        """Do the work as a `def` task."""
        self.log.mark(f"def method {number}")

    async def work_async(self, number: int) -> None:
        """Do the work as an async task."""
        self.log.mark(f"async method {number}")

    def __call__(self, number: int) -> None:
        """Be a task itself."""
        self.log.mark(f"object {number}")


@requirement("BGF-CALL-01")
def test_bound_methods_are_called_on_their_object(lab: Lab, log: Log) -> None:
    service = Service(log)

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(service.work, 1)
        tasks.add_task(service.work_async, 2)

    lab.send(scheduling_app(schedule)).settle()
    log.in_order("def method 1", "async method 2")


@requirement("BGF-CALL-02")
def test_a_partial_gets_its_own_and_the_scheduled_arguments(lab: Lab) -> None:
    received: list[tuple[object, ...]] = []

    def work(first: int, second: int, *, third: int) -> None:
        received.append((first, second, third))

    task = functools.partial(work, 1, third=3)
    lab.send(scheduling_app(lambda tasks: tasks.add_task(task, 2))).settle()
    same("The partial was called otherwise.", received, [(1, 2, 3)])


@requirement("BGF-CALL-03")
def test_a_callable_object_is_called(lab: Lab, log: Log) -> None:
    lab.send(scheduling_app(lambda tasks: tasks.add_task(Service(log), 7))).settle()
    log.times("object 7", 1)


@requirement("BGF-CALL-04")
def test_what_a_def_function_returns_is_not_awaited(lab: Lab, log: Log, observe: Observe) -> None:
    class Awaitable:
        def __await__(self) -> Generator[None, None, None]:
            log.mark("awaited")
            yield from ()

    def work() -> Awaitable:
        log.mark("called")
        return Awaitable()

    lab.send(scheduling_app(lambda tasks: tasks.add_task(work))).settle()
    log.times("called", 1)
    observe("awaited" if log.count("awaited") else "discarded")


@requirement("BGF-CALL-05")
def test_the_body_of_a_generator_function_never_runs(lab: Lab, log: Log, observe: Observe) -> None:
    def work() -> Generator[None, None, None]:
        log.mark("body")
        yield

    lab.send(scheduling_app(lambda tasks: tasks.add_task(work))).settle()
    observe("runs" if log.count("body") else "never runs")
