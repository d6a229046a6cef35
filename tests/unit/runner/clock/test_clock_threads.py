"""Virtual `time.sleep` in threads and thread pools."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from clock_support import LIMIT, Work

from bgcheck.runner.clock import VirtualClock


def test_a_pool_used_by_a_task(clock: VirtualClock) -> None:
    log: list[Any] = []

    def body(name: str, seconds: float) -> str:
        time.sleep(seconds)
        log.append((name, clock.now))
        return name

    with clock.enter_task("root"), ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(body, name, n) for name, n in (("a", 20), ("b", 10), ("c", 5))]
        assert [future.result() for future in futures] == ["a", "b", "c"]
        assert futures[0].exception() is None
        assert list(pool.map(body, "de", (1, 2))) == ["d", "e"]
        pool.submit(body, "f", 3)
    assert log == [("b", 10), ("c", 15), ("a", 20), ("d", 21), ("e", 22), ("f", 25)]
    assert {sleep.task for sleep in clock.sleeps} == {"root"}


def test_a_pool_of_other_code_keeps_real_time(clock: VirtualClock) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 0).result()
    assert clock.sleeps == ()


def test_errors_and_arguments_pass_through(clock: VirtualClock) -> None:
    def body(*args: Any, **kwargs: Any) -> None:
        raise LookupError(args, kwargs)

    with clock.enter_task(), ThreadPoolExecutor(1) as pool:
        future = pool.submit(body, 1, x=2)
        assert str(future.exception()) == "((1,), {'x': 2})"
        with pytest.raises(LookupError):
            future.result()
        with pytest.raises(TypeError):
            pool.submit()  # type: ignore[call-arg]
    with clock.enter_task(), pytest.raises(RuntimeError):
        pool.submit(time.sleep, 1)
    assert clock.waiting_for == []


def test_a_call_that_is_cancelled_before_it_starts_keeps_nothing(clock: VirtualClock) -> None:
    with clock.enter_task(), ThreadPoolExecutor(1) as pool:
        first = pool.submit(time.sleep, 10)
        second = pool.submit(time.sleep, 10)
        assert second.cancel()
        first.result()
        time.sleep(1)
    assert clock.now == 11


def test_a_working_thread_of_a_pool_keeps_time_from_moving(clock: VirtualClock, work: Work) -> None:
    woken = threading.Event()

    def task() -> None:
        with clock.enter_task("task"), ThreadPoolExecutor(1) as pool:
            pool.submit(work)
            time.sleep(10)
            woken.set()

    thread = threading.Thread(target=task)
    thread.start()
    assert work.begun.wait(LIMIT)
    while not clock.sleeps:
        woken.wait(0.001)
    assert clock.waiting_for == ["task: running in a worker thread"]
    assert clock.now == 0
    work.finish.set()
    thread.join(LIMIT)
    assert clock.now == 10


def test_a_future_of_real_code_keeps_time_from_moving(clock: VirtualClock) -> None:
    real: Future[str] = Future()
    answers: list[str] = []

    def sleeper() -> None:
        with clock.enter_task("sleeper"):
            time.sleep(10)

    def task() -> None:
        with clock.enter_task("task"):
            answers.append(real.result(LIMIT))

    threads = [threading.Thread(target=task), threading.Thread(target=sleeper)]
    for thread in threads:
        thread.start()
    while not clock.sleeps or not clock.waiting_for:
        threads[1].join(0.001)
    assert clock.waiting_for == ["task: running in a worker thread"]
    assert clock.now == 0
    real.set_result("there")
    for thread in threads:
        thread.join(LIMIT)
    assert answers == ["there"]
    assert clock.now == 10


def test_an_interrupted_sleep_leaves_nothing(clock: VirtualClock) -> None:
    class Interrupt(BaseException):
        pass

    def interrupt(_seconds: float) -> None:
        raise Interrupt

    clock.on_advance(interrupt)
    with pytest.raises(Interrupt), clock.enter_task():
        time.sleep(10)
    assert clock.waiting_for == []


def test_entering_twice_in_one_thread(clock: VirtualClock) -> None:
    with clock.enter_task("outer"), clock.enter_task("inner"):
        time.sleep(1)
    assert [sleep.task for sleep in clock.sleeps] == ["inner"]
    assert clock.now == 1
