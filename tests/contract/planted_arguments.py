"""Planted apps by what they hand to their tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contract_lab import Planted, logger, only, scheduling, work
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from planted_errors import logging_it
from pydantic import BaseModel
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse


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


ORDER = {"json": {"number": 1, "items": ["chair"]}}


FAULTY: dict[str, dict[str, Planted]] = {
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
}

CORRECT: dict[str, Planted] = {
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
}
