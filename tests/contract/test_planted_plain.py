"""Each planted fault breaks its requirement and no other; no twin breaks any."""

from __future__ import annotations

import pytest
from contract_lab import Planted, broken
from planted_plain import CORRECT, FAULTY

from bgcheck_suites.endpoint.verify import VERIFICATIONS

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
CASES = [
    pytest.param(id_, planted, id=f"{id_}-{name}")
    for id_, planted_apps in FAULTY.items()
    for name, planted in planted_apps.items()
]


@pytest.mark.parametrize(("id_", "planted"), CASES)
def test_a_fault_breaks_its_requirement_only(id_: str, planted: Planted) -> None:
    found = broken(planted)
    assert set(found) == {id_} | planted.also, found


@pytest.mark.parametrize("planted", CORRECT.values(), ids=CORRECT)
def test_a_correct_app_breaks_none(planted: Planted) -> None:
    assert broken(planted) == {}


def test_three_faults_for_each_requirement_that_needs_no_database() -> None:
    plain = {id_ for id_ in VERIFICATIONS if not id_.startswith("BGC-DB")}
    assert plain == set(FAULTY)
    assert all(len(planted) >= 3 for planted in FAULTY.values())
