"""Invalid requests, derived from the app's own OpenAPI schema: the valid request with one fault."""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from .subject import RequestSpec

WRONG_TYPES: Mapping[str, Any] = {
    "integer": "not-a-number",
    "number": "not-a-number",
    "boolean": "not-a-boolean",
    "string": {"not": "a string"},
    "array": {"not": "a list"},
    "object": "not-an-object",
}
LIMIT = 12
"""How many invalid requests are derived, at most."""


@dataclass(frozen=True)
class Invalid:
    """An invalid request, and its fault in words."""

    fault: str
    request: RequestSpec


@dataclass(frozen=True)
class Operation:
    """The operation of an OpenAPI schema that a request belongs to."""

    path: str
    values: Mapping[str, str]
    definition: Mapping[str, Any]
    schema: Mapping[str, Any]

    def resolved(self, part: Any) -> Mapping[str, Any]:
        """Follow references, and take the alternative that is not null."""
        while isinstance(part, Mapping):
            if "$ref" in part:
                target: Any = self.schema
                for name in part["$ref"].removeprefix("#/").split("/"):
                    target = target[name]
                part = target
            elif "allOf" in part and len(part["allOf"]) == 1:
                part = {**part["allOf"][0], **{k: v for k, v in part.items() if k != "allOf"}}
            else:
                return part
        return {}


def operation_of(schema: Mapping[str, Any], request: RequestSpec) -> Operation | None:
    """Find the operation that a request belongs to; a path without parameters goes first."""
    path = request.url.partition("?")[0]
    for template in sorted(schema.get("paths", {}), key=lambda one: one.count("{")):
        names = re.findall(r"{([^}]+)}", template)
        pattern = re.sub(r"\\{[^}]+\\}", "([^/]+)", re.escape(template))
        match = re.fullmatch(pattern, path)
        definition = schema["paths"][template].get(request.method.lower())
        if match is not None and definition is not None:
            values = dict(zip(names, match.groups(), strict=True))
            return Operation(template, values, definition, schema)
    return None


def derive(schema: Mapping[str, Any], request: RequestSpec) -> list[Invalid]:
    """Return invalid variants of a valid request; none where its operation takes no input."""
    operation = operation_of(schema, request)
    if operation is None:
        return []
    found = [*_parameters(operation, request), *_bodies(operation, request)]
    return found[:: -(-len(found) // LIMIT)] if found else []


def _parameters(operation: Operation, request: RequestSpec) -> Iterator[Invalid]:
    for given in operation.definition.get("parameters", ()):
        parameter = operation.resolved(given)
        schema = operation.resolved(parameter.get("schema", {}))
        where = f"{parameter['in']} parameter {parameter['name']}"
        for fault, value in _wrong_values(schema, operation, text=True):
            changed = _with_parameter(operation, request, parameter, str(value))
            if changed is not None:
                yield Invalid(f"{where} is {fault}", changed)
        if parameter.get("required") and parameter["in"] == "query":
            changed = _with_parameter(operation, request, parameter, None)
            if changed is not None:
                yield Invalid(f"{where} is missing", changed)


def _with_parameter(
    operation: Operation, request: RequestSpec, parameter: Mapping[str, Any], value: str | None
) -> RequestSpec | None:
    name = parameter["name"]
    path, _, query = request.url.partition("?")
    if parameter["in"] == "path" and value:
        values = {**operation.values, name: quote(value, safe="")}
        path = re.sub(r"{([^}]+)}", lambda match: values[match[1]], operation.path)
    elif parameter["in"] == "query":
        pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != name]
        query = urlencode([*pairs, *([(name, value)] if value is not None else [])])
    else:
        return None
    return request.changed(line=f"{request.method} {path}{'?' if query else ''}{query}")


def _bodies(operation: Operation, request: RequestSpec) -> Iterator[Invalid]:
    body = operation.resolved(operation.definition.get("requestBody", {}))
    content = body.get("content", {}).get("application/json")
    if content is None or request.json is None:
        return
    schema = operation.resolved(content.get("schema", {}))
    for path, fault, changed in _mutations(schema, operation, request.json, "the body"):
        yield Invalid(f"{path} {fault}", request.changed(json=changed))
    if body.get("required"):
        yield Invalid("the body is missing", request.changed(json=None))


def _mutations(
    given: Any, operation: Operation, value: Any, path: str, depth: int = 3
) -> Iterator[tuple[str, str, Any]]:
    """Yield copies of a valid value with one fault each."""
    schema = operation.resolved(given)
    for fault, wrong in _wrong_values(schema, operation, text=False):
        yield path, f"is {fault}", wrong
    if not depth:
        return
    if isinstance(value, dict) and "properties" in schema:
        yield from _members(schema, operation, value, path, depth)
    elif isinstance(value, list) and value and "items" in schema:
        for where, fault, wrong in _mutations(
            schema["items"], operation, value[0], f"{path}[0]", depth - 1
        ):
            yield where, fault, [wrong, *copy.deepcopy(value[1:])]


def _members(
    schema: Mapping[str, Any], operation: Operation, value: dict[str, Any], path: str, depth: int
) -> Iterator[tuple[str, str, Any]]:
    for name in schema.get("required", ()):
        if name in value:
            yield f"{path}.{name}", "is missing", {k: v for k, v in value.items() if k != name}
    for name, inner in schema["properties"].items():
        if name in value:
            for where, fault, wrong in _mutations(
                inner, operation, value[name], f"{path}.{name}", depth - 1
            ):
                yield where, fault, {**copy.deepcopy(value), name: wrong}


def _wrong_values(
    schema: Mapping[str, Any], operation: Operation, *, text: bool
) -> Iterator[tuple[str, Any]]:
    """Yield values that a schema forbids; none where it has alternatives."""
    kind = schema.get("type")
    if not isinstance(kind, str) or kind not in WRONG_TYPES:
        return
    if not text or kind in ("integer", "number", "boolean"):
        yield f"no {kind}", WRONG_TYPES[kind]
    if "enum" in schema and kind == "string":
        yield "none of the values allowed", "-".join([*map(str, schema["enum"]), "not"])
    yield from _out_of_bounds(schema, kind)


def _out_of_bounds(schema: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Any]]:
    if kind in ("integer", "number"):
        for name, step in (("minimum", -1), ("maximum", 1)):
            if isinstance(schema.get(name), (int, float)):
                yield f"beyond its {name} {schema[name]}", schema[name] + step
        for name in ("exclusiveMinimum", "exclusiveMaximum"):
            if isinstance(schema.get(name), (int, float)) and schema.get(name) is not True:
                yield f"at its {name} {schema[name]}", schema[name]
    elif kind == "string" and isinstance(schema.get("maxLength"), int):
        yield f"longer than {schema['maxLength']}", "x" * (schema["maxLength"] + 1)
    elif kind == "array" and isinstance(schema.get("minItems"), int) and schema["minItems"] > 0:
        yield f"shorter than {schema['minItems']}", []


def schema_of(app: Any) -> Mapping[str, Any] | None:
    """Return the OpenAPI schema of an app, or None where it has none."""
    make = getattr(app, "openapi", None)
    found = make() if callable(make) else None
    return found if isinstance(found, Mapping) else None
