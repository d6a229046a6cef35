"""Loops to run virtual time on, and ways to let real time run without sleeping."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clock_support import Run, Work

from bgcheck import modes
from bgcheck.runner.clock import VirtualClock


def _asyncio_run(function: Callable[..., Any], *args: Any) -> Any:
    return asyncio.run(function(*args))


def _uvloop_run(function: Callable[..., Any], *args: Any) -> Any:
    import uvloop

    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(function(*args))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def _trio_run(function: Callable[..., Any], *args: Any) -> Any:
    import trio

    return trio.run(function, *args)


@pytest.fixture(params=["asyncio", "uvloop", "trio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run an async function to its end, on asyncio, uvloop and trio in turn."""
    return _runner(request.param)


@pytest.fixture(params=["asyncio", "uvloop"])
def run_asyncio(request: pytest.FixtureRequest) -> Run:
    """Run an async function to its end, on asyncio and uvloop in turn."""
    return _runner(request.param)


def _runner(library: str) -> Run:
    pytest.importorskip(library)
    if library == "trio":
        try:
            importlib.import_module("anyio._backends._trio")
        except AttributeError:  # anyio 3 needs a trio that still has MultiError
            pytest.skip("this anyio cannot use this trio")
    return {"asyncio": _asyncio_run, "uvloop": _uvloop_run, "trio": _trio_run}[library]


@pytest.fixture(autouse=True, scope="module")
def _real_sleep(request: pytest.FixtureRequest) -> None:
    """Have clocks replace `time.sleep` themselves, also after tests that let it be kept."""
    modes.restore_sleep(request.session)


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    """A running virtual clock."""
    with VirtualClock() as clock:
        yield clock


@pytest.fixture
def work() -> Iterator[Work]:
    """Real work in a thread that lasts until the test ends it."""
    work = Work()
    yield work
    work.finish.set()
