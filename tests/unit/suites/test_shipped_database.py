"""The database that ships says what the stack that runs these tests does."""

import pytest

from bgcheck.cli import main
from bgcheck.report.results import read_run
from bgcheck.report.stack import resolved_stack
from bgcheck_suites.matrix.cells import cell_of_run
from bgcheck_suites.matrix.database import load_cells, load_database
from bgcheck_suites.registry import registry, select

DATABASE = load_database()


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """All probes, measured now."""
    report = tmp_path_factory.mktemp("report")
    main(["conform", "--suite", "framework", "--record", "--report-dir", str(report)])
    return cell_of_run(read_run(report / "results.jsonl"))


def test_every_probe_has_a_record():
    probes = select(registry(), suites=["framework"])
    assert sorted(DATABASE) == sorted(probes)


def test_what_is_recorded_is_what_is_measured_here(measured):
    stack = resolved_stack()
    told = {id_: record.value_for(stack) for id_, record in DATABASE.items()}
    different = {
        id_: (value, measured.observations[id_].value)
        for id_, value in told.items()
        if value is not None and measured.observations[id_].value != value
    }
    assert different == {}
    assert sum(value is not None for value in told.values()) > 0.9 * len(told)


def test_many_cells_were_measured():
    cells = load_cells()
    assert sum(cell["status"] == "measured" for cell in cells) >= 24
    assert all(cell["reason"] for cell in cells if cell["status"] != "measured")


def test_change_points_lie_at_versions_that_were_measured():
    known = {(p, v) for cell in load_cells() for p, v in cell["stack"].items()}
    known |= {(p, ".".join(v.split(".")[:2])) for p, v in known if p == "python"}
    for record in DATABASE.values():
        for part in record.ranges:
            if part.package:
                assert {(part.package, part.since), (part.package, part.last)} <= known


def test_no_evidence_depends_on_chance():
    for record in DATABASE.values():
        for part in record.ranges:
            assert not any(" at 0x" in line and "0x…" not in line for line in part.evidence)
