"""Responses that user code produces while they are sent, turned into events."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from bgcheck.events import StreamBegins
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
    """Watch responses when Starlette is imported; each call needs one of `uninstall`."""
    _hooks.install({"starlette.responses": _patch_responses})


@_users.last
def uninstall() -> None:
    """Watch no more once the last user is gone."""
    _hooks.uninstall()
    _patches.restore()


def _patch_responses(module: ModuleType) -> None:
    _patches.wrap(module.StreamingResponse, "stream_response", _wrap_stream)


def _wrap_stream(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def stream_response(self: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        request = current_request.get()
        if request is not None and request.tasks and hub.sinks:
            hub.emit(StreamBegins(request), request.recording)
        return original(self, *args, **kwargs)

    return stream_response
