"""Calls in which there is nothing to see."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

import pytest

from bgcheck.recorder.plain import is_plain_call


def two(a: int, b: str) -> None: ...
def default(a: int, b: str | None = None) -> None: ...
def computed(a: int, at: datetime = datetime(2026, 1, 1)) -> None: ...  # noqa: DTZ001
def mutable(a: int, b: list[int] = []) -> None: ...  # noqa: B006
def named(a: int, *, b: int) -> None: ...
def positional(a: int, /, b: int) -> None: ...
def variadic(*args: int, **kwargs: int) -> None: ...
@functools.wraps(two)
def wrapped(a: int, b: str) -> None: ...


def closure() -> Any:
    captured = 1
    return lambda a, b: (a, b, captured)


@pytest.mark.parametrize(
    ("func", "args", "kwargs"),
    [
        (two, (1, "x"), {}),
        (two, (1,), {"b": "x"}),
        (two, (), {"a": 1, "b": "x"}),
        (default, (1,), {}),
        (default, (1, None), {}),
        (positional, (1,), {"b": 2}),
    ],
)
def test_plain(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    assert is_plain_call(func, args, kwargs)


@pytest.mark.parametrize(
    ("func", "args", "kwargs"),
    [
        (two, (1,), {}),
        (two, (1, "x", 3), {}),
        (two, (1,), {"c": "x"}),
        (two, (1,), {"a": 1}),
        (two, (1, []), {}),
        (two, (1,), {"b": []}),
        (default, (), {}),
        (default, (), {"b": "x"}),
        (computed, (1,), {}),
        (mutable, (1,), {}),
        (named, (1,), {"b": 2}),
        (positional, (), {"a": 1, "b": 2}),
        (variadic, (1,), {}),
        (wrapped, (1, "x"), {}),
        (closure(), (1, "x"), {}),
        (functools.partial(two, 1), ("x",), {}),
        ("no function", (1,), {}),
        (print, (1,), {}),
    ],
)
def test_not_plain(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    assert not is_plain_call(func, args, kwargs)
