"""Patches of trio: the start of runs, and worker threads, in which `def` tasks run."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

from bgcheck.runner.clock._state import core_here, running
from bgcheck.runner.clock._trio import TrioWatch, watch_here
from bgcheck.runner.clock._trio_wraps import current_task

if TYPE_CHECKING:
    from bgcheck.runner.clock._core import Core
    from bgcheck.runner.clock._patching import ClockPatches


@contextlib.contextmanager
def enter_trio(core: Core) -> Iterator[None]:
    """Give the running task virtual time for the block."""
    patch_threads(core.patches)
    watch_here(core)
    try:
        yield
    finally:
        core.step()


def wake_event() -> tuple[Generator[Any, Any, Any], Callable[[], None]]:
    """Return a wait in trio, and what ends it from any thread."""
    event = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def wake() -> None:
        with contextlib.suppress(trio.RunFinishedError):
            token.run_sync_soon(event.set)

    return event.wait().__await__(), wake


def patch_trio(core: Core) -> None:
    """Patch trio's threads, and the start of runs in virtual time."""
    from trio._core import _run

    patch_threads(core.patches)
    core.patches.override(_run, "setup_runner", _make_setup_runner)
    if core.scope == "all" and current_task() is not None:
        watch_here(core)


def _make_setup_runner(original: Any) -> Any:
    def setup_runner(*args: Any, **options: Any) -> Any:
        runner = original(*args, **options)
        core = core_here()
        if core is not None and not isinstance(runner.clock, trio.testing.MockClock):
            core.watches.append(TrioWatch(core, runner))
        return runner

    return setup_runner


# --- trio's worker threads ---


def patch_threads(patches: ClockPatches) -> None:
    """Have trio's worker threads count as busy: `def` tasks run in them."""
    from trio import _threads

    patches.override(_threads, "start_thread_soon", _make_start_thread)
    patches.override(_threads, "_send_message_to_trio", _make_send_message)


def _make_start_thread(original: Any) -> Any:
    def start_thread_soon(fn: Any, deliver: Any, *args: Any, **options: Any) -> Any:
        core = core_here()
        task = current_task()
        if core is None or task is None:
            return original(fn, deliver, *args, **options)
        job = core.new_job()
        watch_here(core).jobs[task] = job
        return original(job.bind(fn), deliver, *args, **options)

    return start_thread_soon


class _Answer(SimpleQueue[Any]):
    """The queue in which a thread gets trio's answer; tells whether it is there."""

    given = False

    def put_nowait(self, item: Any) -> None:
        self.given = True
        super().put_nowait(item)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        self.given = True
        super().put(item, block, timeout)


def _make_send_message(original: Any) -> Any:
    def send_message(token: Any, message: Any) -> Any:
        core = running.core
        job = core.threads.of_thread.get(threading.get_ident()) if core is not None else None
        if job is None:
            return original(token, message)
        answer = _Answer()
        object.__setattr__(message, "queue", answer)  # the message is frozen
        with job.core.waiting(job, lambda: answer.given):
            return original(token, message)

    return send_message
