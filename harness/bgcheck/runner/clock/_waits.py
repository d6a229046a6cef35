"""What a suspended coroutine waits for."""

from __future__ import annotations

import gc
import sysconfig
import types
from collections.abc import Iterable
from enum import IntEnum
from types import FrameType
from typing import Any


class Wait(IntEnum):
    """What a task waits for, the least real first."""

    VIRTUAL = 0
    """Virtual time, or tasks and threads that are looked at by themselves."""
    PROGRAM = 1
    """An event, a queue, a lock: whoever wakes it may take virtual or real time."""
    REAL = 2
    """A socket, a process, a thread in real time, or something unknown."""
    READY = 3
    """Nothing: it runs or is about to."""


WORDS = {
    Wait.PROGRAM: "waiting for other code",
    Wait.REAL: "waiting for something real",
    Wait.READY: "running",
}
"""The waits that keep time from moving, for messages."""

_SUSPENDED = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)
_WRAPPERS = frozenset({"async_generator_asend", "anext_awaitable", "coroutine_wrapper"})
_DEPTH = 500

_PRIMITIVES = frozenset(
    {
        "asyncio.locks",
        "asyncio.mixins",
        "asyncio.queues",
        "asyncio.taskgroups",
        "asyncio.tasks",
        "asyncio.timeouts",
        "contextlib",
    }
)
"""Modules whose waits end when other code of the program says so."""

_BACKEND = "anyio._backends._asyncio"
_BACKEND_PRIMITIVES = frozenset({"CapacityLimiter", "Event", "Lock", "Semaphore", "TaskGroup"})

_LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))


def frames(coroutine: Any) -> tuple[list[FrameType], Any]:
    """Return the frames of a suspended coroutine, innermost first, and the object it awaits."""
    found: list[FrameType] = []
    current = coroutine
    for _ in range(_DEPTH):
        frame, awaited = _look_into(current)
        if frame is not None:
            found.append(frame)
        inner = _suspended(awaited)
        if inner is None:
            return found[::-1], awaited
        current = inner
    return found[::-1], None


def _look_into(current: Any) -> tuple[FrameType | None, Any]:
    if isinstance(current, types.CoroutineType):
        return current.cr_frame, current.cr_await
    if isinstance(current, types.GeneratorType):
        return current.gi_frame, current.gi_yieldfrom
    return current.ag_frame, current.ag_await


def _suspended(awaited: Any) -> Any:
    """Return the coroutine or generator that an awaited object is or wraps."""
    if isinstance(awaited, _SUSPENDED) or awaited is None:
        return awaited
    if type(awaited).__name__ not in _WRAPPERS:
        return None
    inner = [o for o in gc.get_referents(awaited) if not isinstance(o, type)]
    return next((s for s in map(_suspended, inner) if s is not None), None)


def module_of(frame: FrameType) -> str:
    """Return the name of the module whose code a frame runs."""
    return str(frame.f_globals.get("__name__", ""))


def worst(waits: Iterable[Wait]) -> Wait:
    """Return the most real of several waits; nothing left to wait for is ready."""
    return max(waits, default=Wait.READY)


def bare_wait(stack: list[FrameType]) -> Wait:
    """Judge a wait for a future of asyncio by the code that waits, innermost first."""
    if stack and module_of(stack[0]) == "asyncio.tasks" and stack[0].f_code.co_name == "sleep":
        return Wait.REAL
    depth = 0
    while depth < len(stack) and _is_primitive(stack[depth]):
        depth += 1
    user = stack[depth] if depth < len(stack) else None
    if user is None:
        return Wait.PROGRAM if depth else Wait.REAL
    if module_of(user).partition(".")[0] in ("asyncio", "anyio", "uvloop"):
        return Wait.PROGRAM if _is_limiter_wait(user, depth) else Wait.REAL
    return Wait.PROGRAM if depth or is_own_code(user) else Wait.REAL


def _is_primitive(frame: FrameType) -> bool:
    module = module_of(frame)
    if module != _BACKEND:
        return module in _PRIMITIVES or module.startswith("anyio.")  # does what its backend does
    return type(frame.f_locals.get("self")).__name__ in _BACKEND_PRIMITIVES


def _is_limiter_wait(user: FrameType, depth: int) -> bool:
    """Whether a call waits for its turn in the pool of worker threads."""
    return depth > 0 and user.f_code.co_name == "run_sync_in_worker_thread"


def is_own_code(frame: FrameType) -> bool:
    """Whether a frame runs code of the project, and not of an installed library."""
    return not frame.f_code.co_filename.startswith(_LIBRARIES)
