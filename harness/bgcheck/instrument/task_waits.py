"""Tell of sleeps and of HTTP requests that a background task waits for.

What blocks a thread in `time.sleep` or a socket is told by `bgcheck.instrument.blocking`; here are
the waits of coroutines, and HTTP clients whose transport need not be a socket.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from bgcheck.events import TaskWaits
from bgcheck.instrument.callers import user_stack
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.patches import Patches, returns_coroutine
from bgcheck.instrument.users import Users

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_SLEEPS: Final = ("asyncio", "asyncio.tasks", "anyio._backends._asyncio")
"""Modules that have `asyncio.sleep` by its name."""

_CLIENTS: Final = {
    "httpx": (("AsyncClient", "send"), ("Client", "send")),
    "httpx2": (("AsyncClient", "send"), ("Client", "send")),
    "aiohttp.client": (("ClientSession", "_request"),),
    "requests.sessions": (("Session", "send"),),
}

_hooks = ImportHooks()
_patches = Patches()
_users = Users()


@_users.first
def install() -> None:
    """Patch what is imported and what will be; each call needs one of `uninstall`."""
    _hooks.install({**dict.fromkeys(_SLEEPS, _patch), **dict.fromkeys(_CLIENTS, _patch)})


@_users.last
def uninstall() -> None:
    """Put everything back once the last user is gone."""
    _hooks.uninstall()
    _patches.restore()


def _patch(module: ModuleType) -> None:
    hub.guard(_patch_now, module)


def _patch_now(module: ModuleType) -> None:
    if module.__name__ in _SLEEPS:
        _patches.wrap(module, "sleep", _wrap_sleep)
    for owner, method in _CLIENTS.get(module.__name__, ()):
        name = f"{module.__name__.partition('.')[0]}.{owner}"
        _patches.wrap(getattr(module, owner), method, functools.partial(_wrap_send, name))


def _note(call: str) -> None:
    task = current_task.get()
    if task is not None:
        stack = user_stack()
        line = stack[0] if stack else task.site
        hub.emit(TaskWaits(task, call, line), task.recording)


def _wrap_sleep(original: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    async def observed(delay: float, result: Any = None) -> Any:
        __tracebackhide__ = True
        if hub.sinks and delay > 0:
            hub.guard(_note, "asyncio.sleep")
        return await original(delay, result)

    @returns_coroutine
    @functools.wraps(original)
    def sleep(delay: float, result: Any = None) -> Any:
        __tracebackhide__ = True
        if current_task.get() is None:
            return original(delay, result)
        return observed(delay, result)

    return sleep


def _wrap_send(name: str, original: Callable[..., Any]) -> Any:
    """Wrap a method, which may be a coroutine function; it is called at once either way."""

    @functools.wraps(original)
    def send(self: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if hub.sinks and current_task.get() is not None:
            hub.guard(_note, f"a request by {name}")
        return original(self, *args, **kwargs)

    return send
