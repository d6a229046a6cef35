"""Call into an event loop from any thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from bgcheck.runner.clients.backends import in_trio


def threadsafe(function: Callable[[], object]) -> Callable[[], None]:
    """Return a function that calls `function` in the event loop of this thread, from any thread.

    From inside of the loop the call is made at once; so it is in the thread of an asyncio loop
    that stands still. A loop that has ended takes no more calls.
    """
    home = threading.get_ident()
    in_guest = in_trio()
    schedule = _scheduler()

    def call() -> None:
        inside = threading.get_ident() == home and in_trio() == in_guest
        with suppress(RuntimeError):  # the loop is closed, and nobody waits there any more
            function() if inside else schedule(function)

    return call


def _scheduler() -> Callable[[Callable[[], object]], object]:
    if in_trio():
        import trio

        return trio.lowlevel.current_trio_token().run_sync_soon
    return asyncio.get_running_loop().call_soon_threadsafe


def running_library() -> str | None:
    """Name the event loop library that runs the calling thread, if one does."""
    if in_trio():
        return "trio"
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return None
    return "asyncio"
