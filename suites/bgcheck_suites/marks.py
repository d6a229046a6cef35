"""How a test says which requirement it measures, and what kept it from measuring."""

import pytest

MARK = "requirement"


class NotApplicable(pytest.skip.Exception):  # type: ignore[name-defined,misc]
    """A stack lacks the capability that a requirement is about; carries the reason."""


class NotTestable(Exception):  # noqa: N818 - a status
    """A requirement could not be measured here; carries the reason, and fails."""


def requirement(id_: str) -> pytest.MarkDecorator:
    """Mark a test as measuring the requirement or behaviour with this id."""
    return pytest.mark.requirement(id_)


def requirement_id(item: pytest.Item) -> str | None:
    """Return the id that a collected test measures, or None."""
    mark = item.get_closest_marker(MARK)
    return mark.args[0] if mark is not None and mark.args else None
