"""Virtual time in event loops: the same promises on asyncio, uvloop and trio."""

from __future__ import annotations

import threading
import time
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest
from clock_support import LIMIT, Run, Work, blocked, turns, until

from bgcheck.runner.clock import VirtualClock, VirtualTimeError

# --- the issue's own case ---


@pytest.mark.parametrize("kind", ["def", "async def", "async def that blocks"])
def test_an_hour_under_a_real_timeout_of_ten_seconds(
    run: Run, clock: VirtualClock, kind: str
) -> None:
    async def task() -> None:
        if kind == "def":
            await anyio.to_thread.run_sync(time.sleep, 3600)
        elif kind == "async def":
            await anyio.sleep(3600)
        else:
            time.sleep(3600)  # noqa: ASYNC251  virtual

    async def request() -> None:
        with anyio.fail_after(10):
            with clock.enter_task(kind):
                await task()

    run(request)
    assert clock.now == 3600
    assert [(sleep.task, sleep.seconds) for sleep in clock.sleeps] == [(kind, 3600)]


def test_a_timeout_ends_in_virtual_time(run: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        with clock.enter_task():
            with anyio.move_on_after(10) as scope:
                await anyio.sleep(3600)
            assert scope.cancel_called
            with pytest.raises(TimeoutError), anyio.fail_after(5):
                await anyio.sleep_forever()
            with anyio.move_on_after(10) as scope:
                await anyio.sleep(9)
            assert not scope.cancel_called

    run(main)
    assert clock.now == 24


def test_a_deadline_that_moves(run: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        with clock.enter_task(), anyio.move_on_after(10) as scope:
            await anyio.sleep(5)
            scope.deadline += 20
            await anyio.sleep(3600)

    run(main)
    assert clock.now == 30


def test_sleep_until_takes_the_time_that_the_task_sees(run: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        with clock.enter_task():
            start = anyio.current_time()
            await anyio.sleep_until(start + 7)
            assert anyio.current_time() == start + 7

    run(main)
    assert clock.now == 7


def test_two_tasks_wake_in_order(run: Run, clock: VirtualClock) -> None:
    log: list[Any] = []

    async def one(seconds: float) -> None:
        await anyio.sleep(seconds)
        log.append((seconds, clock.now))

    async def main() -> None:
        with clock.enter_task():
            async with anyio.create_task_group() as group:
                group.start_soon(one, 20)
                group.start_soon(one, 10)

    run(main)
    assert log == [(10, 10), (20, 20)]


def test_sleeps_of_separate_tasks_interleave(run: Run, clock: VirtualClock) -> None:
    log: list[Any] = []

    async def ticker(name: str, period: float) -> None:
        with clock.enter_task(name):
            for _ in range(3):
                await anyio.sleep(period)
                log.append((name, clock.now))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ticker, "a", 3)
            group.start_soon(ticker, "b", 4)

    run(main)
    assert log == [("a", 3), ("b", 4), ("a", 6), ("b", 8), ("a", 9), ("b", 12)]


def test_def_tasks_in_worker_threads_interleave(run: Run, clock: VirtualClock) -> None:
    log: list[Any] = []

    def body(name: str, period: float) -> None:
        for _ in range(3):
            time.sleep(period)
            log.append((name, clock.now))

    async def task(name: str, period: float) -> None:
        with clock.enter_task(name):
            await anyio.to_thread.run_sync(body, name, period)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(task, "a", 3)
            group.start_soon(task, "b", 4)

    run(main)
    assert log == [("a", 3), ("b", 4), ("a", 6), ("b", 8), ("a", 9), ("b", 12)]


def test_ties_keep_the_order_in_which_they_were_set(run_asyncio: Run, clock: VirtualClock) -> None:
    log: list[int] = []

    async def one(number: int) -> None:
        await anyio.sleep(10)
        log.append(number)

    async def main() -> None:
        with clock.enter_task():
            async with anyio.create_task_group() as group:
                for number in range(20):
                    group.start_soon(one, number)

    run_asyncio(main)
    assert log == list(range(20))


# --- what counts as busy ---


def test_no_timeout_fires_while_a_thread_works(run: Run, clock: VirtualClock, work: Work) -> None:
    async def main() -> None:
        with clock.enter_task(), anyio.fail_after(10):
            assert await anyio.to_thread.run_sync(work) == "done"

    async def test() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(main)
            await blocked(clock, "running in a worker thread")
            assert clock.now == 0
            work.finish.set()

    run(test)
    assert clock.now == 0


def test_a_sleeping_task_waits_for_a_working_one(run: Run, clock: VirtualClock, work: Work) -> None:
    log: list[str] = []

    async def sleeps() -> None:
        with clock.enter_task():
            await anyio.sleep(1)
            log.append("slept")

    async def works() -> None:
        with clock.enter_task():
            log.append(await anyio.to_thread.run_sync(work))

    async def test() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(sleeps)
            group.start_soon(works)
            await blocked(clock, "running in a worker thread")
            assert log == []
            work.finish.set()

    run(test)
    assert log == ["done", "slept"]


def test_an_abandoned_thread_is_busy_until_it_ends(
    run: Run, clock: VirtualClock, work: Work
) -> None:
    abandon = "abandon_on_cancel" in anyio.to_thread.run_sync.__kwdefaults__
    option = {"abandon_on_cancel" if abandon else "cancellable": True}

    async def task(scope: anyio.CancelScope) -> None:
        with clock.enter_task():
            with scope:
                await anyio.to_thread.run_sync(work, **option)
            await anyio.sleep(5)

    async def test() -> None:
        scope = anyio.CancelScope()
        async with anyio.create_task_group() as group:
            group.start_soon(task, scope)
            await until(work.begun.is_set)
            scope.cancel()
            await until(lambda: clock.sleeps)
            await turns()
            assert clock.now == 0
            work.finish.set()

    run(test)
    assert clock.now == 5


def test_no_timeout_fires_while_a_socket_is_waited_for(run: Run, clock: VirtualClock) -> None:
    async def task(port: int) -> bytes:
        with clock.enter_task(), anyio.fail_after(10):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                return await stream.receive(5)

    async def test() -> None:
        answer = anyio.Event()

        async def serve(stream: Any) -> None:
            async with stream:
                await answer.wait()
                await stream.send(b"hello")

        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        received: list[bytes] = []

        async def client() -> None:
            received.append(await task(port))
            group.cancel_scope.cancel()

        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, serve)
            group.start_soon(client)
            await blocked(clock, "waiting for something real")
            assert clock.now == 0
            answer.set()
        assert received == [b"hello"]

    run(test)
    assert clock.now == 0


def test_an_event_that_real_code_sets_comes_before_the_timeout(
    run: Run, clock: VirtualClock
) -> None:
    async def task(event: anyio.Event) -> None:
        with clock.enter_task(), anyio.fail_after(10):
            await event.wait()

    async def test() -> None:
        event = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(task, event)
            await blocked(clock, "waiting for other code")
            event.set()

    run(test)
    assert clock.now == 0


def test_an_event_that_a_real_sleeper_sets_comes_before_the_timeout(
    run: Run, clock: VirtualClock
) -> None:
    async def task(event: anyio.Event) -> None:
        with clock.enter_task(), anyio.fail_after(10):
            await event.wait()

    async def test() -> None:
        event = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(task, event)
            await anyio.sleep(0.02)  # real time is what this is about
            event.set()

    run(test)
    assert clock.now == 0


def test_patience_with_real_code_ends() -> None:
    async def task(clock: VirtualClock) -> None:
        with clock.enter_task(), anyio.move_on_after(10):
            await anyio.Event().wait()

    async def test(clock: VirtualClock) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(task, clock)
            await until(lambda: clock.now)

    with VirtualClock(patience=0.01) as clock:
        anyio.run(test, clock)
    assert clock.now == 10


def test_no_patience_is_needed_for_a_socket(run: Run) -> None:
    async def test() -> None:
        answer, connected = anyio.Event(), anyio.Event()

        async def serve(stream: Any) -> None:
            async with stream:
                connected.set()
                await answer.wait()
                await stream.send(b"hello")

        async def client() -> None:
            with clock.enter_task(), anyio.fail_after(10):
                async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                    assert await stream.receive(5) == b"hello"
            group.cancel_scope.cancel()

        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, serve)
            group.start_soon(client)
            await connected.wait()
            await blocked(clock, "waiting for something real")
            assert clock.now == 0
            answer.set()

    with VirtualClock(patience=0) as clock:
        run(test)
    assert clock.now == 0


