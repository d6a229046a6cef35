"""Planted apps whose tasks fail: in silence, to the harm of others, or as they should."""

from __future__ import annotations

import contextlib
import functools
import time

from contract_lab import Planted, logger, only, scheduling, two, work, work_async
from fastapi import BackgroundTasks, FastAPI
from planted_responses import Swallowing, behind
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse


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


FAULTY: dict[str, dict[str, Planted]] = {
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
}

CORRECT: dict[str, Planted] = {
    "a task logs its error": Planted(only(logging_it)),
    "a task raises": Planted(only(work)),
    "a task records its error": Planted(recording),
    "a task tries again": Planted(only(trying_again)),
    "two tasks that log": Planted(two(logging_it)),
    "a queue is undone": Planted(functools.partial(queue_that_grows, undo=True)),
    "a setting is put back": Planted(functools.partial(setting_that_is_gone, undo=True)),
    "a slot is given back": Planted(functools.partial(slots_that_are_lost, undo=True)),
}
