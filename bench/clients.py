"""CPU time of one request with one async task, by client, against the bare ASGI call.

Run: python bench/clients.py [--requests N] [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from time import process_time
from typing import Any

from bgcheck.runner.clients import async_client, client

warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")

Measure = Callable[[Any, int], float]


def make_app() -> Any:
    """Return a FastAPI app whose one endpoint schedules one async task."""
    from fastapi import BackgroundTasks, FastAPI

    async def task(number: int) -> None:
        app.state.done += number

    async def endpoint(tasks: BackgroundTasks) -> dict[str, int]:
        tasks.add_task(task, 1)
        return {"id": 42}

    app = FastAPI()
    app.state.done = 0
    app.post("/items")(endpoint)
    return app


@contextmanager
def cpu_time() -> Iterator[list[float]]:
    """Yield a list that gets the CPU seconds of the block, all threads together."""
    result: list[float] = []
    gc.collect()
    started = process_time()
    yield result
    result.append(process_time() - started)


def repeat(post: Callable[[], Any], requests: int) -> float:
    """Return the CPU seconds of one call, after some that warm up."""
    for _ in range(20):
        post()
    with cpu_time() as spent:
        for _ in range(requests):
            post()
    return spent[0] / requests


async def repeat_async(post: Callable[[], Awaitable[Any]], requests: int) -> float:
    """Return the CPU seconds of one call, after some that warm up."""
    for _ in range(20):
        await post()
    with cpu_time() as spent:
        for _ in range(requests):
            await post()
    return spent[0] / requests


def bare(app: Any, requests: int) -> float:
    """The application called without any client."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/items",
        "raw_path": b"/items",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
        "client": ("testclient", 50000),
        "server": ("testserver", 80),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        pass

    return asyncio.run(repeat_async(lambda: app(dict(scope), receive, send), requests))


def response_first(backend: str, **options: Any) -> Measure:
    """The response-first client on a backend."""

    def measure(app: Any, requests: int) -> float:
        with client(app, backend=backend, backend_options=options) as http:
            return repeat(lambda: http.post("/items"), requests)

    return measure


def response_first_async(app: Any, requests: int) -> float:
    """The response-first async client on asyncio."""

    async def measure() -> float:
        async with async_client(app) as http:
            return await repeat_async(lambda: http.post("/items"), requests)

    return asyncio.run(measure())


def asgi_transport(app: Any, requests: int) -> float:
    """The HTTP library's own ASGITransport."""
    from bgcheck.runner.clients.http_library import httpx

    async def measure() -> float:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
            return await repeat_async(lambda: http.post("/items"), requests)

    return asyncio.run(measure())


def testclient(app: Any, requests: int) -> float:
    """Starlette's TestClient within `with`."""
    from starlette.testclient import TestClient

    with TestClient(app) as http:
        return repeat(lambda: http.post("/items"), requests)


def testclient_without_with(app: Any, requests: int) -> float:
    """Starlette's TestClient without `with`."""
    from starlette.testclient import TestClient

    http = TestClient(app)
    return repeat(lambda: http.post("/items"), requests)


def uvloop_installed() -> bool:
    """Whether uvloop can be measured."""
    try:
        import uvloop  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


def measures() -> dict[str, Measure]:
    """Return what is measured, by name; the first is the unit."""
    rows: dict[str, Measure] = {
        "bare ASGI call": bare,
        "response-first client": response_first("asyncio"),
        "response-first client, trio": response_first("trio"),
        "response-first async client": response_first_async,
        "ASGITransport": asgi_transport,
        "TestClient, in with": testclient,
        "TestClient, without with": testclient_without_with,
    }
    if uvloop_installed():
        rows["response-first client, uvloop"] = response_first("asyncio", use_uvloop=True)
    return rows


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500, help="requests in a round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; the median counts")
    options = parser.parse_args()
    rows = measures()
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(options.rounds):
        for name, measure in rows.items():
            times[name].append(measure(make_app(), options.requests))
    unit = statistics.median(times["bare ASGI call"])
    print(f"{'client':<32}{'CPU us/request':>15}{'x bare':>9}")  # noqa: T201
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"{name:<32}{median * 1e6:>15.0f}{median / unit:>9.1f}")  # noqa: T201


if __name__ == "__main__":
    main()
