"""Planted apps without a database: faulty ones by the requirement they break, and their twins."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from contract_lab import Planted, scheduling
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.background import BackgroundTask
from starlette.background import BackgroundTasks as StarletteTasks
from starlette.responses import JSONResponse

logger = logging.getLogger("planted")


def work(number: int = 1) -> None:
    """A task that can fail, and says so."""
    logger.info("working on %d", number)


async def work_async(number: int = 1) -> None:
    logger.info("working on %d", number)


# BGC-RESP


class Early(JSONResponse):
    """Runs its task before it is sent."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        task, self.background = self.background, None
        assert task is not None
        await task()
        await super().__call__(scope, receive, send)


def early_response() -> FastAPI:
    app = FastAPI()

    @app.post("/orders")
    async def create() -> JSONResponse:
        return Early({"state": "accepted"}, background=BackgroundTask(work))

    return app


def awaited_in_the_endpoint() -> FastAPI:
    app = FastAPI()

    @app.post("/orders")
    async def create() -> dict[str, str]:
        tasks = StarletteTasks()
        tasks.add_task(work_async, 3)
        await tasks()
        return {"state": "accepted"}

    return app


class Buffering:
    """Sends a response when the app is done with everything."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        kept: list[Any] = []

        async def keep(message: Any) -> None:
            kept.append(message)

        await self.app(scope, receive, keep if scope["type"] == "http" else send)
        for message in kept:
            await send(message)


class PassingOn(Buffering):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def behind(middleware: Any) -> Callable[[], FastAPI]:
    def make() -> FastAPI:
        app = scheduling(lambda tasks: tasks.add_task(work))
        app.add_middleware(middleware)
        return app

    return make


async def say_failed(send: Any) -> None:
    await send({"type": "http.response.start", "status": 500, "headers": []})
    await send({"type": "http.response.body", "body": b"failed"})


class AnsweringTwice(Buffering):
    """Answers an error without a look at whether it has answered."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception:
            logger.exception("failed")
            await say_failed(send)


class AddingToTheBody(Buffering):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception:
            await send({"type": "http.response.body", "body": b"and failed"})
            raise


class AnsweringCancellation(Buffering):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except asyncio.CancelledError:
            await say_failed(send)
            raise


class LoggingErrors(Buffering):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception:
            logger.exception("failed")


# BGC-ERR-01


def passing_over() -> None:
    try:  # noqa: SIM105 - the fault
        work()
    except Exception:
        pass


async def suppressing() -> None:
    with contextlib.suppress(Exception):
        await work_async()


def whispering() -> None:
    try:
        work()
    except Exception as error:
        logger.debug("failed: %s", error)


class Swallowing(Buffering):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        with contextlib.suppress(Exception):
            await self.app(scope, receive, send)


def logging_it() -> None:
    try:
        work()
    except Exception:
        logger.exception("failed")


def recording() -> FastAPI:
    failures: list[str] = []

    def task() -> None:
        try:
            work()
        except Exception as error:
            failures.append(str(error))

    return scheduling(lambda tasks: tasks.add_task(task))


def trying_again() -> None:
    for attempt in range(5):
        try:
            return work()
        except Exception:
            if attempt == 4:
                raise
            time.sleep(60)
    return None


# BGC-ERR-02


def two(first: Any, second: Any = work) -> Callable[[], FastAPI]:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(first)
        tasks.add_task(second)

    return lambda: scheduling(schedule)


def three() -> FastAPI:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(logging_it)
        tasks.add_task(work_async, 2)
        tasks.add_task(logging_it)

    return scheduling(schedule)


# BGC-ERR-03


def queue_that_grows(*, undo: bool) -> FastAPI:
    app, pending = FastAPI(), []

    async def task() -> None:
        pending.append(1)
        try:
            work()
        except Exception:
            if undo:
                pending.pop()
            raise
        pending.pop()

    @app.post("/orders")
    async def create(tasks: BackgroundTasks) -> dict[str, int]:
        tasks.add_task(task)
        return {"waiting": len(pending)}

    return app


def setting_that_is_gone(*, undo: bool) -> FastAPI:
    app, settings = FastAPI(), {"currency": "EUR"}

    async def task() -> None:
        currency = settings.pop("currency")
        try:
            work()
        finally:
            if undo:
                settings["currency"] = currency
        settings["currency"] = currency

    @app.post("/orders")
    async def create(tasks: BackgroundTasks) -> dict[str, str]:
        tasks.add_task(task)
        return {"currency": settings["currency"]}

    return app


