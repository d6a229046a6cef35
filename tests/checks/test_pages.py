"""The examples of the pages: the faulty one is found, the corrected one is silent."""

from __future__ import annotations

import pytest
from checks_lab import Lab

from bgcheck.checks.base import Check
from bgcheck.checks.pages import SECTIONS, read_page
from bgcheck.checks.registry import all_checks

each_check = pytest.mark.parametrize("check", list(all_checks()), ids=lambda check: check.code)


@each_check
def test_page_is_complete(check: type[Check]) -> None:
    page = read_page(check.code)
    assert page.title == f"{check.code} {check.name}"
    assert page.finds
    assert tuple(page.sections) == SECTIONS
    assert all(page.sections.values())


@each_check
def test_faulty_example_is_found(pytester: pytest.Pytester, check: type[Check]) -> None:
    if check.unsupported() is not None:
        pytest.skip(f"{check.code}: {check.unsupported()}")
    # A session or file that is handed to a task could not travel to a queue either.
    lab = Lab(pytester, ignore="" if check.code == "BG311" else "BG311")
    outcome = lab.run_example(read_page(check.code).example("Faulty"))
    assert outcome.codes == [check.code], outcome.findings


@each_check
def test_corrected_example_is_silent(lab: Lab, check: type[Check]) -> None:
    outcome = lab.run_example(read_page(check.code).example("Corrected"))
    assert outcome.findings == []
    outcome.result.assert_outcomes(passed=1)
