"""The requirements that ship: each has its test and its source, and each test its requirement."""

import importlib
import inspect
import pkgutil

import pytest

import bgcheck_suites.framework
import bgcheck_suites.reference
from bgcheck_suites import TaskContract
from bgcheck_suites.endpoint.verify import VERIFICATIONS
from bgcheck_suites.faults import FAULTS
from bgcheck_suites.marks import marked_id, requirement
from bgcheck_suites.registry import Row, registry
from bgcheck_suites.sources import cited_lines, digest

PACKAGES = (bgcheck_suites.framework, bgcheck_suites.reference)
ROWS = {id_: row for id_, row in registry().items() if row.suite != "contract"}


def suite_tests():
    """Yield (suite, function) for every test in the packages of the suites."""
    for package in PACKAGES:
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if found.name.rpartition(".")[2].startswith("test_"):
                module = importlib.import_module(found.name)
                for name, function in inspect.getmembers(module, inspect.isfunction):
                    if name.startswith("test_") and function.__module__ == found.name:
                        yield package.__name__.rpartition(".")[2], function


TESTS = list(suite_tests())


def problems(rows: dict[str, Row], tests) -> list[str]:
    """Return what does not match between rows and tests."""
    found = []
    measured = set()
    for suite, function in tests:
        id_ = marked_id(function)
        if id_ is None:
            found.append(f"{function.__name__} names no requirement")
        elif id_ not in rows or rows[id_].suite != suite:
            found.append(f"{function.__name__} names {id_}, which is not in the {suite} suite")
        else:
            measured.add(id_)
    return found + [f"{id_} has no test" for id_ in rows if id_ not in measured]


def test_rows_and_tests_match():
    assert problems(ROWS, TESTS) == []


def test_the_contract_verifies_each_of_its_rows():
    assert list(VERIFICATIONS) == [id_ for id_ in registry() if id_ not in ROWS]
    for id_ in VERIFICATIONS:
        assert marked_id(getattr(TaskContract, f"test_{id_.replace('-', '_')}")) == id_


def test_a_row_without_test_is_found():
    lonely = {**ROWS, "BGF-NEW-01": ROWS["BGF-ORDER-01"]}
    assert problems(lonely, TESTS) == ["BGF-NEW-01 has no test"]


def test_a_test_without_requirement_is_found():
    def test_something():
        pass

    found = problems(ROWS, [*TESTS, ("framework", test_something)])
    assert found == ["test_something names no requirement"]


def test_a_test_with_an_unknown_requirement_is_found():
    @requirement("BGF-NEW-01")
    def test_something():
        pass

    found = problems(ROWS, [*TESTS, ("framework", test_something)])
    assert found == ["test_something names BGF-NEW-01, which is not in the framework suite"]


def test_behaviours_are_observed_and_requirements_are_not():
    for _, function in TESTS:
        observes = "observe" in inspect.signature(function).parameters
        assert observes is (ROWS[marked_id(function)].kind == "behaviour"), function.__name__


def test_texts_are_one_sentence():
    for row in ROWS.values():
        assert row.text.endswith("."), row.id
        assert ". " not in row.text, row.id


def test_the_cited_lines_are_still_the_same():
    sources = {row.source for row in ROWS.values() if row.source.package}
    found = {source: cited_lines(source) for source in sources}
    here = {source: lines for source, lines in found.items() if lines is not None}
    if not here:
        pytest.skip("none of the cited versions is installed")
    changed = [str(source) for source, lines in here.items() if digest(lines) != source.sha256]
    assert changed == []


def test_faults_name_requirements_that_exist():
    for fault in FAULTS.values():
        assert fault.kills, fault.name
        assert set(fault.kills) <= set(ROWS), fault.name
