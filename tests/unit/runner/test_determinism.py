"""The same scenario gives the same order, numbers and messages, whatever loop runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI

import bgcheck

EXPECTED = [
    "1 first(name='a') succeeded, POST /a, 1st request",
    "2 second(name='a') succeeded, POST /a, 1st request",
    "3 first(name='b') failed, POST /b, 2nd request",
    "4 second(name='b') skipped, POST /b, 2nd request",
    "5 third(name='a') succeeded, POST /a, 1st request",
]


@pytest.mark.parametrize("run", range(3))
def test_records_are_the_same_on_every_loop_and_run(
    run: int, make_client: Callable[..., Any], bgtasks: bgcheck.BackgroundTasksLog
) -> None:
    events: list[str] = []
    app = FastAPI()

    def third(name: str) -> None:
        events.append(f"third {name}")

    async def first(name: str) -> None:
        events.append(f"first {name}")
        if name == "b":
            raise ValueError(name)

    @app.post("/{name}")
    async def endpoint(name: str, tasks: BackgroundTasks) -> None:
        def second(name: str) -> None:
            events.append(f"second {name}")
            tasks.add_task(third, name)

        tasks.add_task(first, name)
        tasks.add_task(second, name)

    with make_client(app) as client:
        bgtasks.runner.adopt(client)
        with bgtasks.hold() as gate:
            client.post("/a")
            client.post("/b")
            result = gate.drain(on_error="collect")
    assert events == ["first a", "second a", "first b", "third a"]
    assert [str(error) for error in result.errors] == ["b"]
    assert [
        f"{task.number} {task.name}({task.params.describe()}) {task.outcome}, {task.request}"
        for task in bgtasks
    ] == EXPECTED
