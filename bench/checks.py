"""Measure what the checks in `report` mode cost a request, against no bgcheck at all.

Run `python bench/checks.py`. Prints the median ratio of CPU time of `report` mode, and of
`--bgcheck=off`, to that of a request that nothing is patched for, and exits with 1 if `report` is
over its limit. The modes take turns in one process, so that a busy machine hits all.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from fastapi import BackgroundTasks, FastAPI

from bgcheck.checks.session import CheckSession
from bgcheck.config import Options
from bgcheck.instrument.hub import hub
from bgcheck.instrument.install import install, uninstall

LIMITS = {"bare ASGI request": 1.15, "TestClient request": 1.03}
"""The largest allowed ratio of report to bare."""

MODES = ("bare", "off", "report")

app = FastAPI()


async def process_item(item_id: int, action: str) -> None:
    """A task with two small params."""


@app.post("/items/{item_id}")
async def create_item(item_id: int, tasks: BackgroundTasks) -> None:
    """Schedule one task."""
    tasks.add_task(process_item, item_id, "create")


class Report:
    """Report mode as the plugin runs it: one test after the other, `requests` in each."""

    def __init__(self) -> None:
        self.session = CheckSession(Options(), "/")

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Take events for a block, with all that the checks have patched."""
        with self.session.instruments(), hub.connected(self.session.engine):
            yield

    def start_test(self) -> None:
        """Start a test, as the plugin does."""
        hub.restart()
        self.session.engine.start_test("test")

    def end_test(self) -> None:
        """End the test."""
        run = self.session.engine.current
        self.session.engine.finish_test()
        self.session.payload(self.session.kept(run.take_findings(), ()), run.take_tasks(), "test")
        hub.restart()


def asgi_requests(number: int) -> None:
    """Call the application directly."""
    asyncio.run(_asgi_requests(number))


async def _asgi_requests(number: int) -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: object) -> None: ...

    for _ in range(number):
        scope = {
            "type": "http", "method": "POST", "path": "/items/42", "headers": [],
            "query_string": b"", "root_path": "", "http_version": "1.1", "asgi": {"version": "3.0"},
        }  # fmt: skip
        await app(scope, receive, send)


def client_requests(number: int) -> None:
    """Send requests by TestClient."""
    from fastapi.testclient import TestClient

    with TestClient(app) as client:
        for _ in range(number):
            client.post("/items/42")


def spent(report: Report | None, requests: Callable[[int], None], number: int) -> float:
    """Return the seconds of CPU time of one test.

    The test before it is not counted: a session patches once, and the interpreter has to get used
    to what was patched, or put back.
    """
    started = 0.0
    for size in (number // 4, number):
        started = time.process_time()
        if report is not None:
            report.start_test()
        requests(size)
        if report is not None:
            report.end_test()
    return time.process_time() - started


def measure(requests: Callable[[int], None], number: int, rounds: int) -> dict[str, list[float]]:
    """Return the microseconds of CPU time of a request by mode, one for each round."""
    report = Report()
    requests(number)
    times: dict[str, list[float]] = {mode: [] for mode in MODES}
    for turn in range(rounds):
        for mode in MODES if turn % 2 else reversed(MODES):
            if mode != "bare":
                install()
            with report.connected() if mode == "report" else nullcontext():
                seconds = spent(report if mode == "report" else None, requests, number)
            times[mode].append(seconds / number * 1e6)
            if mode != "bare":
                uninstall()
    return times


def ratio(times: dict[str, list[float]], mode: str) -> float:
    """Return the median ratio of a mode to bare, round by round."""
    pairs = zip(times[mode], times["bare"], strict=True)
    return statistics.median(ours / bare for ours, bare in pairs)


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description="Measure what the checks cost a request.")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", choices=LIMITS, help="measure only this")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    over = False
    for name, (requests, number) in {
        "bare ASGI request": (asgi_requests, 200),
        "TestClient request": (client_requests, 40),
    }.items():
        if arguments.only in (None, name):
            times = measure(requests, number, arguments.rounds)
            report = ratio(times, "report")
            over |= report > LIMITS[name]
            print(  # noqa: T201
                f"{name:20} bare {min(times['bare']):.0f} us  off {ratio(times, 'off'):.3f}  "
                f"report {report:.3f}  limit {LIMITS[name]:.2f}"
            )
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
