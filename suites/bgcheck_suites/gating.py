"""One requirement of one endpoint as a test of pytest, and what the project knows to fail."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from bgcheck.config import expectations_of
from bgcheck.modes import keep_sleep
from bgcheck.report.stack import resolved_stack

from .answers.expectations import (
    EXPECTATIONS,
    Expectations,
    ExpectationsError,
    check_conditions,
    expecting,
    known_stacks,
    read_expectations,
)
from .endpoint.capabilities import Capabilities
from .endpoint.subject import Subject, SubjectError
from .endpoint.verify import contract_rows, expect, verify
from .events import Contradiction
from .judge import Verdict
from .marks import NotTestable
from .registry import Expectation, RegistryError, Row, registry

VERDICT: pytest.StashKey[Verdict] = pytest.StashKey[Verdict]()
"""What a test of the contract came to; `bgcheck conform` reads it."""

Known = Mapping[str, str | Expectation]
"""Why requirements are known not to hold, by id: a text, or an `Expectation` with versions."""


def gate(request: pytest.FixtureRequest, subject: Subject, id_: str, known: Known) -> None:
    """Verify a requirement, and end the test as it came out.

    Args:
        request: of the test.
        subject: the app and its request.
        id_: the requirement.
        known: what the test itself says is known not to hold.
    """
    row = contract_rows()[id_]
    try:
        listed = listed_failures(request.config)
        of_test = _checked(known)
    except ExpectationsError as error:
        fail(str(error))
    expected = expecting(expecting(row, listed, subject.request.line), of_test)
    failure = expected.known_failure(resolved_stack())
    keep_sleep(request.session)
    verdict = verify(subject, id_)
    if failure is not None:
        verdict = expect(verdict, failure)
    request.node.stash[VERDICT] = verdict
    report(row, verdict)


def listed_failures(config: pytest.Config) -> Expectations:
    """Return what the file of expectations says, read once a session.

    Raises:
        ExpectationsError: it cannot be used.
    """
    if EXPECTATIONS not in config.stash:
        file = expectations_of(config)
        config.stash[EXPECTATIONS] = {} if file is None else _read(file)
    return config.stash[EXPECTATIONS]


def _read(file: Path) -> Expectations:
    found = read_expectations(file, registry())
    check_conditions(file, found, known_stacks())
    return found


def _checked(known: Known) -> Expectations:
    """Return what a test says, where its ids, reasons and conditions can be used."""
    found: dict[str, tuple[Expectation, ...]] = {}
    for id_, given in known.items():
        entry = Expectation(reason=given) if isinstance(given, str) else given
        place = f"expected_failures: {id_}"
        if id_ not in contract_rows():
            there = ", ".join(contract_rows())
            raise ExpectationsError(f"{place} is no requirement of the contract; there are {there}")
        if not entry.reason.strip():
            raise ExpectationsError(f"{place}: the reason is missing")
        try:
            entry.holds({})
        except RegistryError as error:
            raise ExpectationsError(f"{place}: {error}") from None
        found[id_] = (entry,)
    check_conditions("expected_failures", found, known_stacks())
    return found


def check_session(config: pytest.Config, requests: Iterable[str]) -> None:
    """Refuse a file of expectations that cannot be used, or is about no endpoint that is tested.

    Args:
        config: of the session.
        requests: the requests of all tests of the contract.

    Raises:
        pytest.UsageError: with the entry, and the way out.
    """
    try:
        listed = listed_failures(config)
    except ExpectationsError as error:
        raise pytest.UsageError(str(error)) from None
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return  # some tests only
    tested = sorted(set(requests))
    for id_, entries in listed.items():
        for entry in entries:
            if entry.request and entry.request not in tested:
                raise pytest.UsageError(
                    f"{expectations_of(config)}: {id_}: no test of the contract is about "
                    f"{entry.request!r}; there are {', '.join(map(repr, tested))}. Correct the "
                    "request, or delete the entry."
                )


def gate_capabilities(subject: Subject, declared: Mapping[str, bool]) -> None:
    """Probe what an endpoint does, and fail where something else is declared."""
    try:
        Capabilities.probe(subject).require(declared)
    except (Contradiction, NotTestable, SubjectError) as error:
        fail(str(error))


def fail(text: str) -> NoReturn:
    """End a test with nothing but a text: no error that led to it."""
    raise pytest.fail.Exception(text, pytrace=False) from None


def report(row: Row, verdict: Verdict) -> None:
    """End a test as its verdict says: skipped, xfailed or failed, with fact, evidence, way out."""
    if verdict.status == "not-applicable":
        pytest.skip(f"{row.id} not applicable: {verdict.message}")
    if verdict.status in ("warn", "expected-fail"):
        pytest.xfail(text(row, verdict))
    if verdict.status != "pass":
        fail(text(row, verdict))


def text(row: Row, verdict: Verdict) -> str:
    """Write a verdict: the requirement, the fact with its way out, the evidence."""
    head = f"{row.id} ({row.level}): {row.text}"
    return "\n".join((head, f"  {verdict.message}", *(f"    {line}" for line in verdict.evidence)))
