"""Faults in where tasks run, and in which context."""

import asyncio
import contextvars
import functools
import inspect
from collections.abc import Callable
from typing import Any

from starlette import background
from starlette.background import BackgroundTask

from .planting import Patches, fault, original_task, run_tasks


@fault("def-task-on-loop", "a def task runs on the event loop")
def _def_task_on_loop(patches: Patches) -> None:
    async def run(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    patches.set(background, "run_in_threadpool", run)


@fault("async-task-in-thread", "an async task runs on a loop of its own in a worker thread")
def _async_task_in_thread(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        if not task.is_async:
            return await original_task(task)
        return await asyncio.to_thread(lambda: asyncio.run(original_task(task)))

    run_tasks(patches, run)


@fault("context-lost", "tasks run in an empty context")
def _context_lost(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        empty = contextvars.Context()
        await empty.run(asyncio.ensure_future, original_task(task))

    run_tasks(patches, run)


@fault("objects-in-thread", "an object with an async call is taken for a def task")
def _objects_in_thread(patches: Patches) -> None:
    _async_only_if(patches, lambda func: inspect.iscoroutinefunction(func))


@fault("partials-in-thread", "a partial of a coroutine function is taken for a def task")
def _partials_in_thread(patches: Patches) -> None:
    _async_only_if(patches, lambda func: not isinstance(func, functools.partial))


def _async_only_if(patches: Patches, accepted: Callable[[Any], bool]) -> None:
    original = BackgroundTask.__init__

    def init(self: BackgroundTask, func: Any, *args: Any, **kwargs: Any) -> None:
        original(self, func, *args, **kwargs)
        if not accepted(func):
            vars(self)["is_async"] = False

    patches.set(BackgroundTask, "__init__", init)


@fault("thread-of-its-own", "a def task runs in a thread that is not anyio's")
def _thread_of_its_own(patches: Patches) -> None:
    patches.set(background, "run_in_threadpool", asyncio.to_thread)


@fault("context-lost-in-def-tasks", "def tasks run in an empty context")
def _context_lost_in_def_tasks(patches: Patches) -> None:
    original: Any = vars(background)["run_in_threadpool"]

    async def run(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        call = functools.partial(func, *args, **kwargs)
        return await original(lambda: contextvars.Context().run(call))

    patches.set(background, "run_in_threadpool", run)


@fault("context-leaks", "what a def task sets in its context stays for the later tasks")
def _context_leaks(patches: Patches) -> None:
    original: Any = vars(background)["run_in_threadpool"]

    async def run(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        call = functools.partial(func, *args, **kwargs)
        inner = contextvars.copy_context()
        result = await original(lambda: inner.run(call))
        for variable, value in inner.items():
            variable.set(value)
        return result

    patches.set(background, "run_in_threadpool", run)
