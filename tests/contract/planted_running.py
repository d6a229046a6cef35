"""Planted apps by what their tasks do while they run, and what they leave."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import tempfile
import threading
import time
from typing import Any

from contract_lab import Planted, only, work, work_async
from fastapi import BackgroundTasks, FastAPI


async def sleeps_on_the_loop() -> None:
    time.sleep(0.01)  # noqa: ASYNC251 - the fault


def computing() -> FastAPI:
    """Return an app whose first task computes on the loop; the others would only take long."""
    quick: list[bool] = []

    async def computes() -> None:
        end = time.thread_time() + 0.15
        while not quick and time.thread_time() < end:
            pass
        quick.append(True)

    return only(computes)()


async def runs_a_program() -> None:
    os.system("true")  # noqa: ASYNC221 - the fault


async def sleeps() -> None:
    await asyncio.sleep(0.01)


async def sleeps_in_a_thread() -> None:
    await asyncio.to_thread(time.sleep, 0.01)


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
    """Return an app whose task does what was asked last, or what its own request asks."""
    app = FastAPI()
    orders: list[bool] = []
    done: list[int] = []

    def finish(number: int) -> None:
        if number not in done:
            done.append(number)

    def finish_last() -> None:
        finish(len(orders))

    @app.post("/orders")
    async def create(tasks: BackgroundTasks) -> None:
        orders.append(True)
        if own:
            tasks.add_task(finish, len(orders))
        else:
            tasks.add_task(finish_last)

    return app


def write_in_one_step() -> FastAPI:
    app, counter = FastAPI(), {"value": 0}

    async def count() -> None:
        counter["value"] += 1

    @app.post("/orders")
    async def create(tasks: BackgroundTasks) -> None:
        tasks.add_task(count)

    return app


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


FAULTY: dict[str, dict[str, Planted]] = {
    "BGC-LOOP-01": {
        "time.sleep": Planted(only(sleeps_on_the_loop)),
        "computing": Planted(computing),
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
    "asyncio.sleep": Planted(only(sleeps)),
    "a thread of its own": Planted(only(sleeps_in_a_thread)),
    "computing that is meant": Planted(computing, subject={"slow_tasks": ["computes"]}),
    "one step": Planted(write_in_one_step),
    "a lock": Planted(functools.partial(read_before_a_wait, lock=True)),
    "its own order": Planted(functools.partial(last_order, own=True)),
    "an awaited task": Planted(only(awaits_its_task)),
    "a joined thread": Planted(only(joins_its_thread)),
    "a closed file": Planted(only(closes_its_file)),
}
