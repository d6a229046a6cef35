"""Measure what the `bgtasks` fixture costs, against requests that nothing watches.

Run `python bench/recording.py`. Prints the CPU time of a request with tasks, bare and recorded, and
what one task and one request cost more. Bare and recorded take turns in one process, so that a busy
machine hits both; the least of all rounds counts.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from fastapi import BackgroundTasks, FastAPI

from bgcheck.instrument.install import install, uninstall
from bgcheck.recording import record

app = FastAPI()

REQUESTS = 100
"""Requests in one round, which is one test."""


async def process_item(item_id: int, action: str) -> None:
    """A task with two small params."""


async def update_item(payload: dict[str, object]) -> None:
    """A task with a payload."""


@app.post("/constants/{number}")
async def schedule_constants(number: int, tasks: BackgroundTasks) -> None:
    """Schedule tasks with two constants."""
    for _ in range(number):
        tasks.add_task(process_item, number, "create")


@app.post("/payload/{number}")
async def schedule_payload(number: int, tasks: BackgroundTasks) -> None:
    """Schedule tasks with a nested payload."""
    for item in range(number):
        tasks.add_task(update_item, {"id": item, "tags": ["a", "b"], "to": {"name": "x"}})


async def call(path: str) -> None:
    """Call the application directly."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: object) -> None: ...

    for _ in range(REQUESTS):
        scope = {
            "type": "http", "method": "POST", "path": path, "headers": [],
            "query_string": b"", "root_path": "", "http_version": "1.1", "asgi": {"version": "3.0"},
        }  # fmt: skip
        await app(scope, receive, send)


def spend(path: str, recording: Callable[[], AbstractContextManager[object]]) -> float:
    """Return the microseconds of CPU time of one request."""
    started = time.process_time()
    with recording():
        asyncio.run(call(path))
    return (time.process_time() - started) / REQUESTS * 1e6


def measure(path: str, rounds: int) -> tuple[float, float]:
    """Return the microseconds of one request, bare and recorded."""
    bare, recorded = [], []
    for _ in range(rounds):
        bare.append(spend(path, nullcontext))
        install()  # a session patches once, and not in each test
        recorded.append(spend(path, record))
        uninstall()
    return min(bare), min(recorded)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Measure what the bgtasks fixture costs.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--tasks", type=int, default=10, help="tasks of a request with many")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    many = arguments.tasks
    print(f"{'tasks':<24}{'bare us':>9}{'bgtasks us':>12}{'ratio':>7}{'us/task more':>14}")  # noqa: T201
    for kind in ("constants", "payload"):
        over = {}
        for number in (0, 1, many):
            bare, recorded = measure(f"/{kind}/{number}", arguments.rounds)
            over[number] = recorded - bare
            each = f"{(over[number] - over[0]) / number:.1f}" if number else "-"
            name = f"{number} with {kind}"
            print(f"{name:<24}{bare:>9.1f}{recorded:>12.1f}{recorded / bare:>7.2f}{each:>14}")  # noqa: T201


if __name__ == "__main__":
    main()
