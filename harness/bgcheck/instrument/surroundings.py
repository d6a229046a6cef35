"""Read from an ASGI scope in which ways the application works around a scheduled task."""

from __future__ import annotations

import contextlib
import functools
import inspect
import typing
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Final

from bgcheck.instrument.route import effective_route, route_of
from bgcheck.recorder.identity import IdentityMap
from bgcheck.recorder.request import Around
from bgcheck.recorder.roles import role_of

_MIDDLEWARE: Final = {
    ("starlette.middleware.base", "BaseHTTPMiddleware"): "base-http-middleware",
    ("starlette.middleware.gzip", "GZipMiddleware"): "gzip-middleware",
}
_RESPONSES: Final = {
    ("starlette.responses", "FileResponse"): "file-response",
    ("starlette.responses", "StreamingResponse"): "streaming-response",
    ("starlette.responses", "RedirectResponse"): "redirect-response",
}

_known: IdentityMap[tuple[weakref.ref[Any], frozenset[str]]] = IdentityMap()
"""The patterns by route, and the application that they were read for."""

_seen: dict[int, tuple[weakref.ref[Any], weakref.ref[Any], Around]] = {}
"""What is around the requests of a route that no mount has a part in: by its id, for which app."""


def around(scope: Mapping[str, Any], root_path: str) -> Around:
    """Return the route's template and the patterns of a request.

    Args:
        scope: the scope as routing left it.
        root_path: the root path before routing.
    """
    route, app = scope.get("route"), scope.get("app")
    seen = _seen.get(id(route))
    simple = "fastapi" not in scope and scope.get("root_path", "") == root_path
    if simple and seen is not None and seen[0]() is route and seen[1]() is app:
        return seen[2]
    patterns = patterns_around(scope) if scope.get("endpoint") else frozenset[str]()
    found = Around(route_of(scope, root_path), patterns)
    if simple and patterns and found.route is not None:
        with contextlib.suppress(TypeError):  # one of them takes no weak reference
            _seen[id(route)] = (weakref.ref(route), weakref.ref(app), found)
    return found


def patterns_around(scope: Mapping[str, Any]) -> frozenset[str]:
    """Return the patterns of the route and of the application that a scope belongs to.

    `def-endpoint` or `async-endpoint`, `dependency`, `def-yield-dependency`,
    `async-yield-dependency`, `session-dependency` or `async-session-dependency` (one that yields
    such a session), `function-scope-dependency`, `security-dependency`, `uncached-dependency`,
    `partial-dependency`, `wrapped-dependency`, `contextmanager-dependency`,
    `base-http-middleware`, `gzip-middleware`, `other-middleware`, `file-response`,
    `streaming-response` and `redirect-response` (as the route declares them), `websocket`.
    """
    route, app = effective_route(scope) or scope.get("route"), scope.get("app")
    known = _known.get(route)
    if known is not None and known[0]() is app:
        return known[1]
    found = frozenset(_read(scope, route, app))
    with contextlib.suppress(TypeError):  # one of them takes no weak reference
        _known[route] = (weakref.ref(app), found)
    return found


def _read(scope: Mapping[str, Any], route: Any, app: Any) -> Iterator[str]:
    yield from _of_endpoint(scope.get("endpoint"))
    yield from _of_route(route)
    yield from _of_app(app)
    if scope.get("type") == "websocket":
        yield "websocket"


def _of_endpoint(endpoint: Any) -> Iterator[str]:
    if inspect.isfunction(endpoint):
        yield "async-endpoint" if inspect.iscoroutinefunction(endpoint) else "def-endpoint"


def _of_app(app: Any) -> Iterator[str]:
    for entry in getattr(app, "user_middleware", ()):
        yield _named(getattr(entry, "cls", None), _MIDDLEWARE) or "other-middleware"


def _of_route(route: Any) -> Iterator[str]:
    for dependant in _below(getattr(route, "dependant", None)):
        yield "dependency"
        yield from _of_dependency(dependant)
    declared = getattr(route, "response_class", None)
    endpoint = getattr(route, "endpoint", None)
    returned = getattr(endpoint, "__annotations__", {}).get("return")
    for kind in (getattr(declared, "value", declared), returned):
        response = _named(kind, _RESPONSES)
        if response is not None:
            yield response


def _below(dependant: Any) -> Iterator[Any]:
    for inner in getattr(dependant, "dependencies", ()):
        yield inner
        yield from _below(inner)


def _of_dependency(dependant: Any) -> Iterator[str]:
    call = dependant.call
    yield from _of_wrapping(call)
    if not dependant.use_cache:
        yield "uncached-dependency"
    while isinstance(call, functools.partial):
        call = call.func
    method = getattr(call, "__call__", None)  # noqa: B004 - that of an object with a call
    if inspect.isasyncgenfunction(call) or inspect.isasyncgenfunction(method):
        yield "async-yield-dependency"
    elif inspect.isgeneratorfunction(call) or inspect.isgeneratorfunction(method):
        yield "def-yield-dependency"
    role = _role_of_yielded(call if inspect.isfunction(call) else method)
    if role in ("session-argument", "async-session-argument"):
        yield role.replace("argument", "dependency")
    if getattr(dependant, "scope", None) == "function":
        yield "function-scope-dependency"
    if _is_security(call) or getattr(dependant, "security_scopes_param_name", None):
        yield "security-dependency"


def _of_wrapping(call: Any) -> Iterator[str]:
    if isinstance(call, functools.partial):
        yield "partial-dependency"
    elif hasattr(call, "__wrapped__"):
        inner = getattr(call, "__globals__", {}).get("__name__")
        yield "contextmanager-dependency" if inner == "contextlib" else "wrapped-dependency"


def _role_of_yielded(func: Any) -> str | None:
    """Return the role of what a generator function yields, as its annotation says."""
    try:
        returned = typing.get_type_hints(func).get("return")
    except Exception:  # an annotation may name what only a type checker imports
        return None
    yielded = next(iter(typing.get_args(returned)), None)
    return role_of(yielded) if isinstance(yielded, type) else None


def _is_security(call: Any) -> bool:
    return _named(type(call), {("fastapi.security.base", "SecurityBase"): "security"}) is not None


def _named(kind: Any, names: Mapping[tuple[str, str], str]) -> str | None:
    """Return what stands for a class, or for its nearest base that is known."""
    if not isinstance(kind, type):
        return None
    bases = ((base.__module__, base.__name__) for base in kind.__mro__)
    return next((names[base] for base in bases if base in names), None)
