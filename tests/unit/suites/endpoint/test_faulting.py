"""`endpoint.faulting`: each fault reaches the task that it is for, where it says."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI

from bgcheck.runner.clients.exchange import response_first_exchange
from bgcheck_suites.endpoint.faulting import all_faults, disconnected
from bgcheck_suites.endpoint.subject import RequestSpec, Subject
from bgcheck_suites.endpoint.trial import trial
from bgcheck_suites.endpoint.verify import verify

logger = logging.getLogger("faulting")
seen: list[bool] = []


def has_left() -> bool:
    exchange = response_first_exchange.get()
    assert exchange is not None
    return exchange.disconnected


async def work_async() -> None:
    seen.append(has_left())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    seen.append(has_left())


def wait_until_left() -> None:
    """Wait in the third request, whose loop in another thread lets the client go."""
    end = time.monotonic() + 5
    while len(seen) == 5 and not has_left() and time.monotonic() < end:
        pass


def work() -> None:
    seen.append(has_left())
    wait_until_left()
    seen.append(has_left())


def subject_of(task: Callable[..., Any]) -> Subject:
    app = FastAPI()

    @app.post("/orders")
    async def create(tasks: BackgroundTasks) -> None:
        tasks.add_task(task)

    return Subject(app, RequestSpec("POST /orders"))


def test_a_client_goes_away_amid_an_async_task() -> None:
    seen.clear()
    with trial(subject_of(work_async)) as made:
        made.discover()
        faults = [faulty.fault for faulty in disconnected(made, [work_async])]
    assert seen == [False, False, True, True, False, True]
    assert faults[0] == "the client goes away before the first task"
    assert faults[1].startswith("the client of work_async goes away at line ")


def test_a_client_goes_away_amid_a_task_in_a_thread() -> None:
    seen.clear()
    with trial(subject_of(work)) as made:
        made.send()
        faults = [faulty.fault for faulty in list(disconnected(made, [work]))[1:]]
    assert seen == [False, False, True, True, False, True]
    assert [fault.rpartition(": ")[2] for fault in faults] == ["wait_until_left()"]


def test_every_kind_of_fault_is_there() -> None:
    async def task() -> None:
        logger.info("working")
        await asyncio.sleep(0)

    with trial(subject_of(task)) as made:
        made.discover()
        faults = [faulty.fault for faulty in all_faults(made, made.functions)]
    for words in (
        *("task fails before its start", "task fails after its end", "task fails at line "),
        *("task is cancelled at its start", "task is cancelled at its first-await"),
        *("task is cancelled at line ", "the client goes away before the first task"),
        "goes away at line ",
    ):
        assert any(words in fault for fault in faults), (words, faults)


def blocking_when_it_fails() -> Callable[..., Any]:
    async def task() -> None:
        try:
            logger.info("working")
        except Exception:
            logger.exception("failed")
            time.sleep(60)  # noqa: ASYNC251 - the fault, in virtual time

    return task


def waiting_when_it_fails() -> Callable[..., Any]:
    async def task() -> None:
        try:
            logger.info("working")
        except Exception:
            logger.exception("failed")
            await asyncio.sleep(60)

    return task


def left_when_it_is_cancelled() -> Callable[..., Any]:
    async def task() -> None:
        child = asyncio.ensure_future(asyncio.sleep(0.2))
        try:
            await asyncio.sleep(0)
        except Exception:
            logger.exception("failed")
        await child

    return task


def ended_when_it_is_cancelled() -> Callable[..., Any]:
    async def task() -> None:
        child = asyncio.ensure_future(asyncio.sleep(0.05))
        try:
            await asyncio.sleep(0)
        finally:
            child.cancel()
            await asyncio.wait([child])

    return task


@pytest.mark.parametrize(
    ("id_", "make", "status", "where"),
    [
        ("BGC-LOOP-01", blocking_when_it_fails, "fail", "It happens where task fails at line "),
        ("BGC-LOOP-01", waiting_when_it_fails, "pass", ""),
        ("BGC-END-01", left_when_it_is_cancelled, "fail", "It happens where task is cancelled at"),
        ("BGC-END-01", ended_when_it_is_cancelled, "pass", ""),
    ],
)
def test_what_happens_after_a_fault_counts(
    id_: str, make: Callable[[], Any], status: str, where: str
) -> None:
    verdict = verify(subject_of(make()), id_)
    assert verdict.status == status
    assert where in verdict.message
