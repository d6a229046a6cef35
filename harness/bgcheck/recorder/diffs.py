"""Find the places at which two values differ, as paths: `payload['items'][1].price`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Set
from itertools import zip_longest
from typing import Any, Final

from bgcheck.recorder.copiers import compares_by_value, fields_of, is_mapped
from bgcheck.recorder.describe import MISSING, cut, safe_repr
from bgcheck.recorder.expectation import Difference

DEPTH: Final = 12
"""Levels of nesting that are looked into; values may contain themselves."""


def deepen(
    difference: Difference, same: Callable[[Any, Any], bool], depth: int = DEPTH
) -> list[Difference]:
    """Return the innermost differences of two values; the values themselves if they have no parts.

    `same` tells whether two parts are equal.
    """
    if depth == 0:
        return [difference]
    found = [
        inner
        for part in _parts(difference)
        if part.expected is MISSING or part.found is MISSING or not same(part.expected, part.found)
        for inner in deepen(part, same, depth - 1)
    ]
    return found or [difference]


def _parts(whole: Difference) -> Iterator[Difference]:
    expected, found = whole.expected, whole.found
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        yield from _items(whole)
    elif isinstance(expected, (list, tuple)) and type(expected) is type(found):
        pairs = zip_longest(expected, found, fillvalue=MISSING)
        for n, (one, other) in enumerate(pairs):
            yield Difference(f"{whole.name}[{n}]", one, other)
    elif isinstance(expected, Set) and isinstance(found, Set):
        only = Difference(f"{whole.name} (differing)", expected - found, found - expected)
        yield from [only] if expected & found else []
    elif type(expected) is type(found):
        yield from _attributes(whole)


def _items(whole: Difference) -> Iterator[Difference]:
    for key in dict.fromkeys([*whole.expected, *whole.found]):
        yield Difference(
            f"{whole.name}[{cut(safe_repr(key), 40)}]",
            whole.expected.get(key, MISSING),
            whole.found.get(key, MISSING),
        )


def _attributes(whole: Difference) -> Iterator[Difference]:
    """Objects of one class that compares by value, and mapped instances, by their attributes."""
    kind = type(whole.expected)
    if not compares_by_value(kind) and not is_mapped(kind):
        return
    one, other = _state(whole.expected), _state(whole.found)
    for name in dict.fromkeys([*one, *other]):
        if not name.startswith("_"):
            yield Difference(
                f"{whole.name}.{name}", one.get(name, MISSING), other.get(name, MISSING)
            )


def _state(value: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value) if field.compare]
        return {name: getattr(value, name) for name in names if hasattr(value, name)}
    return dict(fields_of(value))
