"""The calendar: real beside a virtual clock, and moved along by time-machine."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from clock_support import Run

from bgcheck.runner.clock import VirtualClock

time_machine = pytest.importorskip("time_machine")

NOON = dt.datetime(2026, 11, 24, 12, tzinfo=dt.timezone.utc)


def now() -> dt.datetime:
    return dt.datetime.now(tz=dt.timezone.utc)


def test_the_calendar_stays_real_by_itself(clock: VirtualClock) -> None:
    before = now()
    with clock.enter_task():
        time.sleep(3600)
    assert now() - before < dt.timedelta(hours=1)


def test_time_machine_moves_along(clock: VirtualClock) -> None:
    with time_machine.travel(NOON, tick=False) as traveller:
        clock.on_advance(traveller.shift)
        with clock.enter_task():
            time.sleep(3600)
            assert now() == NOON + dt.timedelta(hours=1)
            time.sleep(0.5)
            assert time.time() == NOON.timestamp() + 3600.5


def test_the_calendar_moves_before_anything_wakes(run: Run, clock: VirtualClock) -> None:
    import anyio

    moments: list[dt.datetime] = []

    async def main() -> None:
        with clock.enter_task():
            for _ in range(3):
                await anyio.sleep(60)
                moments.append(now())

    with time_machine.travel(NOON, tick=False) as traveller:
        clock.on_advance(traveller.shift)
        run(main)
    assert moments == [NOON + dt.timedelta(minutes=n) for n in (1, 2, 3)]


def test_advance_moves_the_calendar(clock: VirtualClock) -> None:
    with time_machine.travel(NOON, tick=False) as traveller:
        clock.on_advance(traveller.shift)
        clock.advance(90)
        assert now() == NOON + dt.timedelta(seconds=90)


def test_a_real_timeout_does_not_fire_when_the_calendar_jumps(
    run: Run, clock: VirtualClock
) -> None:
    import anyio

    async def main() -> None:
        with anyio.fail_after(10), clock.enter_task():
            await anyio.sleep(3600)

    with time_machine.travel(NOON) as traveller:
        clock.on_advance(traveller.shift)
        run(main)
    assert clock.now == 3600
