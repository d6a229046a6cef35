"""The search for the releases where a value changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgcheck_suites.matrix.bisection import Change, bisect

VERSIONS = [f"0.{number}.0" for number in range(100, 200)]


def test_one_change_is_found_exactly():
    changes, values = bisect(VERSIONS, lambda v: "old" if v < "0.137.0" else "new")
    assert changes == [Change("0.136.0", "old", "0.137.0", "new")]
    assert len(values) < 20


def test_a_value_that_comes_back_has_two_changes():
    def measure(version: str) -> str:
        return "after" if "0.106.0" <= version < "0.118.0" else "before"

    changes, _ = bisect(VERSIONS, measure)
    assert [(c.first, c.after) for c in changes] == [("0.106.0", "after"), ("0.118.0", "before")]


def test_known_releases_are_looked_at_first():
    def measure(version: str) -> str:
        return "odd" if version == "0.131.0" else "usual"

    assert bisect(VERSIONS, measure)[0] == []
    changes, _ = bisect(VERSIONS, measure, known=["0.131.0", "9.9"])
    assert [c.first for c in changes] == ["0.131.0", "0.132.0"]


def test_no_change():
    changes, values = bisect(VERSIONS, lambda _: "same")
    assert changes == []
    assert set(values.values()) == {"same"}


def test_releases_that_cannot_be_measured_are_named():
    broken = {"0.136.0", "0.137.0"}

    def measure(version: str) -> str | None:
        return None if version in broken else "old" if version < "0.137.0" else "new"

    changes, _ = bisect(VERSIONS, measure)
    assert changes == [Change("0.135.0", "old", "0.138.0", "new", ("0.136.0", "0.137.0"))]


def test_nothing_can_be_measured():
    changes, values = bisect(VERSIONS[:5], lambda _: None)
    assert changes == []
    assert set(values.values()) == {None}


@given(st.integers(1, 99))
def test_a_change_anywhere_is_found(place: int):
    first = VERSIONS[place]
    changes, _ = bisect(VERSIONS, lambda v: str(v >= first))
    assert [change.first for change in changes] == [first]


@pytest.mark.parametrize("count", [2, 3])
def test_few_releases(count: int):
    changes, _ = bisect(VERSIONS[:count], lambda v: v)
    assert len(changes) == count - 1
