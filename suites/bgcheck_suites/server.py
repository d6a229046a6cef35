"""A real uvicorn in a thread, on a free port of the loopback interface."""

import itertools
import logging
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from .events import LIMIT
from .marks import NotTestable

CALL_HEADER = "x-bgcheck-call"
_QUIET: Mapping[str, Any] = {"http": "h11", "ws": "none", "log_config": None, "access_log": False}


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

    def __init__(self, log: _Errors, lifespan: ASGIApp | None, options: Mapping[str, Any]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._log = log
        self._numbers = itertools.count(1)
        self._apps: dict[str, ASGIApp] = {}
        self._lifespan = lifespan
        settings = {"loop": "asyncio", "lifespan": "on" if lifespan else "off", **options}
        self._uvicorn = _Announcing(uvicorn.Config(self, **_QUIET, **settings))
        self._thread = threading.Thread(target=self._run, name="uvicorn", daemon=True)
        self.error: BaseException | None = None

    def _run(self) -> None:
        try:
            self._uvicorn.run([self._listener])
        except BaseException as error:
            self.error = error
        finally:
            self._uvicorn.ready.set()

    def start(self) -> None:
        """Start, and return when the server is ready.

        Raises NotTestable where it does not get ready.
        """
        self._thread.start()
        if not self._uvicorn.ready.wait(LIMIT) or not self._uvicorn.started:
            raise NotTestable(f"uvicorn was not ready within {LIMIT:g} s") from self.error

    def stop(self, *, force: bool = False) -> None:
        """Ask the server to end, as a first signal does, or a second one."""
        self._uvicorn.should_exit = True
        self._uvicorn.force_exit = self._uvicorn.force_exit or force

    def ended(self) -> bool:
        """Whether the server ends within LIMIT seconds."""
        self._thread.join(LIMIT)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Stop without waiting for requests, and give the port back."""
        self.stop(force=True)
        self.ended()
        self._listener.close()

    def register(self, app: ASGIApp) -> str:
        """Return the value of CALL_HEADER that leads a request to this app, once."""
        name = str(next(self._numbers))
        self._apps[name] = app
        return name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the app that it names."""
        if scope["type"] == "lifespan":
            assert self._lifespan is not None
            return await self._lifespan(scope, receive, send)
        name = dict(scope["headers"])[CALL_HEADER.encode()].decode()
        return await self._apps.pop(name)(scope, receive, send)

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
def running_server(lifespan: ASGIApp | None = None, **options: Any) -> Iterator[Server]:
    """Run a server for the length of the block.

    The lifespan is that of the given app; the options are uvicorn's.
    Raises NotTestable where it does not get ready.
    """
    errors = _Errors()
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(errors)
    server = Server(errors, lifespan, options)
    try:
        server.start()
        yield server
    finally:
        server.close()
        logger.removeHandler(errors)
