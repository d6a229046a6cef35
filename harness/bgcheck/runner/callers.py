"""Find out whether a client waits for the whole application call, so that a held task blocks it."""

from __future__ import annotations

import sys
from types import FrameType

_SERVERS = frozenset({"uvicorn", "hypercorn", "granian", "daphne"})
_CLIENTS = {
    "starlette.testclient": "TestClient",
    "anyio.from_thread": "TestClient",  # below Starlette 1.0 it calls the app by a portal
    "httpx": "ASGITransport",
    "httpx2": "ASGITransport",
    "async_asgi_testclient": "async_asgi_testclient",
}
_FRAMEWORKS = frozenset(
    {"anyio", "asyncio", "bgcheck", "contextlib", "fastapi", "starlette", "trio"}
)


def waiting_caller() -> str | None:
    """Name the caller that waits for the application call under way; None if there is none.

    A server answers its client by itself, and a call that is a task of its own has nobody waiting.
    Everything else on the stack between the application and its event loop waits for it.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - no public function is as cheap
    found: str | None = None
    while frame is not None and not _is_loop(frame):
        module = str(frame.f_globals.get("__name__", ""))
        package = module.partition(".")[0]
        if package in _SERVERS:
            return None
        client = _CLIENTS.get(module) or _CLIENTS.get(package)
        if client is not None:
            return client
        if found is None and package not in _FRAMEWORKS:
            found = frame.f_code.co_name
        frame = frame.f_back
    return found


def _is_loop(frame: FrameType) -> bool:
    """Whether a frame belongs to the machinery that steps tasks, below every coroutine."""
    module = frame.f_globals.get("__name__")
    return module in ("asyncio.events", "asyncio.base_events", "uvloop", "trio._core._run")
