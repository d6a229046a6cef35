"""Whether a value is surely invalid under a JSON schema, to a reader as lenient as pydantic.

A validator is stricter than the apps are: `"5"` and `true` are no integers to it, and 5 is no
date-time, but pydantic takes them all. To call such input invalid would be a false alarm. So what
is not certain is not refused here: what pydantic converts, keywords that are unknown, and sets with
equal items.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

NO = "not-a-value"
"""A text that no format has."""

FORMATS = frozenset(
    {
        *("date", "date-time", "time", "duration", "uuid", "uuid1", "uuid3", "uuid4", "uuid5"),
        *("email", "uri", "ipv4", "ipv6", "ipvanyaddress", "ipv4network", "ipv6network"),
    }
)
"""The formats that pydantic insists on."""
TIMES = frozenset({"date", "date-time", "time", "duration"})
"""Those for which it takes numbers, too."""

BOOLEANS = frozenset({"true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "1", "0"})
DEPTH = 12
"""How deep a schema is followed; one may refer to itself."""

Schema = Mapping[str, Any]


class Judge:
    """Judges values by the schemas of a document, such as an OpenAPI schema."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def resolved(self, given: Any) -> Schema:
        """Follow the reference of a schema, if it is one."""
        for _ in range(DEPTH):
            if not isinstance(given, Mapping):
                return {}
            if "$ref" not in given:
                return given
            target: Any = self._document
            for name in str(given["$ref"]).removeprefix("#/").split("/"):
                target = target.get(name, {}) if isinstance(target, Mapping) else {}
            given = {**target, **{k: v for k, v in given.items() if k != "$ref"}}
        return {}

    def simple(self, given: Any, depth: int = DEPTH) -> list[Schema]:
        """Return the schemas that a schema combines, without references."""
        schema = self.resolved(given)
        parts = [one for name in ("anyOf", "oneOf", "allOf") for one in schema.get(name, ())]
        if not parts or not depth:
            return [schema]
        return [one for part in parts for one in self.simple(part, depth - 1)]

    def refuses(self, given: Any, value: Any, depth: int = DEPTH) -> bool:
        """Whether a value is surely invalid."""
        schema = self.resolved(given)
        return bool(depth) and any(rule(self, schema, value, depth - 1) for rule in RULES)


def number_of(value: Any) -> float | None:
    """Return what pydantic takes for a number, or None."""
    try:
        return float(value) if isinstance(value, (bool, int, float, str)) else None
    except (ValueError, OverflowError):
        return None


def _fits(kind: str, value: Any, schema: Schema) -> bool:
    if kind == "string":
        return isinstance(value, str) or (
            schema.get("format") in TIMES and number_of(value) is not None
        )
    if kind == "boolean":
        return value in (0, 1) or (isinstance(value, str) and value.lower() in BOOLEANS)
    if kind == "array":
        return isinstance(value, (list, tuple))
    if kind == "object":
        return isinstance(value, Mapping)
    if kind == "null":
        return value is None
    return kind not in ("integer", "number") or number_of(value) is not None


def kinds_of(schema: Schema) -> list[str]:
    """Return the types that a schema names."""
    kinds: Any = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _kind(judge: Judge, schema: Schema, value: Any, depth: int) -> bool:
    kinds = kinds_of(schema)
    return bool(kinds) and not any(_fits(kind, value, schema) for kind in kinds)


def _alternatives(judge: Judge, schema: Schema, value: Any, depth: int) -> bool:
    return any(
        all(judge.refuses(one, value, depth) for one in schema[name])
        for name in ("anyOf", "oneOf")
        if schema.get(name)
    )


def _parts(judge: Judge, schema: Schema, value: Any, depth: int) -> bool:
    return any(judge.refuses(one, value, depth) for one in schema.get("allOf", ()))


def _listed(judge: Judge, schema: Schema, value: Any, depth: int) -> bool:
    allowed = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else [])]
    same = {str(one) for one in allowed} | {number_of(one) for one in allowed} - {None}
    return bool(allowed) and value not in allowed and not same & {str(value), number_of(value)}


def _bounds(judge: Judge, schema: Schema, value: Any, depth: int) -> bool:
    number = number_of(value)
    if number is None or not {"integer", "number"}.issuperset(kinds_of(schema) or ["any"]):
        return False
    found = [
        (is_beyond, schema[name])
        for name, is_beyond in BOUNDS.items()
        if isinstance(schema.get(name), (int, float)) and not isinstance(schema[name], bool)
    ]
    return any(is_beyond(number, bound) for is_beyond, bound in found)


BOUNDS: Mapping[str, Callable[[float, Any], bool]] = {
    "minimum": operator.lt,
    "maximum": operator.gt,
    "exclusiveMinimum": operator.le,
    "exclusiveMaximum": operator.ge,
    "multipleOf": lambda number, step: abs(math.remainder(number, step)) > 1e-6 * abs(step),
}
"""The keywords that limit numbers, and when a number is beyond one."""


def _text(judge: Judge, schema: Schema, value: Any, depth: int) -> bool:
    if not isinstance(value, str) or schema.get("type") != "string":
        return False
    too_short = len(value) < schema.get("minLength", 0)
    too_long = len(value) > schema.get("maxLength", len(value))
    wrong = schema.get("format") in FORMATS and value == NO
    return too_short or too_long or wrong or _is_other(schema.get("pattern"), value)


def _is_other(pattern: Any, value: str) -> bool:
    try:
        return isinstance(pattern, str) and re.search(pattern, value) is None
    except re.error:  # of another dialect
        return False


def _items(judge: Judge, schema: Schema, value: Any, depth: int) -> bool:
    if not isinstance(value, list):
        return False
    first = schema.get("prefixItems", ())
    pairs = [*zip(first, value, strict=False)]
    if "items" in schema:
        pairs += [(schema["items"], one) for one in value[len(first) :]]
    too_short = len(value) < schema.get("minItems", 0)
    too_long = len(value) > schema.get("maxItems", len(value)) and not schema.get("uniqueItems")
    return too_short or too_long or any(judge.refuses(one, item, depth) for one, item in pairs)


def _members(judge: Judge, schema: Schema, value: Any, depth: int) -> bool:
    if not isinstance(value, Mapping):
        return False
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    unknown = [name for name in value if name not in known]
    return (
        any(name not in value for name in schema.get("required", ()))
        or any(judge.refuses(known[name], value[name], depth) for name in known if name in value)
        or (rest is False and bool(unknown) and "patternProperties" not in schema)
        or any(judge.refuses(rest, value[name], depth) for name in unknown)
    )


RULES: tuple[Callable[[Judge, Schema, Any, int], bool], ...] = (
    *(_kind, _alternatives, _parts, _listed, _bounds, _text, _items, _members),
)
