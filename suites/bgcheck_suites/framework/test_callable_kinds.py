"""Kinds of callables, and what becomes of those that are neither plain `def` nor `async def`."""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import BackgroundTasks

from bgcheck_suites.apps import scheduling_app
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Contradiction, Log, same
from bgcheck_suites.lab import InProcess, Lab
from bgcheck_suites.marks import requirement
from bgcheck_suites.probing import outcome, place, run_task


class Factory:
    """A `def` callable that returns a coroutine, which is kept so that its fate can be seen."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.made: list[Coroutine[Any, Any, None]] = []

    def make(self) -> Coroutine[Any, Any, None]:
        """Return a new coroutine."""
        self.log.mark("called")
        self.made.append(self.log.mark_async("body"))
        return self.made[-1]

    def fate(self) -> str:
        """Say what became of the one coroutine, and close it."""
        (coroutine,) = self.made
        state = inspect.getcoroutinestate(coroutine)
        coroutine.close()
        where = place(self.log.first("called"))
        ran = state == inspect.CORO_CLOSED
        return f"called {where}, its coroutine is {'awaited' if ran else 'never awaited'}"


def fate_of(lab: Lab, log: Log, wrap: Callable[[Callable[[], Any]], Callable[[], Any]]) -> str:
    """Schedule a wrapped factory, and say what became of its coroutine."""
    factory = Factory(log)
    run_task(lab, wrap(factory.make)).settle()
    return factory.fate()


@requirement("BGF-CALL-06")
def test_a_coroutine_object(lab: Lab, log: Log, observe: Observe) -> None:
    coroutine = log.mark_async("body")
    try:
        observe(outcome(run_task(lab, coroutine)))
    finally:
        coroutine.close()
    log.never("body")


@requirement("BGF-CALL-07")
def test_a_lambda_that_returns_a_coroutine(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    observe(fate_of(in_process, log, lambda make: lambda: make()))


@requirement("BGF-CALL-08")
def test_an_async_generator_function(in_process: InProcess, log: Log, observe: Observe) -> None:
    async def work() -> AsyncIterator[None]:
        log.mark("body")
        yield

    run_task(in_process, work).settle()
    observe("runs" if log.count("body") else "never runs")


@requirement("BGF-CALL-09")
def test_partials_of_an_object_with_an_async_call(lab: Lab, log: Log) -> None:
    class Notifier:
        async def __call__(self, first: int, second: int, third: int) -> None:
            log.mark("task", (first, second, third))

    inner = functools.partial(Notifier(), 1)
    inner.note = "a partial with an attribute is not merged"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    run_task(lab, functools.partial(inner, 2), 3).settle()
    task = log.first("task")
    same("The partials got other arguments.", task.value, (1, 2, 3))
    if task.loop is None:
        raise Contradiction("The call did not run on the event loop.", str(task))


@requirement("BGF-CALL-10")
def test_a_def_wrapper_around_an_async_function(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    def wrap(make: Callable[[], Any]) -> Callable[[], Any]:
        async def work() -> None:
            log.mark("body")

        @functools.wraps(work)
        def wrapper() -> Any:
            return make()

        return wrapper

    observe(fate_of(in_process, log, wrap))


@requirement("BGF-CALL-11")
def test_a_function_marked_as_coroutine_function(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    mark: Any = getattr(inspect, "markcoroutinefunction", None)
    if mark is None:
        return observe("not supported")
    return observe(fate_of(in_process, log, lambda make: mark(lambda: make())))


@requirement("BGF-CALL-12")
def test_a_function_with_the_legacy_marker(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    marker: Any = getattr(asyncio.coroutines, "_is_coroutine", None)
    if marker is None:
        return observe("not supported")

    def wrap(make: Callable[[], Any]) -> Callable[[], Any]:
        def wrapper() -> Any:
            return make()

        wrapper._is_coroutine = marker  # type: ignore[attr-defined]  # noqa: SLF001  # pyright: ignore[reportFunctionMemberAccess]
        return wrapper

    return observe(fate_of(in_process, log, wrap))


@requirement("BGF-CALL-13")
def test_a_cached_async_function(in_process: InProcess, log: Log, observe: Observe) -> None:
    @functools.lru_cache
    async def work() -> None:
        log.mark("body")

    run_task(in_process, work).settle()
    work().close()  # the cache keeps the coroutine, and gives it again
    observe("awaited" if log.count("body") else "never awaited")


@requirement("BGF-CALL-14")
def test_a_class(in_process: InProcess, log: Log, observe: Observe) -> None:
    class Report:
        def __init__(self, number: int) -> None:
            log.mark("constructed", number)

    run_task(in_process, Report, 7).settle()
    same("It was constructed with something else.", log.first("constructed").value, 7)
    observe(f"constructed {place(log.first('constructed'))}")


@requirement("BGF-CALL-15")
def test_a_class_whose_objects_have_an_async_call(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    class Notifier:
        def __init__(self) -> None:
            log.mark("constructed")

        async def __call__(self) -> None:
            log.mark("called")

    ended = outcome(run_task(in_process, Notifier))
    log.never("called")
    observe(f"constructed {place(log.first('constructed'))}, {ended}")


@requirement("BGF-CALL-16")
def test_static_and_class_methods(lab: Lab, log: Log) -> None:
    class Service:
        @staticmethod
        async def static(number: int) -> None:
            log.mark(f"static method {number}")

        @classmethod
        def of_class(cls, number: int) -> None:
            log.mark(f"class method of {cls.__name__} {number}")

    class Special(Service):
        pass

    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(Service.static, 1)
        tasks.add_task(Service().static, 2)
        tasks.add_task(Special.of_class, 3)

    lab.send(scheduling_app(schedule)).settle()
    log.in_order("static method 1", "static method 2", "class method of Special 3")


@requirement("BGF-CALL-17")
def test_a_builtin_without_a_signature(lab: Lab) -> None:
    state = {"state": "new"}
    run_task(lab, state.update, state="done").settle()
    same("The builtin was not called.", state, {"state": "done"})


@requirement("BGF-CALL-18")
def test_a_context_manager_function(in_process: InProcess, log: Log, observe: Observe) -> None:
    @contextmanager
    def work() -> Iterator[None]:
        log.mark("body")
        yield

    run_task(in_process, work).settle()
    observe("runs" if log.count("body") else "never runs")


@requirement("BGF-CALL-19")
def test_something_that_is_not_callable(lab: Lab, log: Log, observe: Observe) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task("send_email")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        log.mark("accepted")

    exchange = lab.send(scheduling_app(schedule)).end()
    said = outcome(exchange) if log.count("accepted") else "is refused when it is scheduled"
    observe(said)


@requirement("BGF-CALL-20")
def test_a_function_that_was_called_by_mistake(lab: Lab, log: Log, observe: Observe) -> None:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark("body"))  # type: ignore[func-returns-value,arg-type]  # pyright: ignore[reportArgumentType]

    ended = outcome(lab.send(scheduling_app(schedule)).end())
    log.before("body", "response complete")
    observe(f"its body runs before the response, its result {ended}")


@requirement("BGF-CALL-21")
def test_a_generic_function_with_an_async_implementation(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    made: list[Coroutine[Any, Any, None]] = []

    async def default(event: object) -> None:
        log.mark("body")

    generic = functools.singledispatch(default)

    def keeping(event: object) -> Any:
        made.append(default(event))
        return made[-1]

    generic.register(int, keeping)
    run_task(in_process, generic, 1).settle()
    made[0].close()
    observe("awaited" if log.count("body") else "never awaited")
