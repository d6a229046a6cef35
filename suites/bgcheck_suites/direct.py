"""An app called without client or server: the probe itself plays the server."""

from collections.abc import Callable

import anyio
from starlette.types import ASGIApp, Message

from .events import Log
from .lab import Call, roots

Refuses = Callable[[Message], bool]


async def call_directly(
    app: ASGIApp, log: Log, *, spec_version: str = "2.3", refuses: Refuses = lambda _: False
) -> list[BaseException]:
    """Call an app as a server does, and return what it raised, groups taken apart.

    The client stays to the end, but a message that `refuses` picks fails like one to a client
    that has gone: with OSError, as ASGI has it from version 2.4 on.
    """
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        for message in messages:
            return message
        await anyio.sleep_forever()
        raise AssertionError("it slept forever")

    async def send(message: Message) -> None:
        if refuses(message):
            raise OSError("the client has gone")

    try:
        await Call(app, log)(http_scope(spec_version), receive, send)
    except Exception as error:
        return roots(error)
    return []


def http_scope(spec_version: str = "2.3") -> dict[str, object]:
    """Return the scope of `GET /`."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": spec_version},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
