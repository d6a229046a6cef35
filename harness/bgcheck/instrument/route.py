"""Read the path template of the route that answered a request from its ASGI scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]


def route_of(scope: Mapping[str, Any], root_path: str) -> str | None:
    """Return the template with the prefix of every mount, such as `/api/items/{item_id}`.

    Args:
        scope: the scope as routing left it.
        root_path: the root path before routing; what routing added to it is the mounts' part.
    """
    prefix = str(scope.get("root_path", ""))[len(root_path) :]
    path = _path_of(effective_route(scope)) or _path_of(scope.get("route"))
    if path is None:
        path = _search(getattr(scope.get("router"), "routes", ()), scope.get("endpoint"))
        prefix = ""
    return None if path is None else prefix + path


def effective_route(scope: Mapping[str, Any]) -> object:
    """What newer FastAPI keeps of a route in an included router: its path with the prefix."""
    context = scope.get("fastapi")
    context = context.get("effective_route_context") if isinstance(context, dict) else None
    return getattr(context, "starlette_route", None) or context


def _path_of(route: object) -> str | None:
    path = getattr(route, "path_format", None) or getattr(route, "path", None)
    return path if isinstance(path, str) else None


def _search(routes: Iterable[Any] | None, endpoint: object) -> str | None:
    """Find the route of an endpoint where the scope does not name it (Starlette before `route`)."""
    for route in routes or ():
        path = _path_of(route)
        if getattr(route, "endpoint", None) is endpoint and endpoint is not None and path:
            return path
        inner = _search(getattr(route, "routes", None), endpoint)
        if inner is not None:
            return (path or "").removesuffix("/{path}") + inner
    return None