def test_real_code_that_comes_to_rest_is_not_waited_for(run: Run) -> None:
    async def task(over: anyio.Event) -> None:
        with clock.enter_task(), anyio.move_on_after(10):
            await anyio.Event().wait()
        over.set()

    async def real(over: anyio.Event) -> None:
        await anyio.sleep(0.02)  # real time is what this is about
        await over.wait()

    async def test() -> None:
        over = anyio.Event()
        with anyio.fail_after(LIMIT):
            async with anyio.create_task_group() as group:
                group.start_soon(task, over)
                group.start_soon(real, over)

    with VirtualClock(patience=3600) as clock:
        run(test)
    assert clock.now == 10


# --- what only virtual time can end ---


def test_a_cancelled_thread_sleeps_to_its_end(run: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        with clock.enter_task(), anyio.move_on_after(10) as scope:
            await anyio.to_thread.run_sync(time.sleep, 3600)
        assert scope.cancel_called

    run(main)
    assert clock.now == 3600


def test_an_event_that_nobody_sets_ends_by_its_timeout(run: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        with clock.enter_task(), anyio.move_on_after(10):
            await anyio.Event().wait()

    run(main)
    assert clock.now == 10


def test_a_consumer_waits_for_a_producer_that_sleeps(run: Run, clock: VirtualClock) -> None:
    log: list[Any] = []

    async def produce(send: Any) -> None:
        async with send:
            for number in range(3):
                await anyio.sleep(5)
                await send.send(number)

    async def main() -> None:
        send, receive = anyio.create_memory_object_stream(0)
        with clock.enter_task():
            async with anyio.create_task_group() as group, receive:
                group.start_soon(produce, send)
                log.extend([(number, clock.now) async for number in receive])

    run(main)
    assert log == [(0, 5), (1, 10), (2, 15)]


def test_a_lock_that_a_sleeper_holds(run: Run, clock: VirtualClock) -> None:
    log: list[float] = []

    async def one(lock: Any) -> None:
        async with lock:
            await anyio.sleep(10)
            log.append(clock.now)

    async def main(make: Any) -> None:
        with clock.enter_task():
            lock = make()
            async with anyio.create_task_group() as group:
                group.start_soon(one, lock)
                group.start_soon(one, lock)

    for make in (anyio.Lock, partial(anyio.Semaphore, 1), partial(anyio.CapacityLimiter, 1)):
        run(main, make)
    assert log == [10, 20, 30, 40, 50, 60]


def test_more_sleeping_threads_than_the_pool_holds(run: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        with clock.enter_task():
            limiter = anyio.CapacityLimiter(2)
            sleep = partial(anyio.to_thread.run_sync, time.sleep, 10, limiter=limiter)
            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(sleep)

    run(main)
    assert clock.now == 30


def test_a_sleep_behind_generators_and_context_managers(run: Run, clock: VirtualClock) -> None:
    async def ticks() -> Any:
        for number in range(3):
            event = anyio.Event()
            with anyio.move_on_after(10):
                await event.wait()
            yield number

    @asynccontextmanager
    async def slow() -> Any:
        await anyio.sleep(1)
        yield
        await anyio.sleep(1)

    async def main() -> None:
        with clock.enter_task():
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(slow())
                assert [number async for number in ticks()] == [0, 1, 2]

    run(main)
    assert clock.now == 32


# --- threads and loops inside each other ---


def test_a_thread_that_has_its_loop_sleep(run: Run, clock: VirtualClock) -> None:
    def body() -> None:
        anyio.from_thread.run(anyio.sleep, 10)
        anyio.from_thread.run_sync(lambda: None)
        time.sleep(1)
        anyio.from_thread.run(anyio.sleep, 10)

    async def main() -> None:
        with clock.enter_task():
            await anyio.to_thread.run_sync(body)

    run(main)
    assert clock.now == 21


def test_a_thread_with_a_loop_of_its_own(run: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        with clock.enter_task():
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.to_thread.run_sync, partial(anyio.run, anyio.sleep, 10))
                group.start_soon(anyio.sleep, 4)

    run(main)
    assert clock.now == 10


def test_a_loop_inside_a_marked_thread(run: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        await anyio.sleep(5)
        time.sleep(5)  # noqa: ASYNC251  virtual

    with clock.enter_task():
        run(main)
    assert clock.now == 10


def test_a_blocking_sleep_stops_the_loop_and_not_time(run: Run, clock: VirtualClock) -> None:
    log: list[Any] = []

    async def patient() -> None:
        await anyio.sleep(3)
        log.append(clock.now)

    async def main() -> None:
        with clock.enter_task():
            async with anyio.create_task_group() as group:
                group.start_soon(patient)
                await turns()
                time.sleep(10)  # noqa: ASYNC251  virtual
                log.append("blocked")

    run(main)
    assert log == ["blocked", 10]


# --- real time beside it ---


def test_real_tasks_of_the_same_loop_keep_real_time(run: Run, clock: VirtualClock) -> None:
    async def task() -> None:
        with clock.enter_task():
            await anyio.sleep(3600)

    async def main() -> None:
        before = anyio.current_time()
        async with anyio.create_task_group() as group:
            group.start_soon(task)
            with anyio.move_on_after(3600) as scope:
                await until(lambda: clock.now)
            await turns()
            assert not scope.cancel_called
        assert anyio.current_time() - before < 3600

    run(main)
    assert clock.now == 3600


def test_scope_all_gives_everything_virtual_time(run: Run) -> None:
    async def main() -> None:
        await anyio.sleep(100)
        with anyio.move_on_after(5):
            await anyio.sleep_forever()
        await anyio.to_thread.run_sync(time.sleep, 3)
        time.sleep(10)  # noqa: ASYNC251  virtual

    with VirtualClock(scope="all") as clock:
        run(main)
        assert clock.now == 118
        time.sleep(2)
    assert clock.now == 120
    assert {sleep.task for sleep in clock.sleeps} == {""}


# --- advance ---


def test_advance_is_awaited_in_a_loop(run: Run) -> None:
    log: list[Any] = []

    async def ticker() -> None:
        with clock.enter_task():
            while True:
                await anyio.sleep(10)
                log.append(clock.now)

    async def sleeper() -> None:
        with clock.enter_task():
            await anyio.to_thread.run_sync(time.sleep, 25)
            log.append(("thread", clock.now))

    async def test() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ticker)
            group.start_soon(sleeper)
            await until(lambda: len(clock.sleeps) == 2)
            await turns()
            assert clock.now == 0
            await clock.advance(35)
            assert (clock.now, log) == (35, [10, 20, ("thread", 25), 30])
            await clock.advance(5)
            assert (clock.now, log[4:]) == (40, [40])
            group.cancel_scope.cancel()

    with VirtualClock(auto=False) as clock:
        run(test)


def test_an_awaited_advance_gives_up_too(run: Run, clock: VirtualClock, work: Work) -> None:
    async def task() -> None:
        with clock.enter_task("report"):
            await anyio.to_thread.run_sync(work)

    async def test() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(task)
            await until(work.begun.is_set)
            with pytest.raises(VirtualTimeError, match="report: running in a worker thread"):
                await clock.advance(60, timeout=0.01)
            work.finish.set()

    run(test)
    assert clock.now == 0


def test_a_loop_in_another_thread_is_advanced_from_this_one(run: Run) -> None:
    log: list[float] = []
    asleep = threading.Event()

    async def main() -> None:
        with clock.enter_task():
            for _ in range(3):
                asleep.set()
                await anyio.sleep(10)
                log.append(clock.now)

    with VirtualClock(auto=False) as clock:
        thread = threading.Thread(target=run, args=(main,))
        thread.start()
        assert asleep.wait(10)
        clock.advance(25)
        assert (clock.now, log) == (25, [10, 20])
        clock.advance(5)
        thread.join(10)
    assert log == [10, 20, 30]


# --- the end of the block ---


def test_sleepers_wake_and_timeouts_go_on_in_real_time(run: Run) -> None:
    log: list[str] = []
    started: list[bool] = []

    async def sleeps() -> None:
        with clock.enter_task():
            await anyio.sleep(3600)
            log.append("woken")

    async def waits(event: anyio.Event) -> None:
        with clock.enter_task(), anyio.fail_after(3600):
            started.append(True)
            await event.wait()
            log.append("told")

    async def main() -> None:
        event = anyio.Event()
        async with anyio.create_task_group() as group:
            with clock:
                group.start_soon(sleeps)
                group.start_soon(waits, event)
                await until(lambda: clock.sleeps and started)
            await until(lambda: log)
            await turns()
            event.set()

    clock = VirtualClock(auto=False)
    run(main)
    assert log == ["woken", "told"]
    assert clock.now == 0


def test_the_site_of_a_sleep_is_the_line_of_user_code(run: Run, clock: VirtualClock) -> None:
    async def nap() -> None:
        await anyio.sleep(1)

    async def main() -> None:
        with clock.enter_task():
            await nap()

    run(main)
    (sleep,) = clock.sleeps
    assert sleep.site is not None
    assert sleep.site.file == __file__
    assert sleep.site.line == nap.__code__.co_firstlineno + 1
