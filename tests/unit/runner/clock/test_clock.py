"""The clock itself: how it is entered, advanced and left, and what it says when misused."""

from __future__ import annotations

import asyncio
import math
import re
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from bgcheck.runner.clock import VirtualClock, VirtualTimeError

REAL_SLEEP = (time.sleep,)


def sleeper(clock: VirtualClock, *seconds: float, log: list[Any] | None = None) -> threading.Thread:
    """Start a thread that sleeps in virtual time; return once it is asleep for the first time."""
    asleep = threading.Event()

    def body() -> None:
        with clock.enter_task("sleeper"):
            for one in seconds:
                asleep.set()
                time.sleep(one)
                if log is not None:
                    log.append(clock.now)

    thread = threading.Thread(target=body)
    thread.start()
    assert asleep.wait(10)
    return thread


def test_an_hour_of_time_sleep_takes_no_time(clock: VirtualClock) -> None:
    with clock.enter_task("report"):
        time.sleep(3600)
        time.sleep(0.5)
    assert clock.now == 3600.5


def test_other_code_keeps_real_time(clock: VirtualClock) -> None:
    with clock.enter_task("report"):
        time.sleep(1)
    time.sleep(0)
    assert (clock.now, len(clock.sleeps)) == (1, 1)


def test_time_time_and_monotonic_stay_real(clock: VirtualClock) -> None:
    wall, monotonic = time.time(), time.monotonic()
    with clock.enter_task():
        time.sleep(1e6)
        assert time.time() - wall < 1e5
        assert time.monotonic() - monotonic < 1e5


def test_sums_of_short_sleeps_are_exact(clock: VirtualClock) -> None:
    with clock.enter_task():
        for _ in range(10):
            time.sleep(0.1)
    assert clock.now == 1.0


def test_sleeps_tell_who_slept_how_long_when_and_where(clock: VirtualClock) -> None:
    with clock.enter_task("report"):
        time.sleep(2)
        line = sys._getframe().f_lineno - 1
        time.sleep(3)
    first, second = clock.sleeps
    assert (first.task, first.call, first.seconds, first.at) == ("report", "time.sleep", 2, 0)
    assert (second.seconds, second.at) == (3, 2)
    assert first.site is not None
    assert (first.site.file, first.site.line) == (__file__, line)
    assert str(first) == f"report: time.sleep(2) at 0 ({first.site})"


def test_a_bad_sleep_fails_as_it_does_in_real_time(clock: VirtualClock) -> None:
    with clock.enter_task():
        for bad in (-1, "1", None, math.nan, math.inf):
            with pytest.raises((TypeError, ValueError, OverflowError)) as real:
                REAL_SLEEP[0](bad)
            with pytest.raises(real.type, match=re.escape(str(real.value))):
                time.sleep(bad)
    assert clock.sleeps == ()


def test_everything_is_put_back() -> None:
    import concurrent.futures as futures

    def state() -> list[Any]:
        pool = vars(futures.ThreadPoolExecutor)
        return [
            time.sleep,
            [
                vars(asyncio.BaseEventLoop)[n]
                for n in ("call_later", "call_at", "time", "call_soon")
            ],
            [pool["submit"], pool["shutdown"], futures.Future.result, futures.Future.exception],
        ]

    before = state()
    with VirtualClock():
        assert state() != before
    assert state() == before


def test_everything_is_put_back_after_an_error() -> None:
    with pytest.raises(KeyError), VirtualClock():
        raise KeyError
    assert time.sleep is REAL_SLEEP[0]


def test_nothing_is_patched_before_the_block() -> None:
    VirtualClock()
    assert time.sleep is REAL_SLEEP[0]


def test_importing_the_runner_loads_no_clock() -> None:
    script = "import sys, bgcheck.runner; print('bgcheck.runner.clock' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_a_wrapper_saved_in_the_block_is_harmless_afterwards() -> None:
    with VirtualClock() as clock:
        saved = (time.sleep,)
        with clock.enter_task():
            saved[0](5)
    saved[0](0)
    assert clock.now == 5


def test_a_wrapper_put_back_afterwards_is_not_taken_for_the_real_sleep() -> None:
    with VirtualClock():
        saved = (time.sleep,)
    time.sleep = saved[0]
    with VirtualClock() as clock, clock.enter_task():
        time.sleep(5)
    assert clock.now == 5
    assert time.sleep is REAL_SLEEP[0]


def test_sleepers_wake_when_the_block_ends() -> None:
    log: list[float] = []
    with VirtualClock(auto=False) as clock:
        thread = sleeper(clock, 3600, log=log)
    thread.join(10)
    assert log == [0]
    assert clock.now == 0


def test_a_task_that_outlives_the_block_goes_on_in_real_time() -> None:
    with VirtualClock() as clock:
        entered = clock.enter_task()
        entered.__enter__()
    time.sleep(0)
    entered.__exit__(None, None, None)
    assert clock.sleeps == ()


# --- advance ---


