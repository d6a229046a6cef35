"""Patch frameworks when they are imported, and restore them when nobody needs it any more."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from bgcheck.instrument.imports import ImportHooks

_MODULES = (
    "starlette.background",
    "starlette.applications",
    "starlette.routing",
    "starlette.responses",
)

_hooks = ImportHooks()
_users = 0


def install() -> None:
    """Patch what is imported and what will be; each call needs one of `uninstall`."""
    global _users
    _users += 1
    if _users == 1:
        _hooks.install(dict.fromkeys(_MODULES, _patch))


def uninstall() -> None:
    """Restore everything once the last user is gone."""
    global _users
    _users -= 1
    if _users == 0:
        _hooks.uninstall()
        _restore()


def _patch(module: ModuleType) -> None:
    from bgcheck.instrument import starlette

    patch: Callable[[ModuleType], None] = starlette.HOOKS[module.__name__]
    patch(module)


def _restore() -> None:
    import sys

    patched = sys.modules.get("bgcheck.instrument.starlette")
    if patched is not None:
        patched.restore()
