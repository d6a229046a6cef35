"""Faults in what becomes of the errors of tasks."""

import asyncio
import contextlib
import copy
import threading
from typing import Any

from starlette.background import BackgroundTask, BackgroundTasks
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware

from .planting import Patches, fault, original_task, run_groups, run_tasks


@fault("exception-swallowed", "an error in a task is dropped in silence")
def _exception_swallowed(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        with contextlib.suppress(Exception):
            await original_task(task)

    run_tasks(patches, run)


@fault("goes-on-after-failure", "later tasks run although an earlier one failed")
def _goes_on_after_failure(patches: Patches) -> None:
    async def run(group: BackgroundTasks) -> None:
        errors = []
        for task in group.tasks:
            try:
                await task()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    run_groups(patches, run)


@fault(
    "run-in-spite-of-errors",
    "tasks run as soon as the loop is free, whatever becomes of the request",
)
def _run_in_spite_of_errors(patches: Patches) -> None:
    from fastapi import BackgroundTasks as Injected

    def add_task(self: BackgroundTasks, func: Any, *args: Any, **kwargs: Any) -> None:
        # A thread of its own, and joined: what it does comes before the end of the request.
        call = original_task(BackgroundTask(func, *args, **kwargs))
        thread = threading.Thread(target=asyncio.run, args=(call,))
        thread.start()
        thread.join()

    for cls in dict.fromkeys([BackgroundTasks, Injected]):
        if "add_task" in vars(cls):
            patches.set(cls, "add_task", add_task)


@fault("swallowed-in-groups", "an error in a task of a group is dropped in silence")
def _swallowed_in_groups(patches: Patches) -> None:
    async def run(group: BackgroundTasks) -> None:
        with contextlib.suppress(Exception):
            for task in group.tasks:
                await task()

    run_groups(patches, run)


@fault("swallowed-in-async-tasks", "an error in an async task is dropped in silence")
def _swallowed_in_async_tasks(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        with contextlib.suppress(*[Exception] * task.is_async):
            await original_task(task)

    run_tasks(patches, run)


@fault("error-wrapped", "the error of a task is raised as a RuntimeError")
def _error_wrapped(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        try:
            await original_task(task)
        except Exception as error:
            raise RuntimeError("a task failed") from error

    run_tasks(patches, run)


@fault("error-copied", "the error of a task is raised as a copy, without its traceback")
def _error_copied(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        try:
            await original_task(task)
        except Exception as error:
            copied = copy.copy(error)
        else:
            return
        raise copied

    run_tasks(patches, run)


@fault("traceback-cut", "the error of a task is raised without its traceback")
def _traceback_cut(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        try:
            await original_task(task)
        except Exception as error:
            raised = error.with_traceback(None)
        else:
            return
        raise raised

    run_tasks(patches, run)


@fault("http-exception-swallowed", "an HTTPException in a task is dropped in silence")
def _http_exception_swallowed(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        with contextlib.suppress(HTTPException):
            await original_task(task)

    run_tasks(patches, run)


@fault("cancellation-swallowed", "CancelledError and GeneratorExit in a task are dropped")
def _cancellation_swallowed(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        with contextlib.suppress(asyncio.CancelledError, GeneratorExit):
            await original_task(task)

    run_tasks(patches, run)


@fault("failed-task-retried", "a task that fails runs a second time")
def _failed_task_retried(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        with contextlib.suppress(Exception):
            return await original_task(task)
        return await original_task(task)

    run_tasks(patches, run)


@fault("broken-for-good", "after the failure of a task no task runs any more")
def _broken_for_good(patches: Patches) -> None:
    broken: list[Exception] = []

    async def run(task: BackgroundTask) -> None:
        if broken:
            raise RuntimeError("a task failed before") from broken[0]
        try:
            await original_task(task)
        except Exception as error:
            broken.append(error)
            raise

    run_tasks(patches, run)


@fault("hidden-from-the-server", "no error leaves the app")
def _hidden_from_the_server(patches: Patches) -> None:
    original = ServerErrorMiddleware.__call__

    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        with contextlib.suppress(Exception):
            await original(self, scope, receive, send)

    patches.set(ServerErrorMiddleware, "__call__", call)
