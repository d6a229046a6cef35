"""Patch frameworks when they are imported, and restore them when nobody needs it any more."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType

from bgcheck.instrument.imports import ImportHooks

_MODULES = (
    "httpx._transports.asgi",
    "httpx2._transports.asgi",
    "starlette.background",
    "starlette.applications",
    "starlette.routing",
    "starlette.responses",
    "starlette.testclient",
)

_QUEUE_MODULES = (
    "celery.app.base",
    "celery.app.task",
    "celery.canvas",
    "dramatiq.actor",
    "dramatiq.broker",
    "dramatiq.generic",
    "taskiq.decor",
    "taskiq.kicker",
    "taskiq.receiver.receiver",
)

_QUEUES = "bgcheck.instrument.queue_libraries"
_PATCHES = "bgcheck.instrument.starlette"

_hooks = ImportHooks()
_users = 0


def install() -> None:
    """Patch what is imported and what will be; each call needs one of `uninstall`."""
    global _users
    _users += 1
    if _users == 1:
        _hooks.install(dict.fromkeys(_MODULES, _patch))
        _hooks.install(dict.fromkeys(_QUEUE_MODULES, _patch_queue))
    else:
        _guard(_follow_subclasses)


def uninstall() -> None:
    """Restore everything once the last user is gone."""
    global _users
    _users -= 1
    if _users == 0:
        _hooks.uninstall()
        _restore()


def load() -> None:
    """Import all that a recording needs. It imports no framework.

    For a session that runs others in its process: pytester makes the interpreter forget what they
    import, and a second copy of these modules would not know the records of the first.
    """
    for name in ("bgcheck.recording", _PATCHES, _QUEUES):
        importlib.import_module(name)


def _guard(part: Callable[..., object], *args: object) -> None:
    from bgcheck.instrument.hub import hub  # not needed by a session without a framework

    hub.guard(part, *args)


def _patch(module: ModuleType) -> None:
    _guard(_patch_now, module)


def _patch_now(module: ModuleType) -> None:
    from bgcheck.instrument import starlette

    patch: Callable[[ModuleType], None] = starlette.HOOKS[module.__name__]
    patch(module)


def _patch_queue(module: ModuleType) -> None:
    _guard(_patch_queue_now, module)


def _patch_queue_now(module: ModuleType) -> None:
    from bgcheck.instrument import queue_libraries

    queue_libraries.patch(module)


def _follow_subclasses() -> None:
    patched = sys.modules.get(_PATCHES)
    if patched is not None:
        patched.follow_subclasses()


def _restore() -> None:
    for name in (_PATCHES, _QUEUES):
        patched = sys.modules.get(name)
        if patched is not None:
            patched.restore()
