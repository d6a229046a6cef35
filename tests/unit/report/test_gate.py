"""The gate: from results to an exit code."""

import pytest

from bgcheck.report.gate import ExitCode, decide
from bgcheck.report.results import Result, Run


def result(status, level="MUST", **more):
    return Result("BGF-A-01", "framework", status, "It holds.", level, **more)


def run_of(*results, expected=None, footer=True):
    header = {"expected": len(results) if expected is None else expected}
    complete = header["expected"] == len(results)
    return Run(header, list(results), footer={"complete": complete} if footer else None)


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ([result("pass")], "MUST 1/1"),
        ([result("pass"), result("warn", "SHOULD")], "MUST 1/1, SHOULD 0/1"),
        ([result("pass"), result("expected-fail")], "MUST 1/2"),
        ([result("pass"), result("not-applicable")], "MUST 1/1"),
        ([result("pass"), result("pass", None)], "MUST 1/1, 1 behaviours as recorded"),
    ],
)
def test_it_holds(results, reason):
    gate = decide(run_of(*results))
    assert (gate.code, gate.reasons) == (ExitCode.HOLDS, (reason,))


@pytest.mark.parametrize("status", ["fail", "unexpected-pass", "not-testable"])
def test_a_failing_status_fails(status):
    gate = decide(run_of(result("pass"), result(status)))
    assert (gate.code, gate.reasons) == (ExitCode.FAILED, (f"BGF-A-01: {status}",))


@pytest.mark.parametrize(
    ("run", "reasons"),
    [
        (
            run_of(result("pass"), footer=False),
            ["the run has no footer: it stopped before its end (pytest.log says where)"],
        ),
        (run_of(result("pass"), expected=2), ["1 of 2 requirements were measured"]),
        (run_of(expected=2), ["0 of 2 requirements were measured", "nothing was measured"]),
        (run_of(result("not-applicable")), ["nothing was measured"]),
        (
            Run({"expected": 1}, [result("pass")], footer={"complete": False}),
            ["the run says of itself that it is incomplete"],
        ),
    ],
)
def test_it_is_inconclusive(run, reasons):
    gate = decide(run)
    assert (gate.code, list(gate.reasons)) == (ExitCode.INCONCLUSIVE, reasons)


def test_a_failure_in_an_incomplete_run_is_inconclusive():
    assert decide(run_of(result("fail"), expected=2)).code == ExitCode.INCONCLUSIVE


def test_a_broken_test_is_a_bug_in_the_suite():
    gate = decide(run_of(result("not-testable", suite_error=True, message="KeyError: 1\nmore")))
    assert gate.code == ExitCode.SUITE_BUG
    assert gate.reasons == ("BGF-A-01: its test broke: KeyError: 1",)


def test_a_suite_that_could_not_run_is_a_bug():
    gate = decide(run_of(expected=1, footer=False), broken=("cannot be collected: x.py",))
    assert (gate.code, gate.reasons) == (ExitCode.SUITE_BUG, ("cannot be collected: x.py",))
