"""Ways to let real time run without sleeping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from bgcheck.runner.clock import VirtualClock

Run = Callable[..., Any]
"""Runs an async function to its end in a new loop."""

LIMIT = 10
"""Seconds of real time after which a test that waits for something has failed."""
TURNS = 50
"""Turns of a loop after which whatever was going to happen by itself has happened."""


async def turns() -> None:
    """Let the loop run on without time."""
    for _ in range(TURNS):
        await anyio.lowlevel.checkpoint()


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run on until something holds."""
    while not condition():
        await anyio.lowlevel.checkpoint()


async def blocked(clock: VirtualClock, words: str) -> None:
    """Wait until the clock waits for something, and then a while longer."""
    await until(lambda: any(words in line for line in clock.waiting_for))
    await turns()


class Work:
    """Real work in a thread, as long as a test wants it to be."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.finish = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.finish.wait(LIMIT)
        return "done"
