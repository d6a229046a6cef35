"""Virtual time through `bgtasks`, on the clients that a test uses."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import anyio
import pytest
from fastapi import BackgroundTasks, FastAPI
from fastapi.testclient import TestClient

import bgcheck

HOUR = 3600


async def sleeps_async() -> None:
    await anyio.sleep(HOUR)


def sleeps() -> None:
    time.sleep(HOUR)


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()

    @app.post("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(sleeps_async)
        tasks.add_task(sleeps)

    return app


def test_an_hour_in_each_task(
    app: FastAPI, bgtasks: bgcheck.BackgroundTasksLog, anyio_backend: Any
) -> None:
    with bgtasks.virtual_time() as clock:
        with bgtasks.client(app, backend=anyio_backend) as client:
            client.post("/")
        assert clock.now == 2 * HOUR
    assert [task.outcome for task in bgtasks] == ["succeeded", "succeeded"]
    assert [sleep.task for sleep in clock.sleeps] == ["sleeps_async", "sleeps"]


def test_an_hour_behind_testclient(app: FastAPI, bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.virtual_time() as clock:
        TestClient(app).post("/")
        assert clock.now == 2 * HOUR


@pytest.mark.anyio
async def test_no_real_timeout_fires_early(
    app: FastAPI, bgtasks: bgcheck.BackgroundTasksLog, anyio_backend: Any
) -> None:
    with bgtasks.virtual_time() as clock:
        with anyio.fail_after(10):
            async with bgtasks.async_client(app) as client:
                await client.post("/")
                await client.drain()
        assert clock.now == 2 * HOUR


def test_time_moves_by_hand(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    moments: list[float] = []
    app = FastAPI()

    async def reminds() -> None:
        for _ in range(3):
            await asyncio.sleep(60)
            moments.append(clock.now)

    @app.post("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(reminds)

    with bgtasks.virtual_time(auto=False) as clock, bgtasks.client(app) as client:
        client.post("/")
        clock.advance(59)
        assert moments == []
        clock.advance(1)
        assert moments == [60]
        clock.advance(120)
        assert moments == [60, 120, 180]


def test_a_held_task_takes_no_time(app: FastAPI, bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with (
        bgtasks.virtual_time() as clock,
        bgtasks.client(app) as client,
        bgtasks.hold() as gate,
    ):
        client.post("/")
        gate.run_next()
        assert clock.now == HOUR
        gate.run_next()
        assert clock.now == 2 * HOUR
