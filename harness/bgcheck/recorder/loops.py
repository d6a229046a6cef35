"""Tell event loops and asyncio tasks apart without keeping them alive or importing asyncio."""

from __future__ import annotations

import itertools
import sys
import weakref
from typing import Any

from bgcheck.recorder.identity import IdentityMap

_numbers: IdentityMap[int] = IdentityMap()
_next = itertools.count(1)


def loop_number() -> int | None:
    """Return a number that no other loop ever gets for the asyncio loop running here, or None."""
    asyncio = sys.modules.get("asyncio")
    loop = asyncio._get_running_loop() if asyncio is not None else None  # noqa: SLF001 - never raises
    if loop is None:
        return None
    number = _numbers.get(loop)
    if number is None:
        number = _numbers[loop] = next(_next)
    return number


def current_asyncio_task() -> weakref.ref[Any] | None:
    """Return a weak reference to the asyncio task that runs here, or None."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:  # noqa: SLF001
        return None
    running = asyncio.current_task()
    return None if running is None else weakref.ref(running)
