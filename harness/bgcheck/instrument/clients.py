"""Whether an error that leaves an application reaches the test, or its client answers 500.

The clients that run an application in process keep the choice as an attribute: TestClient as
`raise_server_exceptions`, ASGITransport as `raise_app_exceptions`.
"""

from __future__ import annotations

import functools
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from bgcheck.instrument.hub import hub
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, ModuleType

    from bgcheck.instrument.patches import Patches

_raises: ContextVar[bool | None] = ContextVar("bgcheck_client_raises", default=None)

_LOOPS = frozenset({"anyio", "asyncio", "trio", "uvloop"})


def patch_testclient(module: ModuleType, patches: Patches) -> None:
    """Patch `starlette.testclient`."""
    transport = getattr(module, "_TestClientTransport", None)
    if transport is not None:
        patches.wrap(transport, "handle_request", _wrap_handle_request)


def patch_asgi_transport(module: ModuleType, patches: Patches) -> None:
    """Patch `httpx` or `httpx2`: `_transports.asgi`."""
    patches.wrap(module.ASGITransport, "handle_async_request", _wrap_handle_async_request)


def _wrap_handle_request(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def handle_request(self: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if not hub.sinks:
            return original(self, *args, **kwargs)
        token = _raises.set(getattr(self, "raise_server_exceptions", None))
        try:
            return original(self, *args, **kwargs)
        finally:
            _raises.reset(token)

    return handle_request


def _wrap_handle_async_request(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def handle_async_request(self: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if not hub.sinks:
            return await original(self, *args, **kwargs)
        token = _raises.set(getattr(self, "raise_app_exceptions", None))
        try:
            return await original(self, *args, **kwargs)
        finally:
            _raises.reset(token)

    return handle_async_request


def is_delivered() -> bool:
    """Whether the error that is leaving an application call here reaches the caller's code.

    With an unknown client it does if code of the user awaits the call; a server awaits it itself.
    """
    raises = _raises.get()
    return _is_awaited_by_user() if raises is None else raises


def _is_awaited_by_user() -> bool:
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the stack is what is asked for
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in _LOOPS:
            return False
        if is_user_file(frame.f_code.co_filename) and not _is_application(frame):
            return True
        frame = frame.f_back
    return False


def _is_application(frame: FrameType) -> bool:
    """Whether a frame is an ASGI application itself, such as a middleware around the outermost."""
    code = frame.f_code
    return code.co_varnames[: code.co_argcount][-3:] == ("scope", "receive", "send")
