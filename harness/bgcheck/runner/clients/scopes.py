"""ASGI scopes of client requests, as a server would make them, and responses from exchanges."""

from __future__ import annotations

from typing import Any

from bgcheck.runner.clients.connection import ASGI_VERSIONS, ConnectedExchange
from bgcheck.runner.clients.http_library import httpx

_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


def http_scope(
    request: httpx.Request, *, root_path: str, client: tuple[str, int], state: dict[str, Any]
) -> dict[str, Any]:
    """Return the scope of an HTTP request.

    Args:
        request: the request of the client library.
        root_path: where the application is mounted.
        client: host and port of the client.
        state: the lifespan state, of which the scope has a copy.
    """
    return {
        "type": "http",
        "asgi": dict(ASGI_VERSIONS),
        "method": request.method,
        "extensions": {"http.response.debug": {}, "http.response.trailers": {}},
        **_common(request, root_path, client, state),
    }


def websocket_scope(
    request: httpx.Request, *, root_path: str, client: tuple[str, int], state: dict[str, Any]
) -> dict[str, Any]:
    """Return the scope of a WebSocket handshake; arguments as for `http_scope`."""
    protocols = request.headers.get("sec-websocket-protocol", "")
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "subprotocols": [name.strip() for name in protocols.split(",") if name.strip()],
        "extensions": {"websocket.http.response": {}},
        **_common(request, root_path, client, state),
    }


def _common(
    request: httpx.Request, root_path: str, client: tuple[str, int], state: dict[str, Any]
) -> dict[str, Any]:
    url = request.url
    return {
        "http_version": "1.1",
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.split(b"?", 1)[0],
        "root_path": root_path,
        "query_string": url.query,
        "headers": [(key.lower(), value) for key, value in request.headers.raw],
        "client": client,
        "server": (url.host, url.port or _DEFAULT_PORTS[url.scheme]),
        "state": state.copy(),
    }


def response_of(exchange: ConnectedExchange, request: httpx.Request, stream: Any) -> httpx.Response:
    """Return the response of an exchange that has started or failed.

    Args:
        exchange: the exchange, whose `has_head` holds.
        request: the request it answers.
        stream: the library's byte stream over the body.

    Raises:
        BaseException: what the application raised before it had a response.
    """
    if exchange.failed or not exchange.response_started:
        raise_failure(exchange, request)
    if not exchange.response_started:
        return httpx.Response(500, content=b"Internal Server Error", request=request)
    response = httpx.Response(
        exchange.status, headers=exchange.headers, stream=stream, request=request
    )
    response.extensions["bgcheck.exchange"] = exchange
    _add_debug(response, exchange)
    return response


def _add_debug(response: Any, exchange: ConnectedExchange) -> None:
    """Show template and context of a template response, as Starlette's TestClient does."""
    if "trailers" in exchange.scope.get("extensions", {}) or exchange.trailers:
        response.extensions["http.response.trailers"] = exchange.trailers
    if exchange.debug is not None:
        response.extensions["http.response.debug"] = exchange.debug
        for name in ("template", "context"):
            if name in exchange.debug:
                setattr(response, name, exchange.debug[name])


def raise_failure(exchange: ConnectedExchange, request: httpx.Request) -> None:
    """Raise why a response will not be complete, if that is so.

    Raises:
        BaseException: what the application raised, where the client raises errors.
        httpx.RemoteProtocolError: the connection ended within the response, as a real client
            sees it.
        httpx.ReadError: the client was disconnected.
    """
    error = exchange.failure()
    if error is None:
        return
    if exchange.disconnected:
        raise httpx.ReadError(str(error), request=request) from error
    if exchange.raise_errors:
        raise error
    if exchange.response_started and not exchange.whole:
        raise httpx.RemoteProtocolError(
            "peer closed connection without sending complete message body", request=request
        ) from error