def test_without_auto_time_moves_only_by_advance() -> None:
    log: list[float] = []
    with VirtualClock(auto=False) as clock:
        thread = sleeper(clock, 10, 10, 10, log=log)
        clock.advance(9)
        assert (clock.now, log) == (9, [])
        clock.advance(16)
        assert (clock.now, log) == (25, [10, 20])
        clock.advance(5)
        thread.join(10)
    assert log == [10, 20, 30]


def test_advance_with_nothing_asleep_moves_time(clock: VirtualClock) -> None:
    clock.advance(1.5)
    clock.advance(0)
    assert clock.now == 1.5


def test_advance_waits_for_running_code_and_names_it(clock: VirtualClock, work: Any) -> None:
    def body() -> None:
        with clock.enter_task("report"):
            work()

    thread = threading.Thread(target=body)
    thread.start()
    assert work.begun.wait(10)
    with pytest.raises(VirtualTimeError) as caught:
        clock.advance(60, timeout=0.01)
    assert str(caught.value) == (
        "clock.advance(60) is still waiting after 0.01 s of real time for:\n"
        "  report: running in a worker thread\n"
        "Virtual time never passes running code: let it end, or give advance(timeout=) more time."
    )
    assert clock.now == 0
    work.finish.set()
    thread.join(10)
    clock.advance(60)
    assert clock.now == 60


def test_on_advance_tells_how_far_time_moved(clock: VirtualClock) -> None:
    moved: list[float] = []
    clock.on_advance(moved.append)
    with clock.enter_task():
        time.sleep(2)
        time.sleep(0)
        time.sleep(0.5)
    clock.advance(10)
    assert moved == [2, 0.5, 10]


def test_drive_runs_a_paused_loop_during_advance(clock: VirtualClock) -> None:
    asked: list[Any] = []

    def run_until(condition: Any, timeout: float, poll: bool) -> None:
        asked.append((condition(), timeout, poll))

    clock.drive(run_until)
    clock.advance(3)
    assert asked == [(True, 30.0, True)]


# --- order ---


def test_threads_that_sleep_equally_long_wake_in_the_order_they_fell_asleep() -> None:
    log: list[int] = []
    with VirtualClock(auto=False) as clock:
        threads = []
        for number in range(5):
            asleep = threading.Event()

            def body(number: int = number, asleep: threading.Event = asleep) -> None:
                with clock.enter_task():
                    asleep.set()
                    time.sleep(10)
                    log.append(number)

            threads.append(threading.Thread(target=body))
            threads[-1].start()
            while len(clock.sleeps) <= number:
                asleep.wait(0.01)
        clock.advance(10)
        for thread in threads:
            thread.join(10)
    assert log == [0, 1, 2, 3, 4]


# --- misuse ---


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, -math.inf])
def test_advance_refuses_to_go_back(clock: VirtualClock, seconds: float) -> None:
    with pytest.raises(ValueError, match="forward") as caught:
        clock.advance(seconds)
    assert str(caught.value) == (
        f"clock.advance({seconds!r}): time only moves forward.\n"
        "Give a finite number of seconds, zero or more."
    )


def test_one_clock_at_a_time(clock: VirtualClock) -> None:
    with pytest.raises(VirtualTimeError) as caught, VirtualClock():
        pass
    assert str(caught.value) == (
        "virtual time is already on (scope='tasks'): one clock at a time.\n"
        "Use the clock of the outer block, or leave that block first."
    )
    with clock.enter_task():
        time.sleep(1)
    assert clock.now == 1


def test_a_clock_is_entered_once() -> None:
    clock = VirtualClock()
    with clock:
        pass
    with pytest.raises(VirtualTimeError) as caught, clock:
        pass
    assert str(caught.value) == (
        "this virtual clock is over: it can be entered once.\n"
        "Make another one: with bgtasks.virtual_time() as clock:"
    )


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda clock: clock.advance(1), "clock.advance()"),
        (lambda clock: clock.on_advance(print), "clock.on_advance()"),
        (lambda clock: clock.enter_task().__enter__(), "clock.enter_task()"),
    ],
)
def test_a_clock_is_used_in_its_block(call: Any, name: str) -> None:
    clock = VirtualClock()
    with pytest.raises(VirtualTimeError) as before:
        call(clock)
    with clock:
        pass
    with pytest.raises(VirtualTimeError) as after:
        call(clock)
    assert str(before.value) == (
        f"{name} needs a running virtual clock, and this one is not entered.\n"
        "Enter the clock first: with bgtasks.virtual_time() as clock:"
    )
    assert str(after.value) == (
        f"{name} needs a running virtual clock, and this one is over.\n"
        "Move the call into the block: with bgtasks.virtual_time() as clock:"
    )


def test_an_unknown_scope_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="scope") as caught:
        VirtualClock(scope="everything")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "virtual_time(scope='everything'): no such scope.\n"
        "Use 'tasks' (background tasks only, the default) or 'all' (every sleep and timeout)."
    )


def test_a_forgotten_await_is_told(clock: VirtualClock) -> None:
    async def forget() -> None:
        with pytest.warns(RuntimeWarning) as caught:
            clock.advance(60)
        assert str(caught[0].message) == (
            "clock.advance(60) was never awaited.\n"
            "Inside an event loop write: await clock.advance(60)"
        )

    asyncio.run(forget())