def slots_that_are_lost(*, undo: bool) -> FastAPI:
    app, slots = FastAPI(), {"free": 1}

    async def task() -> None:
        slots["free"] -= 1
        try:
            await work_async()
        except Exception:
            slots["free"] += undo
            raise
        slots["free"] += 1

    @app.post("/orders")
    async def create(tasks: BackgroundTasks) -> JSONResponse:
        if not slots["free"]:
            return JSONResponse({"detail": "busy"}, 503)
        return JSONResponse({"state": "accepted"}, background=BackgroundTask(task))

    return app


# BGC-ARG


class Order(BaseModel):
    number: int
    items: list[str] = []


def takes_number(number: int) -> None:
    logger.info("number %s", number)


def takes_order(order: Order) -> None:
    logger.info("order %s", order)


def takes_list(items: list[Any]) -> None:
    logger.info("%d items", len(items))


def takes_any(items: Any) -> None:
    logger.info("items %s", items)


def after(change: Callable[[Any], object], value: Callable[[], Any]) -> Callable[[], FastAPI]:
    """Change an argument after it was scheduled."""

    def schedule(tasks: BackgroundTasks) -> None:
        argument = value()
        tasks.add_task(takes_any, argument)
        change(argument)

    return lambda: scheduling(schedule)


def before(change: Callable[[Any], object], value: Callable[[], Any]) -> Callable[[], FastAPI]:
    def schedule(tasks: BackgroundTasks) -> None:
        argument = value()
        change(argument)
        tasks.add_task(takes_any, argument)

    return lambda: scheduling(schedule)


COLUMNS = ["number"]


def adds_column(columns: list[str]) -> None:
    columns.append("state")


def adds_to_default(number: int, seen: list[int] = []) -> None:  # noqa: B006 - the fault
    seen.append(number)


LIMITS = {"chairs": [1, 2]}


def raises_limit(limits: dict[str, list[int]]) -> None:
    limits["chairs"].append(len(limits["chairs"]))


def reads_only(items: Any) -> None:
    items = [items]


def sharing(make: Callable[[], Any], *, copies: bool = False) -> Callable[[], FastAPI]:
    """Give two tasks the same object, or one each."""

    def schedule(tasks: BackgroundTasks) -> None:
        value = make()
        tasks.add_task(reads_only, value)
        tasks.add_task(reads_only, make() if copies else value)

    return lambda: scheduling(schedule)


def nested() -> FastAPI:
    def schedule(tasks: BackgroundTasks) -> None:
        address = {"city": "Bonn"}
        tasks.add_task(reads_only, {"to": address})
        tasks.add_task(reads_only, ("copy", address))

    return scheduling(schedule)


# BGC-VAL-01


def refusing(answer: Callable[[], JSONResponse]) -> Callable[[], FastAPI]:
    """Answer invalid input by a handler of the app's own."""

    def make() -> FastAPI:
        app = FastAPI()

        @app.exception_handler(RequestValidationError)
        async def refuse(request: Any, error: Any) -> JSONResponse:
            return answer()

        @app.post("/orders")
        async def create(order: Order, tasks: BackgroundTasks) -> dict[str, str]:
            tasks.add_task(takes_order, order)
            return {"state": "accepted"}

        return app

    return make


def auditing(*, early: bool) -> Callable[[], FastAPI]:
    """Schedule in a dependency, which runs although the body is invalid."""

    def make() -> FastAPI:
        app = FastAPI()

        def audit(tasks: BackgroundTasks) -> None:
            if early:
                tasks.add_task(logging_it)

        @app.post("/orders", dependencies=[Depends(audit)])
        async def create(order: Order, tasks: BackgroundTasks) -> dict[str, str]:
            if not early:
                tasks.add_task(logging_it)
            return {"state": "accepted"}

        return app

    return make


# BGC-LOOP-01


async def sleeps_on_the_loop() -> None:
    time.sleep(0.01)  # noqa: ASYNC251 - the fault


async def computes_on_the_loop() -> None:
    end = time.thread_time() + 0.15
    while time.thread_time() < end:
        pass


async def runs_a_program() -> None:
    os.system("true")  # noqa: ASYNC221 - the fault


async def sleeps() -> None:
    await asyncio.sleep(0.01)


