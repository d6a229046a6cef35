"""The page of the kill matrix: it has every fault, and says who kills it."""

import re
from pathlib import Path

import pytest

from bgcheck_suites.faults import FAULTS
from bgcheck_suites.selftest import requirements

PAGE = Path(__file__).parents[2] / "docs" / "kill-matrix.md"


@pytest.fixture(scope="module")
def rows():
    """The cells of each row of the page, by the first one."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return {row[0].strip("`"): row[1:] for row in cells}


@pytest.mark.parametrize("name", FAULTS)
def test_the_page_has_the_fault_and_all_that_kill_it(rows, name):
    summary, killed, survived = rows[name]
    assert summary == FAULTS[name].summary
    assert survived == "-"
    assert set(killed.split(", ")) == set(FAULTS[name].kills)


def test_the_page_has_every_requirement(rows):
    assert set(requirements()) <= {name.split(" ")[0] for name in rows}


def test_the_score_is_that_of_the_rows(rows):
    text = PAGE.read_text(encoding="utf-8")
    killed, faults, kills, pairs = map(
        int, re.search(r"\*\*(\d+)/(\d+) faults killed, (\d+)/(\d+) kills", text).groups()
    )
    assert killed == faults == len(FAULTS)
    assert kills == pairs == sum(len(fault.kills) for fault in FAULTS.values())
