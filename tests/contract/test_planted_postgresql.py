"""The planted faults of databases break their requirement on PostgreSQL too, and no twin does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from contract_lab import Planted
from planted_database import CORRECT, FAULTY

from bgcheck_suites.endpoint.verify import verify
from support import postgresql

DATABASE = ("BGC-DB-01", "BGC-DB-02", "BGC-DB-03")
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
CASES = [
    pytest.param(id_, planted, id=f"{id_}-{name}")
    for id_ in DATABASE
    for name, planted in FAULTY[id_].items()
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    pytest.importorskip("psycopg")
    with postgresql.server() as started:
        yield started


@pytest.mark.parametrize(("id_", "planted"), CASES)
def test_a_fault_breaks_its_requirement(id_: str, planted: Planted, url: str) -> None:
    verdict = verify(planted.of(url), id_)
    assert verdict.status == ("warn" if id_ == "BGC-DB-02" else "fail"), verdict


@pytest.mark.parametrize(
    "name", ["with", "async with", "sleeps outside", "committed by the request"]
)
def test_a_correct_app_breaks_none(name: str, url: str) -> None:
    for id_ in DATABASE:
        assert verify(CORRECT[name].of(url), id_).status == "pass"
