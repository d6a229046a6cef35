"""The value of a probe, over its statuses and places."""

import pytest

from bgcheck_suites.values import at, combine, value_of


@pytest.mark.parametrize(
    ("status", "observed", "value"),
    [
        ("pass", None, "holds"),
        ("warn", None, "does not hold"),
        ("expected-fail", None, "does not hold"),
        ("unexpected-pass", None, "holds"),
        ("pass", "before", "before"),
        ("fail", "before", "before"),  # a stale expectation
        ("not-applicable", None, "not applicable"),
        ("not-testable", "before", "not measured"),
    ],
)
def test_a_status_and_what_was_observed_give_the_value(status, observed, value):
    assert value_of(status, observed) == value


def test_places_that_agree_have_one_value():
    assert combine({"in-process": "holds", "server": "holds"}) == "holds"


def test_places_that_differ_are_named():
    value = combine({"server": "after", "in-process": "before"})
    assert value == "in-process: before; server: after"
    assert at(value, "server") == "after"
    assert at(value, "in-process") == "before"


def test_a_value_of_one_place_is_the_value_everywhere():
    assert at("dispatch ends: never", "server") == "dispatch ends: never"
