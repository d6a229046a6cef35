"""Patches of anyio: its worker threads on asyncio, in which `def` tasks run."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from bgcheck.runner.clock._asyncio import watch_of
from bgcheck.runner.clock._state import core_here

if TYPE_CHECKING:
    from bgcheck.runner.clock._patching import ClockPatches


def patch_anyio(patches: ClockPatches) -> None:
    """Have anyio's worker threads count as busy: `def` tasks run in them."""
    if "anyio" not in sys.modules:
        return
    from anyio._backends import _asyncio as backend

    name = "run_sync_in_worker_thread"
    if hasattr(backend, "AsyncIOBackend"):
        patches.override(backend.AsyncIOBackend, name, _make_worker_method)
    else:
        patches.override(backend, name, _make_worker_call)


def _make_worker_method(original: Any) -> Any:
    call = _make_worker_call(original.__func__, skip=1)
    return classmethod(call)


def _make_worker_call(original: Any, skip: int = 0) -> Any:
    async def run_sync_in_worker_thread(*args: Any, **options: Any) -> Any:
        core = core_here()
        if core is None:
            return await original(*args, **options)
        job = core.new_job()
        bound = (*args[:skip], job.bind(args[skip]), *args[skip + 1 :])
        task = asyncio.current_task()
        watch = watch_of(core, asyncio.get_running_loop())
        watch.jobs[task] = job
        try:
            return await original(*bound, **options)
        finally:
            watch.jobs.pop(task, None)
            job.finish()

    return run_sync_in_worker_thread
