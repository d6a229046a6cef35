"""From the outcome of a test to the status of its requirement."""

import pytest

from bgcheck.runner.errors import GateError, GateTimeoutError
from bgcheck_suites.events import Contradiction
from bgcheck_suites.judge import check_value, judge
from bgcheck_suites.marks import NotApplicable, NotTestable
from bgcheck_suites.registry import Expectation, Row, Source

STACK = {"fastapi": "0.110.0"}
SOURCE = Source(document="Docs", section="Tasks")
KNOWN = Expectation(when="fastapi<0.118", reason="a bug", link="issue 1")
MUST = Row("BGF-ORDER-01", "Order.", SOURCE, "requirement", "MUST", remedy="Do otherwise.")
SHOULD = Row("BGF-ORDER-02", "Order.", SOURCE, "requirement", "SHOULD")
LISTED = Row("BGF-ORDER-03", "Order.", SOURCE, "requirement", "MUST", expected_fail=(KNOWN,))
BEHAVIOUR = Row("BGF-DEPS-01", "Exit.", SOURCE, "behaviour")
WRONG = Contradiction("It is wrong.", "#1 a", "#2 b")


def status(row, error=None, observed=None):
    return judge(row, STACK, error, observed).status


def test_an_ordinary_end_is_a_pass():
    assert status(MUST) == "pass"
    assert status(BEHAVIOUR, observed="before") == "pass"


def test_a_contradiction_fails_with_fact_remedy_and_evidence():
    verdict = judge(MUST, STACK, WRONG, None)
    assert verdict.status == "fail"
    assert verdict.message == "It is wrong. Do otherwise."
    assert verdict.evidence == ("#1 a", "#2 b")


def test_a_plain_assertion_fails_too():
    verdict = judge(MUST, STACK, AssertionError("1 == 2\n  more"), None)
    assert (verdict.status, verdict.evidence) == ("fail", ("  more",))
    assert verdict.message == "1 == 2 Do otherwise."


def test_an_assertion_without_words_fails():
    assert judge(SHOULD, STACK, AssertionError(), None).message == "The test failed."


def test_a_contradicted_should_warns():
    assert status(SHOULD, WRONG) == "warn"


def test_a_listed_failure_is_expected_and_gives_its_reason():
    verdict = judge(LISTED, STACK, WRONG, None)
    assert verdict.status == "expected-fail"
    assert verdict.message == "It is wrong. a bug (issue 1)"


def test_a_listed_failure_that_holds_is_an_unexpected_pass():
    verdict = judge(LISTED, STACK, None, None)
    assert verdict.status == "unexpected-pass"
    assert verdict.message == (
        "It holds, but is listed as failing on fastapi<0.118: a bug (issue 1)"
    )


def test_outside_of_its_condition_a_listed_failure_counts_as_usual():
    assert judge(LISTED, {"fastapi": "0.118.0"}, WRONG, None).status == "fail"
    assert judge(LISTED, {"fastapi": "0.118.0"}, None, None).status == "pass"


def test_what_does_not_apply_gives_its_reason():
    verdict = judge(MUST, STACK, NotApplicable("no trio"), None)
    assert (verdict.status, verdict.message) == ("not-applicable", "no trio")


def test_any_other_skip_is_not_testable():
    verdict = judge(MUST, STACK, pytest.skip.Exception("later"), None)
    assert verdict.status == "not-testable"
    assert verdict.message == "It was skipped without a declared reason: later"
    assert not verdict.suite_error


def test_what_could_not_be_measured_is_not_testable():
    verdict = judge(MUST, STACK, NotTestable("no server"), None)
    assert (verdict.status, verdict.message) == ("not-testable", "no server")
    assert not verdict.suite_error


@pytest.mark.parametrize("error", [ValueError("oops"), GateError("wrong use")])
def test_an_error_of_the_test_itself_is_a_bug_in_the_suite(error):
    verdict = judge(MUST, STACK, error, None)
    assert verdict.status == "not-testable"
    assert verdict.message == f"{type(error).__name__}: {error}"
    assert verdict.suite_error


def test_a_task_that_does_not_get_on_is_a_failure_of_the_stack():
    assert status(MUST, GateTimeoutError("still held")) == "fail"


def test_a_behaviour_without_a_value_is_a_bug_in_the_suite():
    verdict = judge(BEHAVIOUR, STACK, None, None)
    assert (verdict.status, verdict.suite_error) == ("not-testable", True)


def test_the_expected_value_is_accepted():
    check_value("before", "before")
    check_value("in-process: before; server: after", "after", "server")


def test_where_nothing_is_expected_any_value_is_accepted():
    check_value(None, "before")


def test_another_value_makes_the_expectation_stale():
    with pytest.raises(Contradiction) as raised:
        check_value("before", "after")
    assert str(raised.value) == (
        "The recorded expectation is stale.\n  observed 'after'\n  expected 'before'"
    )


def test_only_the_place_where_it_was_observed_counts():
    with pytest.raises(Contradiction) as raised:
        check_value("in-process: before; server: after", "after", "in-process")
    assert raised.value.evidence == ("observed 'after'", "expected 'before'")