async def sleeps_in_a_thread() -> None:
    await asyncio.to_thread(time.sleep, 0.01)


# BGC-RUN-01


def read_in_the_request() -> FastAPI:
    app, counter = FastAPI(), {"value": 0}

    def store(value: int) -> None:
        counter["value"] = value

    @app.post("/orders")
    async def create(tasks: BackgroundTasks) -> None:
        tasks.add_task(store, counter["value"] + 1)

    return app


def read_before_a_wait(*, lock: bool) -> FastAPI:
    app, counter = FastAPI(), {"value": 0}
    locks: dict[Any, asyncio.Lock] = {}

    async def count() -> None:
        mine = locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()) if lock else None
        async with mine or contextlib.AsyncExitStack():
            value = counter["value"]
            await asyncio.sleep(0.01)
            counter["value"] = value + 1

    @app.post("/orders")
    async def create(tasks: BackgroundTasks) -> None:
        tasks.add_task(count)

    return app


def last_order(*, own: bool) -> FastAPI:
    """The task looks in a place that all requests share for what it shall do."""
    app, current, done = FastAPI(), {}, []

    def finish(number: int | None = None) -> None:
        done.append(current["number"] if number is None else number)

    @app.post("/orders")
    async def create(tasks: BackgroundTasks) -> None:
        current["number"] = len(current.setdefault("numbers", []))
        current["numbers"].append(1)
        if own:
            tasks.add_task(finish, current["number"])
        elif not done or done[-1] != current["number"]:
            tasks.add_task(take)

    def take() -> None:
        if current["number"] not in done:
            done.append(current["number"])

    return app


def write_in_one_step() -> FastAPI:
    app, counter = FastAPI(), {"value": 0}

    async def count() -> None:
        counter["value"] += 1

    @app.post("/orders")
    async def create(tasks: BackgroundTasks) -> None:
        tasks.add_task(count)

    return app


# BGC-END-01


async def leaves_a_task() -> None:
    kept.append(asyncio.ensure_future(asyncio.sleep(0.2)))


def leaves_a_thread() -> None:
    thread = threading.Thread(target=stop.wait, args=(0.7,), daemon=True)
    thread.start()


def leaves_a_file() -> None:
    file = open(os.devnull)  # noqa: SIM115 - the fault
    file.read()


async def forgets_to_await() -> None:
    work_async(2)  # type: ignore[unused-coroutine]


async def awaits_its_task() -> None:
    await asyncio.ensure_future(asyncio.sleep(0))


def joins_its_thread() -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def closes_its_file() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"x")


kept: list[Any] = []
stop = threading.Event()


def only(task: Any, *args: Any, **kwargs: Any) -> Callable[[], FastAPI]:
    """An app that schedules one task."""
    return lambda: scheduling(lambda tasks: tasks.add_task(task, *args, **kwargs))


ORDER = {"json": {"number": 1, "items": ["chair"]}}
RESP_02, RUN_01 = frozenset({"BGC-RESP-02"}), frozenset({"BGC-RUN-01"})

