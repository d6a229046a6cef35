"""The event loop around the calling code, whichever library it is of."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from bgcheck.runner.clock._watch import after_real_time

if TYPE_CHECKING:
    from bgcheck.runner.clock._core import Core


def _asyncio_loop() -> Any:
    asyncio = sys.modules.get("asyncio")
    return asyncio._get_running_loop() if asyncio is not None else None  # noqa: SLF001


def _trio_task() -> Any:
    trio = sys.modules.get("trio")
    try:
        return trio.lowlevel.current_task() if trio is not None else None
    except RuntimeError:
        return None


def in_event_loop() -> bool:
    """Whether the calling thread runs asyncio or trio at this moment."""
    return _trio_task() is not None or _asyncio_loop() is not None


def enter_loop(core: Core) -> AbstractContextManager[None]:
    """Note that the calling task or thread takes virtual time for the block."""
    if _trio_task() is not None:
        from bgcheck.runner.clock._trio_patches import enter_trio

        return enter_trio(core)
    if _asyncio_loop() is not None:
        from bgcheck.runner.clock._asyncio_patches import enter_asyncio

        return enter_asyncio(core)
    return _enter_thread(core)


@contextmanager
def _enter_thread(core: Core) -> Iterator[None]:
    if threading.get_ident() in core.threads.of_thread:
        yield
        return
    job = core.new_job()
    core.job_started(job)
    try:
        yield
    finally:
        core.job_ended(job)


def patch_loops(core: Core) -> None:
    """Patch the event loop libraries that are loaded."""
    from bgcheck.runner.clock._asyncio_patches import patch_asyncio

    patch_asyncio(core.patches)
    if "trio" in sys.modules:
        from bgcheck.runner.clock._trio_patches import patch_trio

        patch_trio(core)


def until_reached(core: Core, limit: float) -> Generator[Any, Any, None]:
    """Wait in the running loop until time has got where it was sent, or `limit` seconds passed."""
    if _trio_task() is not None:
        from bgcheck.runner.clock._trio_patches import wake_event

        wait, tell = wake_event()
    else:
        wait, tell = _wake_future()
    timer = after_real_time(limit, tell)
    core.when_reached(tell)
    try:
        yield from wait
    finally:
        timer.cancel()


def _wake_future() -> tuple[Generator[Any, Any, Any], Any]:
    loop = _asyncio_loop()
    future = loop.create_future()

    def wake() -> None:
        if not future.done():
            future.set_result(None)

    return future.__await__(), lambda: loop.call_soon_threadsafe(wake)
