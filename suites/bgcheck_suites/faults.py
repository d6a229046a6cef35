"""Planted faults: the framework broken on purpose, at run time, to see that the suite finds it.

A fault changes one thing in the installed Starlette or FastAPI, and names the requirements that
must fail with it. `bgcheck conform --plant NAME` runs the suite with one of them.
"""

import asyncio
import contextlib
import contextvars
import copy
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette import background, responses
from starlette.background import BackgroundTask, BackgroundTasks

Undo = Callable[[], None]
Plant = Callable[["Patches"], None]


class Patches:
    """Attributes that were replaced, and how to put them back."""

    def __init__(self) -> None:
        self._undo: list[Undo] = []

    def set(self, owner: Any, name: str, value: object) -> None:
        """Replace an attribute that the owner itself defines."""
        original = vars(owner)[name]
        self._undo.append(lambda: setattr(owner, name, original))
        setattr(owner, name, value)

    def undo(self) -> None:
        """Put everything back, last first."""
        while self._undo:
            self._undo.pop()()


@dataclass(frozen=True)
class Fault:
    """One way to be broken: its name, what it does, and the requirements that must find it."""

    name: str
    summary: str
    kills: tuple[str, ...]
    plant: Plant


FAULTS: dict[str, Fault] = {}


def plant(name: str) -> Undo:
    """Plant a fault, and return the function that takes it out again.

    Raises KeyError for a name that is not in FAULTS.
    """
    patches = Patches()
    FAULTS[name].plant(patches)
    return patches.undo


def _fault(name: str, summary: str, *kills: str) -> Callable[[Plant], Plant]:
    def register(function: Plant) -> Plant:
        FAULTS[name] = Fault(name, summary, kills, function)
        return function

    return register


def _groups() -> list[type[BackgroundTasks]]:
    """Return the classes that run a group: Starlette's, and FastAPI's where it has its own."""
    from fastapi import BackgroundTasks as Injected

    classes = dict.fromkeys([BackgroundTasks, Injected])
    return [cls for cls in classes if "__call__" in vars(cls)]


def _run_groups(patches: Patches, run: Callable[[BackgroundTasks], Awaitable[None]]) -> None:
    async def call(self: BackgroundTasks) -> None:
        await run(self)

    for cls in _groups():
        patches.set(cls, "__call__", call)


def _run_tasks(patches: Patches, run: Callable[[BackgroundTask], Awaitable[None]]) -> None:
    async def call(self: BackgroundTask) -> None:
        await run(self)

    patches.set(BackgroundTask, "__call__", call)


original_task = BackgroundTask.__call__


@_fault(
    "task-before-response",
    "the background runs before the response is sent",
    "BGF-RESP-01",
    "BGF-APP-02",
)
def _task_before_response(patches: Patches) -> None:
    for cls in (responses.Response, responses.StreamingResponse, responses.FileResponse):
        patches.set(cls, "__call__", _background_first(vars(cls)["__call__"]))


def _background_first(original: Any) -> Any:
    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        task, self.background = self.background, None
        if task is not None:
            await task()
        await original(self, scope, receive, send)

    return call


