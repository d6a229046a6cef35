"""Back-offs of retry libraries take virtual time, and their bounds on time hold in it."""

from __future__ import annotations

from typing import Any

import pytest
from clock_support import Run

from bgcheck.runner.clock import VirtualClock

tenacity = pytest.importorskip("tenacity")
stamina = pytest.importorskip("stamina")


class Flaky:
    """Fails a number of times, then succeeds."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        self.left -= 1
        if self.left >= 0:
            raise ConnectionError
        return "sent"


def test_tenacity(clock: VirtualClock) -> None:
    retrying = tenacity.Retrying(
        wait=tenacity.wait_fixed(3600), stop=tenacity.stop_after_attempt(4)
    )
    with clock.enter_task("mail"):
        assert retrying(Flaky(3)) == "sent"
    assert clock.now == 3 * 3600
    assert {sleep.site.file for sleep in clock.sleeps if sleep.site} == {__file__}


def test_tenacity_decorator_made_before_the_block(clock: VirtualClock) -> None:
    with clock.enter_task(), pytest.raises(tenacity.RetryError):
        decorated(Flaky(99))
    assert clock.now == 1 + 2 + 4


@tenacity.retry(wait=tenacity.wait_exponential(), stop=tenacity.stop_after_attempt(4))
def decorated(flaky: Flaky) -> str:
    return flaky()


def test_tenacity_bounded_by_time_alone(clock: VirtualClock) -> None:
    retrying = tenacity.Retrying(wait=tenacity.wait_fixed(10), stop=tenacity.stop_after_delay(60))
    flaky = Flaky(10**9)
    with clock.enter_task(), pytest.raises(tenacity.RetryError):
        retrying(flaky)
    assert (clock.now, flaky.calls) == (60, 7)


def test_tenacity_async(run: Run, clock: VirtualClock) -> None:
    flaky = Flaky(3)

    async def send() -> str:
        return flaky()

    async def main() -> None:
        retrying = tenacity.AsyncRetrying(
            wait=tenacity.wait_fixed(10), stop=tenacity.stop_after_delay(60)
        )
        with clock.enter_task():
            assert await retrying(send) == "sent"

    run(main)
    assert clock.now == 30


def test_stamina(clock: VirtualClock) -> None:
    flaky = Flaky(3)
    retried = stamina.retry(on=ConnectionError, wait_initial=10, wait_jitter=0, wait_max=1000)(
        flaky
    )
    with clock.enter_task("mail"):
        assert retried() == "sent"
    assert clock.now == 10 + 20 + 40


def test_stamina_bounded_by_time_alone(clock: VirtualClock) -> None:
    flaky = Flaky(10**9)
    bounded = stamina.retry(
        on=ConnectionError, attempts=None, timeout=45, wait_initial=10, wait_jitter=0, wait_max=10
    )(flaky)
    with clock.enter_task(), pytest.raises(ConnectionError):
        bounded()
    assert 30 <= clock.now <= 50
    assert flaky.calls <= 6


def test_stamina_async(run: Run, clock: VirtualClock) -> None:
    flaky = Flaky(3)

    @stamina.retry(on=ConnectionError, wait_initial=10, wait_jitter=0, wait_max=1000)
    async def send() -> str:
        return flaky()

    async def main() -> None:
        with clock.enter_task():
            assert await send() == "sent"

    run(main)
    assert clock.now == 10 + 20 + 40


def test_tenacity_is_put_back_and_real_outside_tasks() -> None:
    import time

    def readings() -> Any:
        before = time.monotonic()
        return before, tenacity.time.monotonic(), time.monotonic()

    with VirtualClock() as clock:
        with clock.enter_task():
            time.sleep(1e6)
            assert tenacity.time.monotonic() > time.monotonic() + 1e5
            assert tenacity.time.sleep is time.sleep
        before, reading, after = readings()
        assert before <= reading <= after
        saved = tenacity.time
    assert tenacity.time is time
    assert saved.monotonic() < time.monotonic() + 1
