"""Backends to run the clients on, and a real uvicorn to compare them with."""

from __future__ import annotations

import importlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from bgcheck.runner.clients import client


def _usable(backend: str) -> bool:
    module = {"asyncio": "asyncio", "uvloop": "uvloop", "trio": "anyio._backends._trio"}[backend]
    try:
        importlib.import_module(module)
    except (
        ImportError,
        AttributeError,
    ):  # anyio 3 needs a trio that is older than MultiError's end
        return False
    return True


def _param(backend: str) -> Any:
    missing = not _usable(backend)
    return pytest.param(
        backend, marks=pytest.mark.skipif(missing, reason=f"no usable {backend} in this cell")
    )


BACKENDS = [_param(name) for name in ("asyncio", "uvloop", "trio")]


@pytest.fixture(params=BACKENDS)
def make_client(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Make a response-first client on asyncio, uvloop and trio in turn."""
    uvloop = request.param == "uvloop"

    def make(app: Any, **options: Any) -> Any:
        return client(
            app,
            backend="asyncio" if uvloop else request.param,
            backend_options={"use_uvloop": True} if uvloop else {},
            **options,
        )

    return make


@pytest.fixture(params=[_param("asyncio"), _param("trio")])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The library that a test marked `anyio` runs on."""
    return str(request.param)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


@contextmanager
def running_uvicorn(app: Any, **options: Any) -> Iterator[tuple[str, Callable[[], None]]]:
    """Run uvicorn in a thread; yield its URL and what stops it."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http="h11", ws="none", loop="asyncio", log_config=None, access_log=False, **options
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="uvicorn", daemon=True)
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(20)

    try:
        assert server.ready.wait(20)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", stop
    finally:
        stop()
        listener.close()
        assert not thread.is_alive()


class Switch:
    """An ASGI application that hands every request to the application of the running test."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def switch() -> Iterator[tuple[Switch, str]]:
    """One uvicorn for the tests of a module: its application, to be set, and its URL."""
    switch = Switch()
    with running_uvicorn(switch, lifespan="off") as (url, _):
        yield switch, url


@pytest.fixture
def serving() -> Callable[..., Any]:
    """Run uvicorn for a block: `with serving(app, **options) as (url, stop)`."""
    return running_uvicorn
