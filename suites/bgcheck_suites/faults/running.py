"""Faults in which tasks run, how often and when."""

import asyncio
import threading
from contextvars import ContextVar
from typing import Any

from starlette.background import BackgroundTask, BackgroundTasks

from .planting import Patches, fault, original_task, run_groups, run_tasks


@fault("runs-twice", "every task runs twice")
def _runs_twice(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        await original_task(task)
        await original_task(task)

    run_tasks(patches, run)


@fault("reverse-order", "the last task runs first")
def _reverse_order(patches: Patches) -> None:
    async def run(group: BackgroundTasks) -> None:
        for task in reversed(group.tasks):
            await task()

    run_groups(patches, run)


@fault("concurrent", "all tasks of a response run at the same time")
def _concurrent(patches: Patches) -> None:
    async def run(group: BackgroundTasks) -> None:
        await asyncio.gather(*(task() for task in group.tasks))

    run_groups(patches, run)


@fault("nested-dropped", "a task that a running task adds is dropped")
def _nested_dropped(patches: Patches) -> None:
    async def run(group: BackgroundTasks) -> None:
        for task in tuple(group.tasks):
            await task()

    run_groups(patches, run)


@fault("detached", "tasks are left to the loop, and the app does not wait for them")
def _detached(patches: Patches) -> None:
    running: set[asyncio.Task[None]] = set()

    async def run(task: BackgroundTask) -> None:
        future = asyncio.ensure_future(original_task(task))
        running.add(future)
        future.add_done_callback(running.discard)

    run_tasks(patches, run)


@fault("dropped", "no task ever runs")
def _dropped(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        return None

    run_tasks(patches, run)


@fault("only-the-first", "a group runs its first task alone")
def _only_the_first(patches: Patches) -> None:
    async def run(group: BackgroundTasks) -> None:
        for task in group.tasks[:1]:
            await task()

    run_groups(patches, run)


@fault("last-dropped", "a group of several tasks drops its last one")
def _last_dropped(patches: Patches) -> None:
    async def run(group: BackgroundTasks) -> None:
        for task in group.tasks[:-1] or group.tasks:
            await task()

    run_groups(patches, run)


@fault("same-function-once", "a group runs each function once, however often it was added")
def _same_function_once(patches: Patches) -> None:
    async def run(group: BackgroundTasks) -> None:
        seen: list[Any] = []
        for task in group.tasks:
            func = getattr(task, "func", task)
            if func not in seen:
                seen.append(func)
                await task()

    run_groups(patches, run)


@fault("added-task-next", "a task that a running task adds runs next, before those that wait")
def _added_task_next(patches: Patches) -> None:
    async def run(group: BackgroundTasks) -> None:
        waiting = list(group.tasks)
        while waiting:
            known = len(group.tasks)
            await waiting.pop(0)()
            waiting[:0] = group.tasks[known:]

    run_groups(patches, run)


@fault("group-in-group-dropped", "a group that is a task of another group is dropped")
def _group_in_group_dropped(patches: Patches) -> None:
    async def run(group: BackgroundTasks) -> None:
        for task in group.tasks:
            if not (isinstance(task, BackgroundTasks) or isinstance(task.func, BackgroundTasks)):
                await task()

    run_groups(patches, run)


@fault("added-in-thread-dropped", "a task that is added from a worker thread is dropped")
def _added_in_thread_dropped(patches: Patches) -> None:
    def add_task(self: BackgroundTasks, func: Any, *args: Any, **kwargs: Any) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        self.tasks.append(BackgroundTask(func, *args, **kwargs))

    _add_by(patches, add_task)


@fault("requests-in-sequence", "the tasks of a request wait for those of every other request")
def _requests_in_sequence(patches: Patches) -> None:
    busy = threading.Lock()
    mine: ContextVar[bool] = ContextVar("mine", default=False)

    async def run(group: BackgroundTasks) -> None:
        if mine.get():
            return await _one_by_one(group)
        while not busy.acquire(blocking=False):  # noqa: ASYNC110 - several loops share the lock
            await asyncio.sleep(0.01)
        mine.set(True)
        try:
            return await _one_by_one(group)
        finally:
            busy.release()

    run_groups(patches, run)


async def _one_by_one(group: BackgroundTasks) -> None:
    for task in group.tasks:
        await task()


def _add_by(patches: Patches, add_task: Any) -> None:
    from fastapi import BackgroundTasks as Injected

    for cls in dict.fromkeys([BackgroundTasks, Injected]):
        if "add_task" in vars(cls):
            patches.set(cls, "add_task", add_task)
