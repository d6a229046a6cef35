"""What endpoints return, turned into events."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from bgcheck.events import ValueReturned
from bgcheck.instrument.hub import current_request, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.patches import Patches
from bgcheck.instrument.users import Users

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_hooks = ImportHooks()
_patches = Patches()
_users = Users()


@_users.first
def install() -> None:
    """Watch endpoints when FastAPI is imported; each call needs one of `uninstall`."""
    _hooks.install({"fastapi.routing": _patch_routing})


@_users.last
def uninstall() -> None:
    """Watch no more once the last user is gone."""
    _hooks.uninstall()
    _patches.restore()


def _patch_routing(module: ModuleType) -> None:
    """Every endpoint is called by it (fastapi 0.165.0, routing.py, line 372)."""
    _patches.wrap(module, "run_endpoint_function", _wrap_run)


def _wrap_run(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def run_endpoint_function(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        value = await original(*args, **kwargs)
        request = current_request.get()
        if request is not None and request.tasks and hub.sinks:
            hub.emit(ValueReturned(request, value), request.recording)
        return value

    return run_endpoint_function
