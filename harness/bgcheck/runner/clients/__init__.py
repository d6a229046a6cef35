"""Response-first clients: the response is returned when it is complete, its tasks still pending.

The functions here import no framework and no HTTP library until they are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bgcheck.runner.clients.async_http import ResponseFirstAsyncClient
    from bgcheck.runner.clients.exchange import ASGIApp
    from bgcheck.runner.clients.sync_http import ResponseFirstClient
    from bgcheck.runner.clients.wrapper import ResponseFirst

__all__ = ("async_client", "client", "response_first")


def client(app: ASGIApp, **options: Any) -> ResponseFirstClient:
    """Return a response-first client with the API of Starlette's TestClient.

    Args:
        app: the ASGI application.
        options: those of `ResponseFirstClient`.

    Raises:
        ModuleNotFoundError: neither httpx2 nor httpx is installed.
    """
    from bgcheck.runner.clients.sync_http import ResponseFirstClient

    return ResponseFirstClient(app, **options)


def async_client(app: ASGIApp, **options: Any) -> ResponseFirstAsyncClient:
    """Return a response-first `AsyncClient` of httpx2, or of httpx where that is installed.

    Args:
        app: the ASGI application.
        options: those of `ResponseFirstAsyncClient`.

    Raises:
        ModuleNotFoundError: neither httpx2 nor httpx is installed.
    """
    from bgcheck.runner.clients.async_http import ResponseFirstAsyncClient

    return ResponseFirstAsyncClient(app, **options)


def response_first(app: ASGIApp, **options: Any) -> ResponseFirst:
    """Return the ASGI application that answers before its tasks run, for any ASGI client.

    Args:
        app: the ASGI application.
        options: those of `ResponseFirst`.
    """
    from bgcheck.runner.clients.wrapper import ResponseFirst

    return ResponseFirst(app, **options)
