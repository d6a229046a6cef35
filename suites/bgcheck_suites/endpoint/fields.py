"""What a client calls the fields of a body that are parameters of an endpoint."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

BODIES = frozenset({"Body", "File", "Form"})


def wire_names(endpoint: Callable[..., Any] | None) -> dict[str, str]:
    """Return the aliases of the fields of a body, by parameter, of dependencies too.

    FastAPI lists such a field under the name of its parameter (0.118.3 with pydantic 2.14), or
    under its alias (0.165.0).

    Example:
        >>> from fastapi import Form
        >>> def create(kind: str = Form(alias="format")): ...
        >>> wire_names(create)
        {'kind': 'format'}
    """
    return dict(_aliases(endpoint, set())) if endpoint is not None else {}


def _aliases(function: Callable[..., Any], seen: set[int]) -> Iterator[tuple[str, str]]:
    if id(function) in seen:
        return
    seen.add(id(function))
    for name, parameter in _parameters(function).items():
        for mark in (parameter.default, *getattr(parameter.annotation, "__metadata__", ())):
            alias, dependency = getattr(mark, "alias", None), getattr(mark, "dependency", None)
            if isinstance(alias, str) and not BODIES.isdisjoint(
                base.__name__ for base in type(mark).__mro__
            ):
                yield name, alias
            elif callable(dependency):
                yield from _aliases(dependency, seen)


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    for evaluate in (True, False):
        try:
            return inspect.signature(function, eval_str=evaluate).parameters
        except Exception:  # an annotation may raise anything; the defaults are there without it
            continue
    return {}


def renamed(schema: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the schema of a body as a client sees it, where FastAPI made it of parameters."""
    if not names or not str(schema.get("title", "")).startswith("Body_"):
        return schema
    fields = schema.get("properties", {})
    return {
        **schema,
        "properties": {names.get(name, name): field for name, field in fields.items()},
        "required": [names.get(name, name) for name in schema.get("required", ())],
    }
