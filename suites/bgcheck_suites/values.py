"""The value of a probe on a stack: one string, the same way everywhere."""

from collections.abc import Mapping

from bgcheck.report.results import Status

HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
NOT_APPLICABLE = "not applicable"
NOT_MEASURED = "not measured"

_OF_STATUS: Mapping[Status, str] = {
    "pass": HOLDS,
    "unexpected-pass": HOLDS,
    "fail": DOES_NOT_HOLD,
    "expected-fail": DOES_NOT_HOLD,
    "warn": DOES_NOT_HOLD,
    "not-applicable": NOT_APPLICABLE,
    "not-testable": NOT_MEASURED,
}


def value_of(status: Status, observed: str | None) -> str:
    """Return what a test measured: what it observed, else what its status says."""
    measured = status not in ("not-applicable", "not-testable")
    return observed if measured and observed is not None else _OF_STATUS[status]


def combine(values: Mapping[str, str]) -> str:
    """Return one value for the places of a probe: `X`, or `in-process: X; server: Y`."""
    different = set(values.values())
    if len(different) == 1:
        return different.pop()
    return "; ".join(f"{place}: {values[place]}" for place in sorted(values))


def at(value: str, place: str) -> str:
    """Return the part of a combined value that is about one place."""
    for part in value.split("; "):
        name, colon, rest = part.partition(": ")
        if colon and name == place:
            return rest
    return value
