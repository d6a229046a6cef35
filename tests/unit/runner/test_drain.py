"""Draining a gate: counts, tasks scheduled meanwhile, limits and errors."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI

import bgcheck
from bgcheck.runner.errors import DrainLimitError


async def quiet() -> None:
    pass


async def fails() -> None:
    raise ValueError("first")


def app_of(*functions: Any) -> FastAPI:
    """An app whose POST schedules these functions."""
    app = FastAPI()

    @app.post("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        for function in functions:
            tasks.add_task(function)

    return app


def spreading(generations: int) -> FastAPI:
    """An app whose task schedules itself again, so many times."""
    app = FastAPI()

    async def spread(tasks: BackgroundTasks, left: int) -> None:
        if left:
            tasks.add_task(spread, tasks, left - 1)

    @app.post("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(spread, tasks, generations)

    return app


def test_every_end_is_counted(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    app = app_of(quiet, fails, quiet, quiet)
    with bgtasks.client(app) as client, bgtasks.hold() as gate:
        client.post("/")
        result = gate.drain(on_error="collect")
    assert (result.succeeded, result.failed, result.skipped, result.cancelled) == (1, 1, 2, 0)
    assert list(result.tasks) == list(bgtasks)
    assert [str(error) for error in result.errors] == ["first"]


def test_a_cancelled_task_is_counted(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.client(app_of(quiet, quiet)) as client, bgtasks.hold() as gate:
        client.post("/")
        bgtasks.cancel(quiet, at="start", times=1)
        result = gate.drain()
    assert (result.succeeded, result.cancelled, result.skipped) == (0, 1, 1)


def test_the_error_of_a_task_is_raised_when_all_are_through(
    bgtasks: bgcheck.BackgroundTasksLog,
) -> None:
    with bgtasks.client(app_of(fails)) as client, bgtasks.hold() as gate:
        client.post("/")
        client.post("/")
        with pytest.RaisesGroup(ValueError, ValueError, match="2 background tasks failed"):
            gate.drain()
    assert gate.pending == []


def test_tasks_that_tasks_schedule_are_included(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.client(spreading(20)) as client, bgtasks.hold() as gate:
        client.post("/")
        assert gate.drain().succeeded == 21


def test_growth_without_end_is_an_error_that_prints_the_chain(
    bgtasks: bgcheck.BackgroundTasksLog,
) -> None:
    with bgtasks.client(spreading(8)) as client, bgtasks.hold() as gate:
        client.post("/")
        with pytest.raises(DrainLimitError) as caught:
            gate.drain(limit=6)
    assert str(caught.value) == (
        "gate.drain() released 6 tasks, and spread is pending still.\n"
        "  the chain that grows: (2 before) -> spread -> spread -> spread -> spread -> spread\n"
        "  If that is meant, give a higher limit=; else release tasks one by one with "
        "gate.run_next()."
    )
    assert len(bgtasks) == 9


def test_many_tasks_of_one_request_are_no_chain(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.client(app_of(*[quiet] * 4)) as client, bgtasks.hold() as gate:
        client.post("/")
        with pytest.raises(DrainLimitError) as caught:
            gate.drain(limit=3)
    assert str(caught.value) == (
        "gate.drain() released 3 tasks, and quiet is pending still.\n"
        "  If that is meant, give a higher limit=; else release tasks one by one with "
        "gate.run_next()."
    )


def test_only_some_functions_are_drained(bgtasks: bgcheck.BackgroundTasksLog) -> None:
    with bgtasks.client(app_of(quiet, fails)) as client, bgtasks.hold() as gate:
        client.post("/")
        assert gate.drain(only=quiet).succeeded == 1
        assert [task.name for task in gate.pending] == ["fails"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "limit=0: it is at least 1"),
        ({"on_error": "ignore"}, "on_error='ignore': it is 'raise' or 'collect'"),
    ],
)
def test_a_wrong_option_is_refused(
    options: dict[str, Any], message: str, bgtasks: bgcheck.BackgroundTasksLog
) -> None:
    with bgtasks.hold() as gate, pytest.raises(ValueError) as caught:
        gate.drain(**options)
    assert str(caught.value) == message