@_fault(
    "exception-swallowed",
    "an error in a task is dropped in silence",
    "BGF-ERR-01",
    "BGF-ERR-04",
    "BGF-ERR-05",
)
def _exception_swallowed(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        with contextlib.suppress(Exception):
            await original_task(task)

    _run_tasks(patches, run)


@_fault(
    "goes-on-after-failure",
    "later tasks run although an earlier one failed",
    "BGF-ERR-01",
)
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

    _run_groups(patches, run)


@_fault(
    "arguments-copied",
    "arguments are deep copies",
    "BGF-ARGS-01",
    "BGF-ARGS-02",
    "BGF-ARGS-03",
)
def _arguments_copied(patches: Patches) -> None:
    original = BackgroundTask.__init__

    def init(self: BackgroundTask, func: Any, *args: Any, **kwargs: Any) -> None:
        original(self, func, *map(_copied, args), **{k: _copied(v) for k, v in kwargs.items()})

    patches.set(BackgroundTask, "__init__", init)


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


@_fault("def-task-on-loop", "a def task runs on the event loop", "BGF-THREAD-01")
def _def_task_on_loop(patches: Patches) -> None:
    async def run(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    patches.set(background, "run_in_threadpool", run)


@_fault(
    "async-task-in-thread",
    "an async task runs on a loop of its own in a worker thread",
    "BGF-THREAD-02",
    "BGF-THREAD-03",
    "BGF-THREAD-04",
)
def _async_task_in_thread(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        if not task.is_async:
            return await original_task(task)
        return await asyncio.to_thread(lambda: asyncio.run(original_task(task)))

    _run_tasks(patches, run)


@_fault("runs-twice", "every task runs twice", "BGF-ORDER-03")
def _runs_twice(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        await original_task(task)
        await original_task(task)

    _run_tasks(patches, run)


@_fault("reverse-order", "the last task runs first", "BGF-ORDER-01", "BGF-ORDER-04", "BGF-APP-03")
def _reverse_order(patches: Patches) -> None:
    async def run(group: BackgroundTasks) -> None:
        for task in reversed(group.tasks):
            await task()

    _run_groups(patches, run)


@_fault("concurrent", "all tasks of a response run at the same time", "BGF-ORDER-02")
def _concurrent(patches: Patches) -> None:
    async def run(group: BackgroundTasks) -> None:
        await asyncio.gather(*(task() for task in group.tasks))

    _run_groups(patches, run)


@_fault(
    "nested-dropped",
    "a task that a running task adds is dropped",
    "BGF-ORDER-05",
)
def _nested_dropped(patches: Patches) -> None:
    async def run(group: BackgroundTasks) -> None:
        for task in tuple(group.tasks):
            await task()

    _run_groups(patches, run)


@_fault(
    "context-lost",
    "tasks run in an empty context",
    "BGF-CTX-01",
    "BGF-CTX-02",
    "BGF-CTX-04",
)
def _context_lost(patches: Patches) -> None:
    async def run(task: BackgroundTask) -> None:
        empty = contextvars.Context()
        await empty.run(asyncio.ensure_future, original_task(task))

    _run_tasks(patches, run)


@_fault(
    "detached",
    "tasks are left to the loop, and the app does not wait for them",
    "BGF-ERR-05",
    "BGF-RESP-11",
)
def _detached(patches: Patches) -> None:
    running: set[asyncio.Task[None]] = set()

    async def run(task: BackgroundTask) -> None:
        future = asyncio.ensure_future(original_task(task))
        running.add(future)
        future.add_done_callback(running.discard)

    _run_tasks(patches, run)


@_fault(
    "own-background-dropped",
    "a background that a response brings along is dropped",
    "BGF-RESP-03",
    "BGF-RESP-06",
    "BGF-RESP-07",
    "BGF-RESP-12",
    "BGF-APP-02",
)
def _own_background_dropped(patches: Patches) -> None:
    for cls in (responses.JSONResponse, responses.FileResponse, responses.RedirectResponse):
        patches.set(cls, "__init__", _without_background(vars(cls)["__init__"]))


def _without_background(original: Any) -> Any:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.background = None

    return init


@_fault(
    "run-in-spite-of-errors",
    "tasks run as soon as the loop is free, whatever becomes of the request",
    "BGF-ERR-07",
    "BGF-ERR-09",
    "BGF-ERR-10",
    "BGF-INJ-05",
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


@_fault(
    "group-shared-by-requests",
    "all requests share one group, which is never emptied",
    "BGF-ORDER-06",
)
def _group_shared_by_requests(patches: Patches) -> None:
    from fastapi import BackgroundTasks as Injected
    from fastapi.dependencies import utils

    patches.set(utils, "BackgroundTasks", functools.cache(Injected))


@_fault(
    "bound-early",
    "a call that does not fit is refused when it is scheduled",
    "BGF-ARGS-04",
)
def _bound_early(patches: Patches) -> None:
    original = BackgroundTask.__init__

    def init(self: BackgroundTask, func: Any, *args: Any, **kwargs: Any) -> None:
        inspect.signature(func).bind(*args, **kwargs)
        original(self, func, *args, **kwargs)

    patches.set(BackgroundTask, "__init__", init)
