"""The virtual clock that tests use."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from bgcheck.runner.clock import _errors
from bgcheck.runner.clock._core import Core, Scope
from bgcheck.runner.clock._retries import patch_tenacity
from bgcheck.runner.clock._state import MARK, Mark, running
from bgcheck.runner.clock._threads import patch_sleep, patch_threads, restore_sleep

if TYPE_CHECKING:
    from types import TracebackType

    from bgcheck.runner.clock._sleeps import Sleep


class Advance:
    """An advance of the clock inside an event loop; await it to go on when time has got there."""

    def __init__(self, clock: VirtualClock, seconds: float, limit: float) -> None:
        """Describe the advance, which is under way."""
        self._clock = clock
        self._seconds = seconds
        self._limit = limit
        self._awaited = False

    def __await__(self) -> Generator[Any, Any, None]:
        """Wait until the clock has moved, and everything due on the way has run.

        Raises:
            VirtualTimeError: code on the way did not end in time.
        """
        from bgcheck.runner.clock._loops import until_reached

        self._awaited = True
        yield from until_reached(self._clock._core, self._limit)  # noqa: SLF001
        self._clock._require_reached(self._seconds, self._limit)  # noqa: SLF001

    def __del__(self) -> None:
        """Warn about an await that was forgotten."""
        if not self._awaited:
            warnings.warn(
                f"clock.advance({self._seconds:g}) was never awaited.\n"
                f"Inside an event loop write: await clock.advance({self._seconds:g})",
                RuntimeWarning,
                stacklevel=2,
            )


class VirtualClock:
    """Virtual time for the code that runs inside `enter_task`, and for all that it starts.

    Time moves when every task in it sleeps (or, with `auto=False`, only by `advance`), and then
    straight to the next deadline. Code that runs, in a worker thread too, and code that waits for
    anything real keeps it from moving, so no timeout ever fires early.

    Example:
        >>> import time
        >>> with VirtualClock() as clock, clock.enter_task("report"):
        ...     time.sleep(3600)
        >>> clock.now
        3600.0
        >>> [(sleep.task, sleep.call, sleep.seconds) for sleep in clock.sleeps]
        [('report', 'time.sleep', 3600.0)]
    """

    def __init__(self, *, scope: Scope = "tasks", auto: bool = True, patience: float = 2.0) -> None:
        """Make a clock; entering it starts it.

        Args:
            scope: `"tasks"` leaves other code in real time, `"all"` gives it virtual time too.
            auto: move by itself when everything sleeps; False: move only by `advance`.
            patience: seconds of real time that a task which waits for an event, a queue or a lock
                is given to be woken by code that takes real time, while there is such code that
                could. Without a candidate the clock does not wait.

        Raises:
            ValueError: there is no such scope.
        """
        if scope not in ("tasks", "all"):
            raise _errors.bad_scope(scope)
        self._core = Core(scope, auto=auto, patience=patience)
        self._state: Literal["not entered", "on", "over"] = "not entered"
        self._run_until: Callable[..., object] | None = None
        self._settle: Callable[[], object] | None = None

    @property
    def now(self) -> float:
        """Seconds of virtual time since the clock began."""
        return self._core.now

    @property
    def sleeps(self) -> tuple[Sleep, ...]:
        """Every sleep in virtual time so far, in the order in which they began."""
        with self._core.lock:
            return tuple(self._core.sleeps)

    @property
    def waiting_for(self) -> list[str]:
        """What keeps time from moving at this moment, one line each."""
        return self._core.blockers()

    def advance(self, seconds: float, *, timeout: float = 30.0) -> Advance | None:
        """Move time forward, waking on the way whatever is due, each at its moment.

        Returns when time has got there. Inside a running event loop it cannot wait; there, await
        it: `await clock.advance(60)`.

        Args:
            seconds: how far, zero or more.
            timeout: seconds of real time to wait for running code on the way.

        Raises:
            ValueError: `seconds` is negative or not finite.
            VirtualTimeError: the clock is not running, or code on the way did not end in time.
        """
        from bgcheck.runner.clock._loops import in_event_loop

        if not (math.isfinite(seconds) and seconds >= 0):
            raise _errors.bad_seconds(seconds)
        self._require_on("clock.advance()")
        if self._settle is not None:
            self._settle()
        self._core.head_for(seconds)
        if in_event_loop():
            return Advance(self, seconds, timeout)
        if self._run_until is None:
            self._core.wait_reached(timeout)
        else:
            self._run_until(lambda: self._core.reached, timeout=timeout, poll=True)
        self._require_reached(seconds, timeout)
        return None

    def on_advance(self, callback: Callable[[float], object]) -> None:
        """Call back with the seconds moved, each time that time moves, before anything wakes.

        `clock.on_advance(traveller.shift)` moves time-machine's calendar along. The callback is
        called in the thread that moves time, and must not wait.

        Raises:
            VirtualTimeError: the clock is not running.
        """
        self._require_on("clock.on_advance()")
        self._core.moved.append(callback)

    def drive(
        self,
        run_until: Callable[..., object] | None,
        settle: Callable[[], object] | None = None,
    ) -> None:
        """Name the functions that run a paused event loop of this thread, for `advance`.

        Args:
            run_until: called with a condition, `timeout=` in seconds and `poll=True`.
            settle: called before time moves, to start what can start at the present moment.
        """
        self._run_until = run_until
        self._settle = settle
        self._core.pausing = run_until is not None

    def __enter__(self) -> VirtualClock:
        """Start the clock.

        Raises:
            VirtualTimeError: a virtual clock is running, or this one was used before.
        """
        from bgcheck.runner.clock._loops import patch_loops

        if running.core is not None:
            raise _errors.already_active(running.core.scope)
        if self._state == "over":
            raise _errors.used_twice()
        self._state = "on"
        self._core.on = True
        running.core = self._core
        patch_sleep()
        patch_threads(self._core.patches)
        patch_tenacity(self._core.patches)
        patch_loops(self._core)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the clock: what still sleeps wakes, timeouts go on in real time."""
        self._state = "over"
        running.core = None
        restore_sleep()
        self._core.patches.restore()
        self._core.stop()
        for watch in self._core.watches:
            watch.restore()

    @contextmanager
    def enter_task(self, label: str = "") -> Iterator[None]:
        """Give the calling asyncio task, trio task or thread virtual time for the block.

        Args:
            label: name of the task, for `sleeps` and messages.

        Raises:
            VirtualTimeError: the clock is not running.
        """
        from bgcheck.runner.clock._loops import enter_loop

        self._require_on("clock.enter_task()")
        patch_tenacity(self._core.patches)
        before = MARK.set(Mark(self._core, label))
        try:
            with enter_loop(self._core):
                yield
        finally:
            MARK.reset(before)
            self._core.step()

    def _require_on(self, what: str) -> None:
        if self._state != "on":
            raise _errors.not_active(what, self._state)

    def _require_reached(self, seconds: float, limit: float) -> None:
        if not self._core.reached:
            blockers = self.waiting_for
            self._core.give_up()
            raise _errors.cannot_advance(seconds, limit, blockers)
