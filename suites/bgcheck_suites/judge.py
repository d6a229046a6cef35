"""From what a test did to the status of its requirement."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from bgcheck.report.results import Status
from bgcheck.runner.errors import DrainLimitError, GateTimeoutError, HoldRefusedError

from .events import Contradiction
from .marks import NotApplicable, NotTestable
from .registry import Row
from .values import at

# What a test raises where the stack, and not the test, does something else than required.
CONTRADICTIONS = (
    AssertionError,
    pytest.fail.Exception,
    DrainLimitError,
    GateTimeoutError,
    HoldRefusedError,
)


@dataclass(frozen=True)
class Verdict:
    """The status that one test gives its requirement, with the words and events behind it."""

    status: Status
    message: str = ""
    evidence: tuple[str, ...] = ()
    suite_error: bool = False


def judge(
    row: Row, stack: Mapping[str, str], error: BaseException | None, observed: str | None
) -> Verdict:
    """Return the verdict of a test that raised `error` (None where it ended normally)."""
    if error is None:
        return _ended(row, stack, observed)
    if isinstance(error, NotApplicable):
        return Verdict("not-applicable", str(error))
    if isinstance(error, pytest.skip.Exception):
        return Verdict("not-testable", f"It was skipped without a declared reason: {error}")
    if isinstance(error, NotTestable):
        return Verdict("not-testable", str(error))
    if isinstance(error, CONTRADICTIONS):
        return _contradicted(row, stack, error)
    return Verdict("not-testable", f"{type(error).__name__}: {error}", suite_error=True)


def _ended(row: Row, stack: Mapping[str, str], observed: str | None) -> Verdict:
    if row.kind == "behaviour" and observed is None:
        return Verdict("not-testable", "The probe observed no value.", suite_error=True)
    known = row.known_failure(stack)
    if known is not None:
        return Verdict(
            "unexpected-pass",
            f"It holds, but is listed as failing on {known.when}: {known.reason} ({known.link})",
        )
    return Verdict("pass")


def _contradicted(row: Row, stack: Mapping[str, str], error: BaseException) -> Verdict:
    fact, evidence = _words(error)
    known = row.known_failure(stack)
    if known is not None:
        return Verdict("expected-fail", f"{fact} {known.reason} ({known.link})", evidence)
    message = f"{fact} {row.remedy}".strip()
    return Verdict("warn" if row.level == "SHOULD" else "fail", message, evidence)


def _words(error: BaseException) -> tuple[str, tuple[str, ...]]:
    if isinstance(error, Contradiction):
        return error.fact, error.evidence
    fact, *evidence = str(error).splitlines() or ["The test failed."]
    return fact, tuple(evidence)


def check_value(expected: str | None, value: str, place: str = "") -> None:
    """Compare the observed value of a behaviour, at one place, with the one that is expected.

    Raises Contradiction where the expectation is stale. None expects nothing.
    """
    __tracebackhide__ = True
    if expected is not None and value != at(expected, place):
        raise Contradiction(
            "The recorded expectation is stale.",
            f"observed {value!r}",
            f"expected {at(expected, place)!r}",
        )
