"""Invalid requests, derived from the app's own OpenAPI schema: the valid request with one fault."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from .fields import renamed
from .judging import Judge
from .openapi import Operation
from .subject import RequestSpec
from .variants import texts, variants

LIMIT = 40
"""How many invalid requests are derived, at most."""

OF_THE_CLIENT = frozenset({"accept", "accept-encoding", "connection", "host", "user-agent"})
"""Headers that a client sends by itself."""

FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
UPLOADS = ("contentMediaType", "contentEncoding")


@dataclass(frozen=True)
class Invalid:
    """An invalid request, and its fault in words."""

    fault: str
    request: RequestSpec


def derive(
    operation: Operation, request: RequestSpec, names: Mapping[str, str] = MappingProxyType({})
) -> list[Invalid]:
    """Return invalid variants of a valid request; none where its operation takes no input.

    They are the same each time. Where there are many, they are evenly chosen.

    Args:
        operation: of the request.
        request: the valid one.
        names: what a client calls the fields of the body, by parameter, where that differs.
    """
    judge = Judge(operation.document)
    found = [*_parameters(judge, operation, request), *_bodies(judge, operation, request, names)]
    return found[:: -(-len(found) // LIMIT)] if found else []


def _parameters(judge: Judge, operation: Operation, request: RequestSpec) -> Iterator[Invalid]:
    for given in operation.definition["parameters"]:
        parameter = judge.resolved(given)
        name, place = str(parameter["name"]), parameter["in"]
        where = f"{place} parameter {name}"
        for one in texts(judge, _one_of(judge, parameter.get("schema", {})), where):
            changed = _with_parameter(operation, request, place, name, one.value)
            yield Invalid(f"{where} {one.fault}", changed)
        known = place == "header" and name.lower() in OF_THE_CLIENT
        if parameter.get("required") and place != "path" and not known:
            changed = _with_parameter(operation, request, place, name, None)
            yield Invalid(f"{where} is missing", changed)


def _one_of(judge: Judge, schema: Any) -> dict[str, Any]:
    """Return the schema of one text of a parameter: of an item, where it is a list."""
    parts = [part for part in judge.simple(schema) if part.get("type") != "null"]
    return {
        "anyOf": [part.get("items", {}) if part.get("type") == "array" else part for part in parts]
    }


def _with_parameter(
    operation: Operation, request: RequestSpec, place: str, name: str, value: str | None
) -> RequestSpec:
    path, _, query = request.url.partition("?")
    if place == "path":
        values = {**operation.values, name: quote(str(value), safe="")}
        inner = re.sub(r"{([^}]+)}", lambda match: values[match[1]], operation.path)
        path = operation.prefix + inner
    elif place == "query":
        pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != name]
        query = urlencode([*pairs, *([(name, value)] if value is not None else [])])
    elif place == "cookie":
        return request.changed(headers=_with_cookie(request.headers, name, value))
    else:
        return request.changed(headers=_with_header(request.headers, name, value))
    return request.changed(line=f"{request.method} {path}{'?' if query else ''}{query}")


def _with_header(headers: Mapping[str, str], name: str, value: str | None) -> dict[str, str]:
    others = {key: text for key, text in headers.items() if key.lower() != name.lower()}
    return others if value is None else {**others, name: value}


def _with_cookie(headers: Mapping[str, str], name: str, value: str | None) -> dict[str, str]:
    old = next((text for key, text in headers.items() if key.lower() == "cookie"), "")
    pairs = [pair.strip() for pair in old.split(";") if pair.strip()]
    pairs = [pair for pair in pairs if pair.partition("=")[0] != name]
    pairs += [f"{name}={value}"] if value is not None else []
    return _with_header(headers, "cookie", "; ".join(pairs) or None)


def _bodies(
    judge: Judge, operation: Operation, request: RequestSpec, names: Mapping[str, str]
) -> Iterator[Invalid]:
    body = judge.resolved(operation.definition.get("requestBody", {}))
    for kind, described in body.get("content", {}).items():
        schema = renamed(judge.resolved(described.get("schema", {})), names)
        if request.json is not None and kind.endswith("json"):
            yield from _json(judge, schema, request)
        elif kind in FORMS and not isinstance(request.data, (str, bytes)):
            yield from _form(judge, schema, request)
    if body.get("required"):
        yield Invalid("the body is missing", request.changed(json=None, data=None, files=None))


def _json(judge: Judge, schema: Any, request: RequestSpec) -> Iterator[Invalid]:
    for one in variants(judge, schema, request.json, "the body"):
        yield Invalid(f"{one.where} {one.fault}", request.changed(json=one.value))
    headers = _with_header(request.headers, "content-type", "application/json")
    yield Invalid("the body is no JSON", request.changed(json=None, data="{", headers=headers))


def _form(judge: Judge, schema: Mapping[str, Any], request: RequestSpec) -> Iterator[Invalid]:
    """Break the fields of a form one by one; an empty field is a missing one."""
    for name, described in schema.get("properties", {}).items():
        field, where = _one_of(judge, described), f"form field {name}"
        if not _is_upload(judge, field):
            for one in texts(judge, field, where):
                data = {**(_without(request.data, name) or {}), name: one.value}
                yield Invalid(f"{where} {one.fault}", request.changed(data=data))
        if name in schema.get("required", ()):
            yield Invalid(
                f"{where} is missing",
                request.changed(
                    data=_without(request.data, name), files=_without(request.files, name)
                ),
            )


def _is_upload(judge: Judge, schema: Any) -> bool:
    parts = judge.simple(schema)
    return any(part.get("format") == "binary" or any(u in part for u in UPLOADS) for part in parts)


def _without(fields: Any, name: str) -> Any:
    if isinstance(fields, Mapping):
        return {key: value for key, value in fields.items() if key != name}
    return fields and [pair for pair in fields if pair[0] != name]
