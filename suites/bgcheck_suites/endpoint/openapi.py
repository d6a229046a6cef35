"""The OpenAPI schema that describes a request, and its operation."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .subject import RequestSpec


@dataclass(frozen=True)
class Operation:
    """The operation of an OpenAPI schema that a request belongs to.

    Attributes:
        path: its path, with parameters in braces.
        prefix: what comes before it in the request, of a mounted app or a root path.
        values: what the request has for the parameters of the path.
        definition: the operation.
        document: the whole schema, which holds what is referred to.
    """

    path: str
    prefix: str
    values: Mapping[str, str]
    definition: Mapping[str, Any]
    document: Mapping[str, Any]


def operation_of(app: Any, request: RequestSpec) -> Operation | None:
    """Find the operation of an app, or of an app mounted in it, that a request belongs to."""
    path = request.url.partition("?")[0]
    for document, prefix in documents(app):
        if path.startswith(prefix):
            found = _operation(document, prefix, request.method.lower(), path[len(prefix) :])
            if found is not None:
                return found
    return None


def documents(app: Any, prefix: str = "") -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the schemas of an app and of the apps mounted in it, with the prefix of their paths."""
    app = _behind_middleware(app)
    make = getattr(app, "openapi", None)
    found = make() if callable(make) else None
    root = str(getattr(app, "root_path", "") or "").rstrip("/")
    for start in dict.fromkeys((prefix, prefix + root)):
        if isinstance(found, Mapping):
            yield found, start
        for route in getattr(app, "routes", None) or ():
            if hasattr(route, "app") and not hasattr(route, "endpoint"):
                yield from documents(route.app, start + str(getattr(route, "path", "")))


def _behind_middleware(app: Any) -> Any:
    """Return the app that has a schema or routes, where middleware is wrapped around it."""
    for _ in range(20):
        if hasattr(app, "openapi") or hasattr(app, "routes") or not hasattr(app, "app"):
            break
        app = app.app
    return app


def _operation(
    document: Mapping[str, Any], prefix: str, method: str, path: str
) -> Operation | None:
    paths = document.get("paths", {})
    templates = sorted(paths, key=lambda one: one.count("{"))
    for value in ("([^/]+)", "(.+)"):  # a parameter may hold slashes: `{file:path}`
        for template in templates:
            texts = map(re.escape, re.split(r"{[^}]+}", template))
            match = re.fullmatch(value.join(texts), path)
            if match is not None and method in paths[template]:
                names = re.findall(r"{([^}]+)}", template)
                values = dict(zip(names, match.groups(), strict=True))
                common = paths[template].get("parameters", [])
                definition = dict(paths[template][method])
                definition["parameters"] = [*common, *definition.get("parameters", ())]
                return Operation(template, prefix, values, definition, document)
    return None
