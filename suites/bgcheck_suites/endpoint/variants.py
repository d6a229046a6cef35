"""Copies of a valid value with one fault each, by its JSON schema."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .judging import FORMATS, NO, Judge, Schema

ABSENT: Any = object()
"""In place of a value that the valid one does not have."""

TEXTS = (NO, "?!")
MAPPING: Mapping[str, str] = {"not": "a value"}
DEPTH = 6
"""How deep the members of a value are broken."""
LONGEST = 5000
"""Longer texts than this are not sent."""


class Variant(NamedTuple):
    """A broken value: where it is broken, how, and all of it."""

    where: str
    fault: str
    value: Any


def variants(judge: Judge, schema: Any, value: Any, where: str) -> list[Variant]:
    """Return broken copies of a value, all of which its schema refuses.

    Args:
        judge: knows what the schema refers to.
        schema: of the value.
        value: a valid one, or ABSENT.
        where: how the value is called.
    """
    found = {
        (one.where, repr(one.value)): one
        for one in _broken(judge, schema, value, where, DEPTH)
        if judge.refuses(schema, one.value)
    }
    return list(found.values())


def texts(judge: Judge, schema: Any, where: str) -> Iterator[Variant]:
    """Yield broken values as the text that they are in a URL, a header or a form."""
    for one in variants(judge, schema, ABSENT, where):
        text = str(one.value)
        if isinstance(one.value, (str, int, float)) and text and judge.refuses(schema, text):
            yield Variant(where, one.fault, text)


def _broken(judge: Judge, given: Any, value: Any, where: str, depth: int) -> Iterator[Variant]:
    parts = judge.simple(given)
    yield from _of_another_kind(judge, given, parts, where)
    for part in parts:
        for fault, wrong in (*_out_of_bounds(part, value), *_too_long(part, value)):
            yield Variant(where, f"is {fault}", wrong)
    if not depth:
        return
    for part in parts:
        if isinstance(value, Mapping):
            yield from _members(judge, part, value, where, depth - 1)
        elif isinstance(value, list) and value:
            yield from _items(judge, part, value, where, depth - 1)


def _of_another_kind(
    judge: Judge, given: Any, parts: list[Schema], where: str
) -> Iterator[Variant]:
    names = dict.fromkeys(filter(None, map(_name, parts)))
    # A reader of lists may take a text apart.
    order: tuple[Any, ...] = (MAPPING, *TEXTS) if "list" in names else (*TEXTS, MAPPING)
    order = (MAPPING,) if "text" in names else order
    wrong = next((one for one in order if judge.refuses(given, one)), None)
    if names and wrong is not None:
        yield Variant(where, f"is no {' or '.join(names)}", copy.copy(wrong))


def _name(part: Schema) -> str:
    """Name what a schema asks for."""
    if "enum" in part or "const" in part:
        return "value that is allowed"
    if part.get("format") in FORMATS:
        return str(part["format"])
    if "pattern" in part:
        return f"match of {part['pattern']}"
    kind = part.get("type")
    named = {"string": "text", "array": "list", "null": ""}
    return named.get(kind, kind) if isinstance(kind, str) else ""


def _out_of_bounds(part: Schema, value: Any) -> Iterator[tuple[str, Any]]:
    if part.get("type") not in ("integer", "number"):
        return
    for name, step in (("minimum", -1), ("maximum", 1)):
        if name in part:
            yield f"beyond its {name} {part[name]:g}", _whole(part[name] + step)
    for name in ("exclusiveMinimum", "exclusiveMaximum"):
        if name in part:
            yield f"at its {name} {part[name]:g}", _whole(part[name])
    if "multipleOf" in part:
        base = 0 if value is ABSENT or not isinstance(value, (int, float)) else value
        step = part["multipleOf"]
        yield f"no multiple of {step:g}", _whole(base + step / 2)


def _whole(number: Any) -> Any:
    """Return a number as an integer where it is one: `0.0` would say less."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _too_long(part: Schema, value: Any) -> Iterator[tuple[str, Any]]:
    kind = part.get("type")
    if kind == "string":
        least, most = part.get("minLength", 0), part.get("maxLength", LONGEST)
        if least > 1:
            yield f"shorter than {least}", "x" * (least - 1)
        if most < LONGEST:
            yield f"longer than {most}", "x" * (most + 1)
    elif kind == "array":
        least, most = part.get("minItems", 0), part.get("maxItems", LONGEST)
        if least:
            yield f"shorter than {least}", [] if value is ABSENT else value[: least - 1]
        if most < LONGEST and value is not ABSENT and value:
            yield f"longer than {most}", [value[n % len(value)] for n in range(most + 1)]


def _members(
    judge: Judge, part: Schema, value: Mapping[str, Any], where: str, depth: int
) -> Iterator[Variant]:
    for name in part.get("required", ()):
        if name in value:
            rest = {k: v for k, v in value.items() if k != name}
            yield Variant(f"{where}.{name}", "is missing", rest)
    known, rest = part.get("properties", {}), part.get("additionalProperties", True)
    if rest is False:
        yield Variant(f"{where}.unknown", "is no member", {**value, "unknown": 1})
    inner = {**{name: rest for name in value if rest not in (True, False)}, **known}
    for name, schema in inner.items():
        old = value.get(name, ABSENT)
        for one in _broken(judge, schema, old, f"{where}.{name}", depth):
            yield one._replace(value={**copy.deepcopy(dict(value)), name: one.value})


def _items(
    judge: Judge, part: Schema, value: list[Any], where: str, depth: int
) -> Iterator[Variant]:
    first = list(part.get("prefixItems", ()))
    schemas = {n: schema for n, schema in enumerate(first) if n < len(value)}
    if "items" in part and len(value) > len(first):
        schemas[len(first)] = part["items"]
    for number, schema in schemas.items():
        for one in _broken(judge, schema, value[number], f"{where}[{number}]", depth):
            others = copy.deepcopy(value)
            others[number] = one.value
            yield one._replace(value=others)
