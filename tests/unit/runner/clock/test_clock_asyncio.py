"""Virtual time in asyncio's own calls, on its loop and on uvloop's."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import Any

import pytest
from clock_support import LIMIT, Run, Work, blocked, turns, until

from bgcheck.runner.clock import VirtualClock

since_311 = pytest.mark.skipif(sys.version_info < (3, 11), reason="new in Python 3.11")
since_312 = pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")


# --- timers ---


def test_call_later_and_call_at(run_asyncio: Run, clock: VirtualClock) -> None:
    log: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        with clock.enter_task():
            start = loop.time()
            loop.call_later(20, done.set_result, None)
            loop.call_later(10, lambda: log.append(("later", clock.now)))
            handle = loop.call_at(start + 15, lambda: log.append(("at", clock.now)))
            assert handle.when() == start + 15
            assert not handle.cancelled()
            loop.call_later(5, log.append, "never").cancel()
            await done

    run_asyncio(main)
    assert log == [("later", 10), ("at", 15)]
    assert clock.now == 20


def test_a_cancelled_timer_does_not_move_time(run_asyncio: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        with clock.enter_task():
            handle = asyncio.get_running_loop().call_later(100, print)
            handle.cancel()
            assert handle.cancelled()
            await asyncio.sleep(1)

    run_asyncio(main)
    assert clock.now == 1


def test_a_timer_of_the_past_and_a_bad_one(run_asyncio: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with clock.enter_task():
            done = loop.create_future()
            loop.call_later(-5, done.set_result, None)
            await done
            with pytest.raises(TypeError):
                loop.call_later(None, print)  # type: ignore[arg-type]

    run_asyncio(main)
    assert clock.now == 0


def test_a_timer_runs_in_its_context(run_asyncio: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        virtual = copy_context()
        with clock.enter_task():
            virtual = copy_context()
            loop.call_later(0, done.set_result, None, context=Context())  # real time
            await done
            assert clock.now == 0
        again = loop.create_future()
        loop.call_later(10, again.set_result, None, context=virtual)
        with clock.enter_task():
            await again

    run_asyncio(main)
    assert clock.now == 10


def test_a_failing_timer_is_reported_by_the_loop(run_asyncio: Run, clock: VirtualClock) -> None:
    reported: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: reported.append(context["exception"]))
        with clock.enter_task():
            loop.call_later(1, lambda: 1 / 0)
            await asyncio.sleep(2)

    run_asyncio(main)
    assert [type(error) for error in reported] == [ZeroDivisionError]


def test_debug_mode(clock: VirtualClock) -> None:
    async def main() -> None:
        with clock.enter_task():
            await asyncio.gather(asyncio.sleep(1), asyncio.to_thread(time.sleep, 2))

    asyncio.run(main(), debug=True)
    assert clock.now == 2


# --- timeouts ---


def test_wait_for(run_asyncio: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        with clock.enter_task():
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.sleep(3600), 10)
            assert await asyncio.wait_for(asyncio.sleep(5, "slept"), 10) == "slept"
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 10)

    run_asyncio(main)
    assert clock.now == 25


def test_wait_for_does_not_fire_while_a_thread_works(
    run_asyncio: Run, clock: VirtualClock, work: Work
) -> None:
    async def task() -> None:
        with clock.enter_task():
            assert await asyncio.wait_for(asyncio.to_thread(work), 10) == "done"

    async def main() -> None:
        running = asyncio.ensure_future(task())
        await until(work.begun.is_set)
        await turns()
        assert clock.now == 0
        work.finish.set()
        await running

    run_asyncio(main)
    assert clock.now == 0


def test_wait_for_does_not_fire_before_the_loop_is_told(
    run_asyncio: Run, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, tell = threading.Event(), threading.Event()
    set_result = Future.set_result

    def set_late(future: Any, result: Any) -> None:
        ended.set()
        assert tell.wait(LIMIT)
        set_result(future, result)

    async def task() -> None:
        with clock.enter_task():
            assert await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 10) == "done"

    async def main() -> None:
        running = asyncio.ensure_future(task())
        await until(ended.is_set)
        await turns()
        assert clock.now == 0
        tell.set()
        await running

    monkeypatch.setattr(Future, "set_result", set_late)
    run_asyncio(main)
    assert clock.now == 0


@since_311
def test_timeout_and_timeout_at(run_asyncio: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with clock.enter_task():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(10):  # type: ignore[attr-defined]
                    await asyncio.sleep(3600)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout_at(loop.time() + 10):  # type: ignore[attr-defined]
                    await asyncio.to_thread(time.sleep, 3600)
            async with asyncio.timeout(10) as scope:  # type: ignore[attr-defined]
                await asyncio.sleep(9)
                scope.reschedule(loop.time() + 100)
                await asyncio.sleep(90)

    run_asyncio(main)
    assert clock.now >= 119


def test_wait_with_a_timeout(run_asyncio: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        with clock.enter_task():
            slow = asyncio.ensure_future(asyncio.sleep(100))
            fast = asyncio.ensure_future(asyncio.sleep(3))
            done, pending = await asyncio.wait({slow, fast}, timeout=10)
            assert (done, pending, clock.now) == ({fast}, {slow}, 10)
            await asyncio.wait({slow})
            order = [
                await one for one in asyncio.as_completed([asyncio.sleep(n, n) for n in (2, 1)])
            ]
            assert order == [1, 2]

    run_asyncio(main)
    assert clock.now == 102


# --- groups of tasks ---


def test_what_a_task_spawns_takes_virtual_time(run_asyncio: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        with clock.enter_task("root"):
            spawned = asyncio.ensure_future(asyncio.sleep(30))
            await asyncio.gather(asyncio.sleep(10), asyncio.gather(asyncio.sleep(20)))
            assert clock.now == 20
            await asyncio.shield(spawned)

    run_asyncio(main)
    assert clock.now == 30
    assert {sleep.task for sleep in clock.sleeps} == {"root"}


@since_311
def test_a_task_group(run_asyncio: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        with clock.enter_task():
            async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined]
                for seconds in (3, 1, 2):
                    group.create_task(asyncio.sleep(seconds))

    run_asyncio(main)
    assert clock.now == 3


@since_312
def test_eager_tasks(clock: VirtualClock) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        with clock.enter_task():
            await asyncio.gather(asyncio.sleep(1), asyncio.sleep(2))

    asyncio.run(main())
    assert clock.now == 2


@since_311
def test_a_task_in_a_context_of_its_own_keeps_real_time(
    run_asyncio: Run, clock: VirtualClock
) -> None:
    async def real() -> None:
        await asyncio.sleep(0.001)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with clock.enter_task():
            await loop.create_task(real(), context=Context())  # type: ignore[call-arg]

    run_asyncio(main)
    assert clock.now == 0
    assert clock.sleeps == ()


def test_a_real_task_that_is_awaited_keeps_time_from_moving(
    run_asyncio: Run, clock: VirtualClock, work: Work
) -> None:
    log: list[str] = []

    async def task(real: asyncio.Future[Any]) -> None:
        with clock.enter_task():
            waits = [asyncio.gather(real), asyncio.wait({real}), asyncio.shield(real)]
            await asyncio.wait_for(asyncio.gather(*waits), 10)
            log.append("awaited")

    async def main() -> None:
        real = asyncio.ensure_future(asyncio.to_thread(work))
        virtual = asyncio.ensure_future(task(real))
        await blocked(clock, "waiting for something real")
        assert clock.now == 0
        work.finish.set()
        await virtual

    run_asyncio(main)
    assert log == ["awaited"]
    assert clock.now == 0


def test_a_queue_between_sleepers(run_asyncio: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        queue: asyncio.Queue[float] = asyncio.Queue()

        async def produce() -> None:
            for _ in range(3):
                await asyncio.sleep(5)
                queue.put_nowait(clock.now)

        with clock.enter_task():
            producer = asyncio.ensure_future(produce())
            assert [await queue.get() for _ in range(3)] == [5, 10, 15]
            await producer

    run_asyncio(main)


def test_a_condition_and_a_lock(run_asyncio: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        condition = asyncio.Condition()

        async def tell() -> None:
            async with condition:
                await asyncio.sleep(5)
                condition.notify_all()

        with clock.enter_task():
            teller = asyncio.ensure_future(tell())
            await asyncio.sleep(1)
            async with condition:
                assert clock.now == 5
            await teller
            teller = asyncio.ensure_future(tell())
            async with condition:
                pass
            await teller

    run_asyncio(main)
    assert clock.now == 10


def test_a_plain_future_that_a_sleeper_resolves(run_asyncio: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()

        async def resolve() -> None:
            await asyncio.sleep(5)
            future.set_result("there")

        with clock.enter_task():
            resolver = asyncio.ensure_future(resolve())
            assert await asyncio.wait_for(future, 10) == "there"
            await resolver

    run_asyncio(main)
    assert clock.now == 5


def test_a_plain_future_that_a_real_thread_resolves(
    run_asyncio: Run, clock: VirtualClock, work: Work
) -> None:
    async def task(future: asyncio.Future[str]) -> None:
        with clock.enter_task():
            assert await asyncio.wait_for(asyncio.shield(future), 10) == "done"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        virtual = asyncio.ensure_future(task(future))
        await until(lambda: clock.waiting_for)
        thread = threading.Thread(
            target=lambda: loop.call_soon_threadsafe(future.set_result, work())
        )
        thread.start()
        await blocked(clock, "waiting for other code")
        assert clock.now == 0
        work.finish.set()
        await virtual
        thread.join(10)

    run_asyncio(main)
    assert clock.now == 0


# --- threads ---


def test_run_in_executor_takes_virtual_time(run_asyncio: Run, clock: VirtualClock) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(2) as pool, clock.enter_task("root"):
            await asyncio.gather(
                loop.run_in_executor(None, time.sleep, 10),
                loop.run_in_executor(pool, time.sleep, 20),
                asyncio.to_thread(time.sleep, 30),
                asyncio.wrap_future(pool.submit(time.sleep, 40)),
                *(loop.run_in_executor(pool, time.sleep, 50) for _ in range(2)),
            )

    run_asyncio(main)
    assert clock.now == 90
    assert {sleep.task for sleep in clock.sleeps} == {"root"}


def test_a_real_pool_keeps_time_from_moving(
    run_asyncio: Run, clock: VirtualClock, work: Work
) -> None:
    async def task(future: Future[str]) -> None:
        with clock.enter_task():
            assert await asyncio.wait_for(asyncio.wrap_future(future), 10) == "done"

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            virtual = asyncio.ensure_future(task(pool.submit(work)))
            await until(work.begun.is_set)
            await blocked(clock, "waiting for something real")
            assert clock.now == 0
            work.finish.set()
            await virtual

    run_asyncio(main)
    assert clock.now == 0


def test_two_loops_in_two_threads_share_time(run_asyncio: Run, clock: VirtualClock) -> None:
    log: list[Any] = []
    both = threading.Barrier(2)

    async def ticker(name: str, period: float) -> None:
        with clock.enter_task(name):
            both.wait(10)
            for _ in range(3):
                await asyncio.sleep(period)
                log.append((name, clock.now))

    threads = [
        threading.Thread(target=run_asyncio, args=(ticker, *args)) for args in (("a", 3), ("b", 4))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert log == [("a", 3), ("b", 4), ("a", 6), ("b", 8), ("a", 9), ("b", 12)]


def test_a_process_keeps_time_from_moving(run_asyncio: Run, clock: VirtualClock) -> None:
    script = "import sys; sys.stdin.readline(); print('hello')"

    async def task(process: Any) -> bytes:
        with clock.enter_task():
            out, _ = await asyncio.wait_for(process.communicate(b"\n"), 10)
            await process.wait()
            return bytes(out)

    async def main() -> None:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, stdin=pipe, stdout=pipe
        )
        virtual = asyncio.ensure_future(task(process))
        await turns()
        assert clock.now == 0
        assert await virtual == b"hello\n"

    run_asyncio(main)
    assert clock.now == 0


# --- loops ---


def test_a_loop_class_of_somebody_else(clock: VirtualClock) -> None:
    class Loop(asyncio.SelectorEventLoop):
        calls = 0

        def call_soon_threadsafe(self, *args: Any, **options: Any) -> Any:
            self.calls += 1
            return super().call_soon_threadsafe(*args, **options)

    async def main() -> None:
        with clock.enter_task():
            await asyncio.gather(asyncio.sleep(1), asyncio.to_thread(time.sleep, 2))

    loop = Loop()
    try:
        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    assert clock.now == 2
    assert loop.calls


def test_uvloop_is_put_back() -> None:
    uvloop = pytest.importorskip("uvloop")
    before = dict(vars(uvloop.Loop))
    with VirtualClock():
        assert "call_later" in vars(uvloop.Loop)
    assert dict(vars(uvloop.Loop)) == before


def test_a_loop_that_is_paused_and_run_again(run_asyncio: Run, clock: VirtualClock) -> None:
    loop = asyncio.new_event_loop()
    log: list[float] = []

    async def task() -> None:
        with clock.enter_task():
            for _ in range(3):
                await asyncio.sleep(10)
                log.append(clock.now)

    async def a_while() -> None:
        await until(lambda: log)

    running = loop.create_task(task())
    loop.run_until_complete(a_while())
    assert log == [10]
    loop.run_until_complete(running)
    assert log == [10, 20, 30]
    loop.close()
