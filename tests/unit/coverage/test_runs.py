"""Where task functions are defined."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call

import pytest

from bgcheck.coverage.runs import definition_of

HERE = Path(__file__)


def plain() -> None: ...


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper() -> None: ...

    return wrapper


@decorated
def wrapped() -> None: ...


class Job:
    def method(self) -> None: ...

    def __call__(self) -> None: ...


def line_of(text: str) -> int:
    return HERE.read_text("utf-8").splitlines().index(text) + 1


@pytest.mark.parametrize(
    ("func", "text"),
    [
        (plain, "def plain() -> None: ..."),
        (functools.partial(functools.partial(plain)), "def plain() -> None: ..."),
        (wrapped, "@decorated"),
        (Job().method, "    def method(self) -> None: ..."),
        (Job.method, "    def method(self) -> None: ..."),
        (Job(), "    def __call__(self) -> None: ..."),
    ],
)
def test_in_user_code(func: Any, text: str) -> None:
    place = definition_of(func, str(HERE.parent))
    assert place == {"file": HERE.name, "line": line_of(text)}


@pytest.mark.parametrize("func", [print, [].append, Job, Mock(), call.x, functools.wraps, 3])
def test_elsewhere(func: Any) -> None:
    assert definition_of(func, str(HERE.parent)) is None
