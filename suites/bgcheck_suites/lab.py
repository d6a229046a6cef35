"""The two places where a probe is measured: in process, and behind a real server.

Both send one request to an app, record in the log when the response was complete, and keep what
the app raised. A real server answers while tasks still run; the in-process client does not.
"""

import contextlib
import http.client
import json
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .events import LIMIT, Contradiction, Log
from .server import CALL_HEADER, Server, running_server


@dataclass
class Call:
    """One call of an app: marks the response in the log, keeps what the app raised."""

    app: ASGIApp
    log: Log
    error: BaseException | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app as it is, seen from outside."""

        async def watched(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self.log.mark("response complete")

        try:
            await self.app(scope, receive, watched)
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.ended.set()


@dataclass
class Exchange:
    """What the client got, and the call behind it."""

    call: Call
    status: int | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def end(self) -> "Exchange":
        """Wait until the app's call is over, tasks included, whatever it raised."""
        if not self.call.ended.wait(LIMIT):
            last = [f"the last event is {event}" for event in self.call.log.events[-1:]]
            raise Contradiction(f"The app did not end its call within {LIMIT:g} s.", *last)
        return self

    def settle(self, status: int = 200) -> "Exchange":
        """Wait for the end, and require that the app raised nothing and answered `status`."""
        self.end()
        if self.call.error is not None:
            raise Contradiction("The app raised an error.", repr(self.call.error))
        return self.answered(status)

    def answered(self, status: int = 200) -> "Exchange":
        """Require the status of the response that the client got."""
        if self.status != status:
            raise Contradiction(
                f"The client got {self.status or 'no response'}, not {status}.", repr(self.body)
            )
        return self

    def root_errors(self) -> list[BaseException]:
        """Return what the app raised, exception groups taken apart."""
        return roots(self.call.error)

    def told(self) -> str:
        """Say what the client got, and what the app raised to its server."""
        raised = ", ".join(type(error).__name__ for error in self.root_errors()) or "nothing"
        return f"client got {self.status or 'no whole response'}, app raised {raised}"


def roots(error: BaseException | None) -> list[BaseException]:
    """Take exception groups apart (anyio's version alone decides whether there is one)."""
    if error is None:
        return []
    inner = getattr(error, "exceptions", None)
    return [leaf for part in inner for leaf in roots(part)] if inner else [error]


class Lab(Protocol):
    """A place to measure: sends a request to an app, and gives the exchange."""

    log: Log

    def send(
        self,
        app: ASGIApp,
        path: str = "/",
        *,
        method: str = "GET",
        payload: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """Send one request, and return when the client has the response."""
        ...


class InProcess:
    """Measures with Starlette's TestClient, whose requests end after the last task."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def send(
        self,
        app: ASGIApp,
        path: str = "/",
        *,
        method: str = "GET",
        payload: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """Send one request; what the app raises is kept in the exchange."""
        call = Call(app, self.log)
        body: dict[str, Any] = {"content": content} if payload is None else {"json": payload}
        response = self.client(call).request(
            method, path, **body, headers=headers, follow_redirects=False
        )
        return Exchange(call, response.status_code, response.content, response.headers)

    @staticmethod
    def client(app: ASGIApp, *, raise_errors: bool = False, **options: Any) -> Any:
        """Return a TestClient for an app."""
        with warnings.catch_warnings():
            # Old clients warn of their own deprecated ways; that is not what is measured.
            warnings.simplefilter("ignore")
            from starlette.testclient import TestClient

            return TestClient(app, raise_server_exceptions=raise_errors, **options)


class Connection:
    """One connection of a real client to the server, kept alive between requests."""

    def __init__(self, server: Server, log: Log) -> None:
        self._server = server
        self._log = log
        self._http = http.client.HTTPConnection("127.0.0.1", server.port, timeout=2 * LIMIT)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection from the client's side."""
        self._http.close()

    def send(
        self,
        app: ASGIApp,
        path: str = "/",
        *,
        method: str = "GET",
        payload: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """Send one request, and read the response to its last byte."""
        body = content if payload is None else json.dumps(payload).encode()
        return self.receive(self.start(app, path, method=method, content=body, headers=headers))

    def start(
        self,
        app: ASGIApp,
        path: str = "/",
        *,
        method: str = "GET",
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Call:
        """Send one request, and leave the response alone."""
        call = Call(app, self._log)
        named = {CALL_HEADER: self._server.register(call), "content-type": "application/json"}
        # A connection that the server has closed is found out by who reads the response.
        with contextlib.suppress(OSError):
            self._http.request(method, path, body=content, headers={**named, **(headers or {})})
        return call

    def receive(self, call: Call) -> Exchange:
        """Read the response to its last byte."""
        try:
            response = self._http.getresponse()
            body = response.read()
        except (http.client.HTTPException, OSError) as error:
            return Exchange(call, None, repr(error).encode())
        return Exchange(call, response.status, body, dict(response.headers))


class OnServer:
    """Measures with a real client against a real uvicorn."""

    def __init__(self, log: Log, server: Server) -> None:
        self.log = log
        self.server = server
        log.of_server = True
        self._connections: list[Connection] = []

    def connect(self) -> Connection:
        """Open a connection that several requests can share."""
        connection = Connection(self.server, self.log)
        self._connections.append(connection)
        return connection

    def close(self) -> None:
        """Close every connection that is still open."""
        for connection in self._connections:
            connection.close()

    def send(
        self,
        app: ASGIApp,
        path: str = "/",
        *,
        method: str = "GET",
        payload: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """Send one request on a connection of its own, which stays open: a client that leaves
        may cancel what the server still does.
        """
        return self.connect().send(
            app, path, method=method, payload=payload, content=content, headers=headers
        )


@contextmanager
def own_server(log: Log, lifespan: ASGIApp | None = None, **options: Any) -> Iterator[OnServer]:
    """Measure on a server of the probe's own, with uvicorn's options, that it may stop."""
    with running_server(lifespan, **options) as server:
        place = OnServer(log, server)
        try:
            yield place
        finally:
            place.close()
