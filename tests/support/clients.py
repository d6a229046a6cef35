"""Every client an app can be called with, under one signature: `call(app, method, path)`."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
import uvicorn

LIMIT = 20.0
"""Seconds to wait for something that only a bug can keep from happening."""


async def asgi(
    app: Any, method: str = "GET", path: str = "/", send: Any = None, **scope: Any
) -> list[dict[str, Any]]:
    """Call an app as a server does, and return the messages that it sent."""
    sent: list[dict[str, Any]] = []

    unread = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not unread:  # the client stays connected
            await anyio.sleep_forever()
        return unread.pop()

    async def keep(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(make_scope(method, path, **scope), receive, send or keep)
    return sent


def make_scope(method: str = "GET", path: str = "/", **more: Any) -> dict[str, Any]:
    """Return the scope that a server makes for a request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"test")],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        **more,
    }


def by_asgi(app: Any, method: str, path: str) -> int:
    """Call the app itself."""
    return int(asyncio.run(asgi(app, method, path))[0]["status"])


def by_testclient(app: Any, method: str, path: str) -> int:
    """Use Starlette's TestClient without `with`."""
    from starlette.testclient import TestClient

    return int(TestClient(app).request(method, path).status_code)


def by_entered_testclient(app: Any, method: str, path: str) -> int:
    """Use Starlette's TestClient in `with`."""
    from starlette.testclient import TestClient

    with TestClient(app) as client:
        return int(client.request(method, path).status_code)


def _by_async_client(library: Any) -> Callable[[Any, str, str], int]:
    async def request(app: Any, method: str, path: str) -> int:
        transport = library.ASGITransport(app=app)
        async with library.AsyncClient(transport=transport, base_url="http://test") as client:
            return int((await client.request(method, path)).status_code)

    return lambda app, method, path: asyncio.run(request(app, method, path))


def by_httpx(app: Any, method: str, path: str) -> int:
    """Use httpx over ASGITransport."""
    import httpx

    return _by_async_client(httpx)(app, method, path)


def by_httpx2(app: Any, method: str, path: str) -> int:
    """Use httpx2 over ASGITransport."""
    import httpx2

    return _by_async_client(httpx2)(app, method, path)


def by_uvicorn(app: Any, method: str, path: str) -> int:
    """Use a real server in a thread, until it has done all that it does for the request."""
    over = threading.Event()

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        finally:
            over.set()

    with uvicorn_server(outer) as url:
        with urllib.request.urlopen(urllib.request.Request(url + path, method=method)) as answer:
            status = int(answer.status)
        assert over.wait(LIMIT)
    return status


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


@contextmanager
def uvicorn_server(app: Any) -> Iterator[str]:
    """Run uvicorn in a thread for a block; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        assert server.ready.wait(LIMIT)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(LIMIT)
        listener.close()


_NO_HTTPX2 = pytest.mark.skipif(
    importlib.util.find_spec("httpx2") is None, reason="this cell has no httpx2"
)
CLIENTS = [
    by_asgi,
    by_testclient,
    by_entered_testclient,
    by_httpx,
    pytest.param(by_httpx2, marks=_NO_HTTPX2),
    by_uvicorn,
]
"""All of them, for `pytest.mark.parametrize`."""

Call = Callable[[Any, str, str], int]
Send = Callable[[dict[str, Any]], Awaitable[None]]
