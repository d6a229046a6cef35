"""A real uvicorn in a thread, on a free port of the loopback interface."""

import itertools
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from .events import LIMIT
from .marks import NotTestable

CALL_HEADER = "x-bgcheck-call"


class _Announcing(uvicorn.Server):
    """A server that says when it is ready, so that nobody has to poll."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


class _Errors(logging.Handler):
    """Keeps what the server logs as errors, and lets a probe wait for it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.changed = threading.Condition()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            with self.changed:
                self.errors.append(error)
                self.changed.notify_all()


class Server:
    """One server for many apps: each request names, in a header, the app that answers it."""

    def __init__(self, port: int, log: _Errors) -> None:
        self.port = port
        self._log = log
        self._numbers = itertools.count(1)
        self._apps: dict[str, ASGIApp] = {}

    def register(self, app: ASGIApp) -> str:
        """Return the value of CALL_HEADER that leads a request to this app, once."""
        name = str(next(self._numbers))
        self._apps[name] = app
        return name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the app that it names."""
        name = dict(scope["headers"])[CALL_HEADER.encode()].decode()
        await self._apps.pop(name)(scope, receive, send)

    def logged(self, error: BaseException) -> bool:
        """Whether the server logs this very error within LIMIT seconds."""
        with self._log.changed:
            return self._log.changed.wait_for(
                lambda: any(_holds(seen, error) for seen in self._log.errors), LIMIT
            )


def _holds(outer: BaseException, wanted: BaseException) -> bool:
    chain: list[Any] = [outer]
    while chain:
        error = chain.pop()
        if error is wanted:
            return True
        chain += [*getattr(error, "exceptions", ()), *filter(None, [error.__cause__])]
    return False


@contextmanager
def running_server() -> Iterator[Server]:
    """Run a server for the length of the block.

    Raises NotTestable where it does not get ready.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    errors = _Errors()
    app = Server(listener.getsockname()[1], errors)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = _Announcing(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="uvicorn", daemon=True)
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(errors)
    thread.start()
    try:
        if not server.ready.wait(LIMIT):
            raise NotTestable(f"uvicorn was not ready within {LIMIT:g} s")
        yield app
    finally:
        server.should_exit = True
        thread.join(LIMIT)
        logger.removeHandler(errors)
        listener.close()
