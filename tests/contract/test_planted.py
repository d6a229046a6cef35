"""Each planted fault breaks its requirement and no other; no twin breaks any."""

from __future__ import annotations

from collections import Counter

import planted_arguments
import planted_errors
import planted_responses
import planted_running
import planted_styles
import pytest
from contract_lab import Planted, broken

from bgcheck_suites.endpoint.verify import VERIFICATIONS, verify

MODULES = (
    planted_responses,
    planted_errors,
    planted_arguments,
    planted_running,
    planted_styles,
)
FAULTY = [
    pytest.param(id_, planted, id=f"{id_}-{name}")
    for module in MODULES
    for id_, planted_apps in module.FAULTY.items()
    for name, planted in planted_apps.items()
]
CORRECT = {name: planted for module in MODULES for name, planted in module.CORRECT.items()}


@pytest.mark.usefixtures("_let_go")
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize(("id_", "planted"), FAULTY)
def test_a_fault_breaks_its_requirement_only(id_: str, planted: Planted) -> None:
    found = broken(planted)
    assert set(found) == {id_} | planted.also, found


@pytest.mark.parametrize("planted", CORRECT.values(), ids=CORRECT)
def test_a_correct_app_breaks_none(planted: Planted) -> None:
    assert broken(planted) == {}


def test_three_faults_for_each_requirement_that_needs_no_database() -> None:
    count = Counter(str(case.values[0]) for case in FAULTY)
    assert {id_ for id_ in VERIFICATIONS if not id_.startswith("BGC-DB")} == set(count)
    assert min(count.values()) >= 3


@pytest.mark.parametrize("queues", [False, True], ids=["", "a queue in use"])
@pytest.mark.parametrize("id_", ["BGC-RESP-02", "BGC-ERR-01", "BGC-ERR-03", "BGC-RUN-01"])
def test_a_request_that_is_accepted_once_must_be_another_each_time(
    id_: str, queues: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bgcheck_suites.endpoint.verify.in_use", lambda: queues)
    verdict = verify(Planted(planted_styles.created_once, planted_styles.ONCE).of(), id_)
    assert verdict.status == "not-testable"
    assert verdict.message == (
        "PUT /orders/1 schedules work the first time only; the second time it was answered 409. "
        "Have `prepare` return another request each time, or undo what the last one did."
    )


def test_what_prepare_returns_must_be_a_request() -> None:
    planted = Planted(planted_styles.created_once, planted_styles.ONCE, subject={"prepare": int})
    verdict = verify(planted.of(), "BGC-RESP-01")
    assert verdict.status == "not-testable"
    assert verdict.message == (
        "prepare(): 0 is no request; its keys are line, json, data, files, headers"
    )
