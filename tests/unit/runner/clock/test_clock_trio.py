"""Virtual time in trio's own calls; without anyio, so that every anyio runs them."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from clock_support import LIMIT, TURNS, Work

from bgcheck.runner.clock import VirtualClock, VirtualTimeError

trio = pytest.importorskip("trio")
pytest.importorskip("trio.testing")


async def turns() -> None:
    for _ in range(TURNS):
        await trio.lowlevel.checkpoint()


async def until(condition: Any) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, "it never came to hold"
        await trio.lowlevel.checkpoint()


def test_sleeps_and_timeouts(clock: VirtualClock) -> None:
    async def main() -> None:
        with trio.fail_after(10), clock.enter_task("report"):
            await trio.sleep(3600)
            await trio.sleep_until(trio.current_time() + 40)
            with trio.move_on_after(10) as scope:
                await trio.sleep_forever()
            assert scope.cancelled_caught
            with pytest.raises(trio.TooSlowError), trio.fail_at(trio.current_time() + 5):
                await trio.Event().wait()
            await trio.sleep(0)

    trio.run(main)
    assert clock.now == 3655
    assert [(s.task, s.call, s.seconds, s.at) for s in clock.sleeps] == [
        ("report", "trio.sleep", 3600, 0),
        ("report", "trio.sleep", 40, 3600),
    ]


def test_def_tasks_in_worker_threads(clock: VirtualClock, work: Work) -> None:
    async def main() -> None:
        with clock.enter_task():
            await trio.to_thread.run_sync(time.sleep, 3600)
            with trio.fail_after(10):
                assert await trio.to_thread.run_sync(work) == "done"

    async def test() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(main)
            await until(work.begun.is_set)
            await turns()
            assert clock.now == 3600
            work.finish.set()

    trio.run(test)
    assert clock.now == 3600


def test_nurseries_channels_and_threads_that_call_back(clock: VirtualClock) -> None:
    log: list[float] = []

    async def produce(send: Any) -> None:
        async with send:
            for _ in range(2):
                await trio.sleep(5)
                await send.send(clock.now)

    def body(token: Any) -> None:
        trio.from_thread.run(trio.sleep, 10)
        trio.from_thread.run(trio.sleep, 10, trio_token=token)
        trio.from_thread.run_sync(lambda: None)

    async def main() -> None:
        send, receive = trio.open_memory_channel(0)
        with clock.enter_task():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(produce, send)
                log.extend([moment async for moment in receive])
            await trio.to_thread.run_sync(body, trio.lowlevel.current_trio_token())

    trio.run(main)
    assert log == [5, 10]
    assert clock.now == 30


def test_no_timeout_fires_while_a_socket_is_waited_for(clock: VirtualClock) -> None:
    async def task(end: Any) -> None:
        with clock.enter_task(), trio.fail_after(10):
            assert await end.recv(5) == b"hello"

    async def main() -> None:
        ours, theirs = trio.socket.socketpair()
        with ours, theirs:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(task, theirs)
                await until(lambda: clock.waiting_for)
                await turns()
                assert clock.now == 0
                await ours.send(b"hello")

    trio.run(main)
    assert clock.now == 0


def test_a_scope_of_real_time_around_and_beside(clock: VirtualClock) -> None:
    async def task() -> None:
        with clock.enter_task():
            await trio.sleep(3600)

    async def main() -> None:
        with trio.move_on_after(3600) as around:
            before = trio.current_time()
            await task()
            assert trio.current_time() - before < 3600
        assert not around.cancel_called
        with trio.move_on_after(0.001) as short:  # real time is what this is about
            await trio.sleep_forever()
        assert short.cancelled_caught

    trio.run(main)
    assert clock.now == 3600


def test_a_run_is_put_back() -> None:
    async def main() -> None:
        from trio._core._run import GLOBAL_RUN_CONTEXT

        runner = GLOBAL_RUN_CONTEXT.runner
        before = (runner.clock, runner.deadlines)
        with VirtualClock(auto=False) as clock:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sleeper, clock)
                await until(lambda: clock.sleeps)
                assert (runner.clock, runner.deadlines) != before
                clock.__exit__(None, None, None)
                await until(lambda: log)
                assert (runner.clock, runner.deadlines) == before

    log: list[float] = []

    async def sleeper(clock: VirtualClock) -> None:
        with clock.enter_task(), trio.fail_after(7200):
            await trio.sleep(3600)
            log.append(clock.now)

    trio.run(main)
    assert log == [0]


def test_a_guest_run(clock: VirtualClock) -> None:
    import queue

    steps: queue.SimpleQueue[Any] = queue.SimpleQueue()
    outcomes: list[Any] = []

    async def main() -> str:
        with clock.enter_task():
            with trio.move_on_after(10):
                await trio.sleep_forever()
            await trio.to_thread.run_sync(time.sleep, 5)
        return "done"

    trio.lowlevel.start_guest_run(
        main, run_sync_soon_threadsafe=steps.put, done_callback=outcomes.append
    )
    while not outcomes:
        steps.get(timeout=LIMIT)()
    assert outcomes[0].unwrap() == "done"
    assert clock.now == 15


def test_a_mock_clock_is_refused(clock: VirtualClock) -> None:
    async def main() -> None:
        with pytest.raises(VirtualTimeError) as caught, clock.enter_task():
            pass
        assert str(caught.value) == (
            "this run of trio has a MockClock, which moves time for the whole run already.\n"
            "Use one of the two: leave out virtual_time(), or the clock= of trio.run "
            "(the fixtures mock_clock and autojump_clock)."
        )

    trio.run(main, clock=trio.testing.MockClock())


def test_trio_and_asyncio_share_time(clock: VirtualClock) -> None:
    import asyncio

    log: list[Any] = []
    both = threading.Barrier(2)

    async def in_trio() -> None:
        with clock.enter_task():
            both.wait(LIMIT)
            for _ in range(2):
                await trio.sleep(4)
                log.append(("trio", clock.now))

    async def in_asyncio() -> None:
        with clock.enter_task():
            both.wait(LIMIT)
            for _ in range(3):
                await asyncio.sleep(3)
                log.append(("asyncio", clock.now))

    threads = [
        threading.Thread(target=trio.run, args=(in_trio,)),
        threading.Thread(target=lambda: asyncio.run(in_asyncio())),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert log == [("asyncio", 3), ("trio", 4), ("asyncio", 6), ("trio", 8), ("asyncio", 9)]


def test_scope_all_holds_for_runs_that_begin_in_the_block() -> None:
    async def main() -> None:
        await trio.sleep(100)
        await trio.to_thread.run_sync(time.sleep, 10)

    with VirtualClock(scope="all") as clock:
        trio.run(main)
    assert clock.now == 110
