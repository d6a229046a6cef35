"""See the HTTP POSTs that tasks send with success: httpx, httpx2, requests and aiohttp."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Any, Final

from bgcheck.events import PostSucceeded
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.patches import Patches
from bgcheck.instrument.task_frames import task_stack
from bgcheck.instrument.users import Users

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

_FAILED: Final = 400
"""The first status that tells of a failure."""

_patches = Patches()
_hooks = ImportHooks()
_users = Users()


@_users.first
def install() -> None:
    """Watch from now on; each call needs one of `uninstall`."""
    _hooks.install(
        {
            "httpx._client": _patch_httpx,
            "httpx2._client": _patch_httpx,
            "requests.sessions": _patch_requests,
            "aiohttp.client": _patch_aiohttp,
        }
    )


@_users.last
def uninstall() -> None:
    """Stop watching once the last user is gone."""
    _hooks.uninstall()
    _patches.restore()


def _patch_httpx(module: ModuleType) -> None:
    _patches.wrap(module.Client, "send", _wrap_send)
    _patches.wrap(module.AsyncClient, "send", _wrap_async_send)


def _patch_requests(module: ModuleType) -> None:
    _patches.wrap(module.Session, "send", _wrap_send)


def _patch_aiohttp(module: ModuleType) -> None:
    _patches.wrap(module.ClientSession, "_request", _wrap_aiohttp)


def _wrap_send(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        response = original(self, request, *args, **kwargs)
        if hub.sinks and current_task.get() is not None:
            hub.guard(_sent, request, response)
        return response

    return send


def _wrap_async_send(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        response = await original(self, request, *args, **kwargs)
        if hub.sinks and current_task.get() is not None:
            hub.guard(_sent, request, response)
        return response

    return send


def _wrap_aiohttp(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def _request(self: Any, method: str, str_or_url: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        response = await original(self, method, str_or_url, **kwargs)
        if hub.sinks and current_task.get() is not None:
            body = [kwargs.get(name) for name in ("params", "data", "json")]
            names = dict(kwargs.get("headers") or {})
            hub.guard(_tell, method, str_or_url, repr(body).encode(), names, response.status)
        return response

    return _request


def _sent(request: Any, response: Any) -> None:
    """Take a request of httpx or requests. A body that is streamed tells nothing."""
    body = getattr(request, "_content", None)
    if body is None:
        body = getattr(request, "body", None) or b""
    if isinstance(body, str):
        body = body.encode()
    if isinstance(body, bytes):
        _tell(request.method, request.url, body, request.headers, response.status_code)


def _tell(method: str, url: Any, body: bytes, headers: Iterable[str], status: int) -> None:
    task = current_task.get()
    repeatable = any("idempotency" in name.lower() for name in headers)
    if task is None or method.upper() != "POST" or status >= _FAILED or repeatable:
        return
    digest = hashlib.sha256(body).hexdigest()
    hub.emit(PostSucceeded(task, f"POST {url}", digest, task_stack()), task.recording)
