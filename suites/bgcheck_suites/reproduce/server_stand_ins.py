"""What stands in a reproduction for the suites' real server and its client."""

import http.client
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

calls: list[Any] = []


class Call:
    """One request: the app that answers it, what that raised, and what the client got."""

    status: Any = None
    body = b""
    error: Any = None

    def __init__(self, app: Any) -> None:
        self.app = app
        self.ended = threading.Event()
        calls.append(self)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Run the app, and keep what it raises."""
        try:
            await self.app(scope, receive, send)
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.ended.set()

    def end(self) -> "Call":
        """Wait until the app's call is over."""
        assert self.ended.wait(10)
        return self

    def settle(self) -> "Call":
        """Wait for the end, and require that the app raised nothing."""
        assert self.ended.wait(10)
        assert (self.status, self.error) == (200, None)
        return self

    def answered(self) -> "Call":
        """Require that the client got a response."""
        assert self.status == 200
        return self


class Connection:
    """One connection of a real client, kept alive between requests."""

    def __init__(self, port: int) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def close(self) -> None:
        """Close the connection from the client's side."""
        self.http.close()

    def start(self, app: Any, path: str = "/", method: str = "GET", content: Any = None) -> Call:
        """Send a request, and leave the response alone."""
        call = Call(app)
        self.http.request(method, path, content, {"call": str(len(calls) - 1)})
        return call

    def receive(self, call: Call) -> Call:
        """Read the response to its last byte."""
        with suppress(http.client.HTTPException, OSError):
            response = self.http.getresponse()
            call.status, call.body = response.status, response.read()
        return call

    def send(self, app: Any, path: str = "/", method: str = "GET", content: Any = None) -> Call:
        """Send a request, and read the response."""
        return self.receive(self.start(app, path, method, content))


class OnServer:
    """A uvicorn in a thread; each request names the app that answers it."""

    error: Any = None

    def __init__(self, lifespan: Any = None, **options: Any) -> None:
        self.lifespan = lifespan
        self.errors: list[Any] = []
        logging.getLogger("uvicorn.error").addFilter(self.keep)
        self.uvicorn = uvicorn.Server(uvicorn.Config(self, port=0, log_config=None, **options))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        while not self.uvicorn.started:
            time.sleep(0.01)

    def run(self) -> None:
        """Run until the end, and keep what ends it."""
        try:
            self.uvicorn.run()
        except BaseException as error:
            self.error = error

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand a request to its app."""
        if scope["type"] == "http":
            await calls[int(dict(scope["headers"])[b"call"])](scope, receive, send)
        elif self.lifespan:
            await self.lifespan(scope, receive, send)

    def connect(self) -> Connection:
        """Open a connection that several requests can share."""
        return Connection(self.uvicorn.servers[0].sockets[0].getsockname()[1])

    def send(self, app: Any, path: str = "/", method: str = "GET") -> Call:
        """Send one request on a connection of its own."""
        return self.connect().send(app, path, method)

    def stop(self, force: bool = False) -> None:
        """Ask the server to end, as a first signal does, or a second one."""
        self.uvicorn.should_exit, self.uvicorn.force_exit = True, force

    def ended(self) -> bool:
        """Whether the server ends."""
        self.thread.join(10)
        return not self.thread.is_alive()

    def logged(self, error: BaseException) -> bool:
        """Whether the server logs this very error."""
        for _ in range(1000):
            if error in self.errors:
                return True
            time.sleep(0.01)
        return False

    def keep(self, record: logging.LogRecord) -> bool:
        """Keep the error of a line of the log."""
        error = record.exc_info[1] if record.exc_info else None
        self.errors += [error, getattr(error, "__cause__", None)]
        return True


@contextmanager
def own_server(lifespan: Any = None, **options: Any) -> Iterator[OnServer]:
    """Run a server for the length of the block."""
    yield OnServer(lifespan, **options)
