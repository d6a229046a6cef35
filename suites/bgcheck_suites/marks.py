"""How a test says which requirement it measures, and what kept it from measuring."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

ATTRIBUTE = "bgcheck_requirement"
Test = TypeVar("Test", bound=Callable[..., Any])


class NotApplicable(pytest.skip.Exception):  # type: ignore[name-defined,misc]
    """A stack lacks the capability that a requirement is about; carries the reason."""


class NotTestable(Exception):  # noqa: N818 - a status
    """A requirement could not be measured here; carries the reason, and fails."""


def requirement(id_: str) -> Callable[[Test], Test]:
    """Mark a test as measuring the requirement or behaviour with this id.

    An attribute and no pytest marker: it needs no registration in the configuration of whoever
    runs the test.
    """

    def mark(test: Test) -> Test:
        setattr(test, ATTRIBUTE, id_)
        return test

    return mark


def marked_id(test: object) -> str | None:
    """Return the id that a test function measures, or None."""
    id_: str | None = getattr(test, ATTRIBUTE, None)
    return id_


def requirement_id(item: pytest.Item) -> str | None:
    """Return the id that a collected test measures, or None."""
    return marked_id(getattr(item, "function", None))


def place_of(nodeid: str) -> str:
    """Return the place where a test measures (`in-process`, `server`), or an empty string."""
    _, bracket, place = nodeid.rpartition("[")
    return place.rstrip("]") if bracket else ""
