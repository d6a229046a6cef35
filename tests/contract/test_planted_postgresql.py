"""The planted faults of databases break their requirement on PostgreSQL too, and no twin does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from contract_lab import SHOULD, Planted
from planted_database import CORRECT, FAULTY

from bgcheck_suites.endpoint.verify import verify
from support import postgresql

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


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    pytest.importorskip("psycopg")
    with postgresql.server() as started:
        yield started


@pytest.mark.parametrize(("id_", "planted"), CASES)
def test_a_fault_breaks_its_requirement(id_: str, planted: Planted, url: str) -> None:
    verdict = verify(planted.of(url), id_)
    assert verdict.status == ("warn" if id_ in SHOULD else "fail"), verdict


@pytest.mark.parametrize("planted", CORRECT.values(), ids=CORRECT)
def test_a_correct_app_breaks_none(planted: Planted, url: str) -> None:
    for id_ in FAULTY:
        assert verify(planted.of(url), id_).status in ("pass", "not-applicable"), id_


def test_what_another_process_has_open_does_not_count(url: str) -> None:
    import psycopg

    planted = CORRECT["with"].of(url)
    with ExitStack() as stack:

        def open_another() -> None:
            other = stack.enter_context(psycopg.connect(url))
            other.execute("SELECT 1")
            states.add(other.info.transaction_status.name)

        states: set[str] = set()
        assert verify(replace(planted, prepare=open_another), "BGC-DB-01").status == "pass"
        assert states == {"INTRANS"}
