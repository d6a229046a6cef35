"""Hear of each asyncio task that is created while a background task is under way."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, Final

from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from bgcheck.recorder.record import ScheduledTask

    Follower = Callable[[ScheduledTask, Any], None]

_OWN: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep
_ABSENT: Final = object()

_patches = Patches()
_hooks = ImportHooks()
_followers: tuple[Follower, ...] = ()


def follow(follower: Follower) -> None:
    """Call a function with each asyncio task and the background task that has created it."""
    global _followers
    _followers += (follower,)
    if len(_followers) == 1:
        _hooks.install({"asyncio.base_events": _patch_asyncio, "uvloop": _patch_uvloop})


def unfollow(follower: Follower) -> None:
    """Call it no more."""
    global _followers
    _followers = tuple(one for one in _followers if one is not follower)
    if not _followers:
        _hooks.uninstall()
        _patches.restore()


def _patch_asyncio(module: ModuleType) -> None:
    _patches.wrap(module.BaseEventLoop, "create_task", _wrap_create_task)


def _patch_uvloop(module: ModuleType) -> None:
    """The loop inherits it from a class that takes no patch."""
    _patches.cover(module.Loop, "create_task", _wrap_create_task)


def _wrap_create_task(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def create_task(self: Any, coro: Any, *, name: Any = _ABSENT, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if kwargs or name is _ABSENT:  # a task factory gets what the caller has given, no more
            if name is not _ABSENT:
                kwargs["name"] = name
            made = original(self, coro, **kwargs)
        else:  # to unpack them takes several times as long
            made = original(self, coro, name=name)
        trace = getattr(made, "_source_traceback", None)
        if trace:  # debug mode shows where a task was made
            trace[:] = [line for line in trace if not line.filename.startswith(_OWN)]
        task = current_task.get()
        if task is not None and hub.sinks:
            for follower in _followers:
                hub.guard(follower, task, made)
        return made

    return create_task