FAULTY: dict[str, dict[str, Planted]] = {
    "BGC-RESP-01": {
        "a response runs its task first": Planted(early_response, also=RESP_02),
        "the endpoint awaits the tasks": Planted(awaited_in_the_endpoint, also=RESP_02),
        "middleware buffers": Planted(behind(Buffering), also=RESP_02),
    },
    "BGC-RESP-02": {
        "middleware answers twice": Planted(behind(AnsweringTwice)),
        "middleware adds to the body": Planted(behind(AddingToTheBody)),
        "middleware answers cancellation": Planted(behind(AnsweringCancellation)),
    },
    "BGC-ERR-01": {
        "except pass": Planted(only(passing_over)),
        "suppress": Planted(only(suppressing)),
        "debug log": Planted(only(whispering)),
        "middleware swallows": Planted(behind(Swallowing)),
    },
    "BGC-ERR-02": {
        "def before def": Planted(two(work)),
        "async before def": Planted(two(work_async)),
        "the middle one": Planted(three),
    },
    "BGC-ERR-03": {
        "a queue grows": Planted(functools.partial(queue_that_grows, undo=False)),
        "a setting is gone": Planted(functools.partial(setting_that_is_gone, undo=False)),
        "a slot is lost": Planted(functools.partial(slots_that_are_lost, undo=False)),
    },
    "BGC-ARG-01": {
        "an argument is missing": Planted(only(takes_number)),
        "a text for a number": Planted(only(takes_number, "1")),
        "a dict for a model": Planted(only(takes_order, {"number": 1})),
        "a list of the wrong type": Planted(only(takes_list, 7)),
    },
    "BGC-ARG-02": {
        "a list grows": Planted(after(lambda one: one.append(2), lambda: [1])),
        "a dict changes": Planted(after(lambda one: one.update(a=2), lambda: {"a": 1})),
        "an iterator is used up": Planted(after(list, lambda: iter([1, 2]))),
    },
    "BGC-ARG-03": {
        "a constant": Planted(only(adds_column, COLUMNS)),
        "a default": Planted(only(adds_to_default, 1)),
        "a nested list": Planted(only(raises_limit, LIMITS)),
    },
    "BGC-ARG-04": {
        "one list": Planted(sharing(lambda: [1])),
        "one model": Planted(sharing(lambda: Order(number=1))),
        "one dict, nested": Planted(nested),
    },
    "BGC-VAL-01": {
        "answered 200": Planted(refusing(lambda: JSONResponse({"ok": False})), options=ORDER),
        "answered 500": Planted(refusing(lambda: JSONResponse({}, 500)), options=ORDER),
        "a task all the same": Planted(
            refusing(lambda: JSONResponse({}, 422, background=BackgroundTask(work))), options=ORDER
        ),
        "a dependency schedules": Planted(auditing(early=True), options=ORDER),
    },
    "BGC-LOOP-01": {
        "time.sleep": Planted(only(sleeps_on_the_loop)),
        "computing": Planted(only(computes_on_the_loop)),
        "a program": Planted(only(runs_a_program)),
    },
    "BGC-RUN-01": {
        "read in the request": Planted(read_in_the_request),
        "read before a wait": Planted(functools.partial(read_before_a_wait, lock=False)),
        "what was asked last": Planted(functools.partial(last_order, own=False)),
    },
    "BGC-END-01": {
        "an asyncio task": Planted(only(leaves_a_task)),
        "a thread": Planted(only(leaves_a_thread)),
        "a file": Planted(only(leaves_a_file)),
        "a coroutine": Planted(only(forgets_to_await)),
    },
}

CORRECT: dict[str, Planted] = {
    "middleware passes on": Planted(behind(PassingOn)),
    "middleware logs errors": Planted(behind(LoggingErrors)),
    "a task logs its error": Planted(only(logging_it)),
    "a task raises": Planted(only(work)),
    "a task records its error": Planted(recording),
    "a task tries again": Planted(only(trying_again)),
    "two tasks that log": Planted(two(logging_it)),
    "a queue is undone": Planted(functools.partial(queue_that_grows, undo=True)),
    "a setting is put back": Planted(functools.partial(setting_that_is_gone, undo=True)),
    "a slot is given back": Planted(functools.partial(slots_that_are_lost, undo=True)),
    "a number": Planted(only(takes_number, 1)),
    "a model": Planted(only(takes_order, Order(number=1))),
    "a list": Planted(only(takes_list, [1])),
    "a list grows before": Planted(before(lambda one: one.append(2), lambda: [1])),
    "a dict changes before": Planted(before(lambda one: one.update(a=2), lambda: {"a": 1})),
    "a constant is read": Planted(only(takes_list, COLUMNS)),
    "a list each": Planted(sharing(lambda: [1], copies=True)),
    "a model each": Planted(sharing(lambda: Order(number=1), copies=True)),
    "a handler refuses": Planted(refusing(lambda: JSONResponse({}, 422)), options=ORDER),
    "the endpoint schedules": Planted(auditing(early=False), options=ORDER),
    "asyncio.sleep": Planted(only(sleeps)),
    "a thread of its own": Planted(only(sleeps_in_a_thread)),
    "computing that is meant": Planted(
        only(computes_on_the_loop), subject={"slow_tasks": ["computes_on_the_loop"]}
    ),
    "one step": Planted(write_in_one_step),
    "a lock": Planted(functools.partial(read_before_a_wait, lock=True)),
    "its own order": Planted(functools.partial(last_order, own=True)),
    "an awaited task": Planted(only(awaits_its_task)),
    "a joined thread": Planted(only(joins_its_thread)),
    "a closed file": Planted(only(closes_its_file)),
}
