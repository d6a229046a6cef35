"""Each planted fault with a database breaks its requirement and no other, on SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest
from contract_lab import Planted, broken
from planted_database import CORRECT, FAULTY

pytestmark = [
    pytest.mark.usefixtures("_let_go"),
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
]
CASES = [
    pytest.param(id_, planted, id=f"{id_}-{name}")
    for id_, planted_apps in FAULTY.items()
    for name, planted in planted_apps.items()
]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'planted.db'}"


@pytest.mark.parametrize(("id_", "planted"), CASES)
def test_a_fault_breaks_its_requirement_only(id_: str, planted: Planted, url: str) -> None:
    found = broken(planted, url)
    assert set(found) == {id_} | planted.also, found


@pytest.mark.parametrize("planted", CORRECT.values(), ids=CORRECT)
def test_a_correct_app_breaks_none(planted: Planted, url: str) -> None:
    assert broken(planted, url) == {}


def test_three_faults_for_each_requirement_of_databases() -> None:
    assert all(len(FAULTY[id_]) >= 3 for id_ in ("BGC-DB-01", "BGC-DB-02", "BGC-DB-03"))
