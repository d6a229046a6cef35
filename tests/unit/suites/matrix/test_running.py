"""Cells that are built, crash, are kept, repeated and joined."""

import json
import sys
from pathlib import Path

import pytest
from matrix_lab import cell, stack

from bgcheck_suites.matrix import running
from bgcheck_suites.matrix.cells import Cell, CellError, read_cell, read_cells, write_cell
from bgcheck_suites.matrix.environments import BuildError
from bgcheck_suites.matrix.running import Job, combined, measure, measure_all, merge
from bgcheck_suites.matrix.specs import Spec

ONE = "BGF-ORDER-01"
SPEC = Spec("3.13", fastapi="0.105.0")

CHILD = """
import json, pathlib, sys
report = pathlib.Path(sys.argv[sys.argv.index("--report-dir") + 1])
report.mkdir(parents=True, exist_ok=True)
lines = {lines}
(report / "results.jsonl").write_text("".join(json.dumps(line) + chr(10) for line in lines))
"""
HEADER = {"type": "header", "expected": 1, "stack": stack("0.105.0")}
RESULT = {
    "type": "requirement",
    "id": ONE,
    "suite": "framework",
    "kind": "requirement",
    "level": "MUST",
    "requirement": "In order.",
    "status": "pass",
    "value": "holds",
    "evidence": ["#1 a <object at 0x7f00> from 127.0.0.1:3456"],
    "tests": [],
}
FOOTER = {"type": "footer", "complete": True}


@pytest.fixture
def job(tmp_path):
    """Cells whose `python -m bgcheck` is a script that writes the results it is given."""

    class Cells:
        def __init__(self) -> None:
            self.lines = [HEADER, RESULT, FOOTER]
            self.built = 0
            self.error = ""

        def build(self, spec: Spec, directory: Path, wheel: Path) -> Path:
            self.built += 1
            if self.error:
                raise BuildError(self.error)
            directory.mkdir(parents=True, exist_ok=True)
            script = directory / "child.py"
            script.write_text(CHILD.format(lines=self.lines))
            python = directory / "python"
            python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
            python.chmod(0o755)
            return python

        def make(self, **options: object) -> Job:
            given = {"select": (ONE,), "build": self.build, **options}
            return Job(tmp_path, tmp_path / "bgcheck.whl", **given)

    return Cells()


def test_a_cell_is_measured_and_written(job):
    made = job.make()
    found = measure(made, SPEC)
    assert (found.name, found.status) == (
        "py3.13.0-fastapi0.105.0-starlette0.40.0-anyio4.0.0",
        "measured",
    )
    assert found.observations[ONE].value == "holds"
    assert found.observations[ONE].evidence == ("#1 a <object at 0x…> from 127.0.0.1:…",)
    assert read_cell(made.file(SPEC)) == found


def test_a_measured_cell_is_kept(job):
    measure(job.make(), SPEC)
    measure(job.make(), SPEC)
    assert job.built == 1
    measure(job.make(fresh=True), SPEC)
    assert job.built == 2


def test_a_cell_with_other_probes_is_measured_again(job):
    measure(job.make(), SPEC)
    measure(job.make(select=("BGF-ORDER-0",)), SPEC)
    assert job.built == 2


def test_a_cell_that_cannot_be_built_is_a_result_with_a_reason(job):
    job.error = "there is no Python 3.99 on this machine"
    found = measure(job.make(), SPEC)
    assert (found.status, found.reason) == ("unbuilt", job.error)
    assert found.name == "py3.13-fastapi0.105.0"
    job.error = ""
    assert measure(job.make(), SPEC).status == "measured"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([HEADER, RESULT], "the run stopped before its end"),
        ([HEADER, {"type": "precondition", "message": "no task runs"}, FOOTER], "no task runs"),
    ],
)
def test_a_cell_that_crashes_is_a_result_with_a_reason(job, lines, reason):
    job.lines = lines
    found = measure(job.make(), SPEC)
    assert (found.status, found.reason) == ("crashed", reason)


def test_a_cell_without_results_is_crashed(job):
    job.lines = []
    assert measure(job.make(), SPEC).status == "crashed"


def test_what_was_measured_before_a_crash_is_kept(job):
    job.lines = [HEADER, RESULT]
    assert measure(job.make(), SPEC).observations[ONE].value == "holds"


def test_one_bad_cell_does_not_stop_the_others(job):
    original = job.build

    def build(spec: Spec, directory: Path, wheel: Path) -> Path:
        if spec.fastapi == "0.1":
            raise BuildError("no such release")
        return original(spec, directory, wheel)

    specs = [SPEC, Spec("3.13", fastapi="0.1"), Spec("3.13", fastapi="0.118.0")]
    found = dict(measure_all(job.make(build=build), specs, workers=2))
    assert [found[spec].status for spec in specs] == ["measured", "unbuilt", "measured"]


def test_repetitions_are_disturbed(job, monkeypatch):
    seen = []
    real = running.subprocess.run
    monkeypatch.setattr(
        running.subprocess, "run", lambda command, **o: seen.append(command) or real(command, **o)
    )
    assert measure(job.make(repeat=3), SPEC).repeat == 3
    assert [command[-2:] for command in seen[1:]] == [["--perturb", "1"], ["--perturb", "2"]]


def test_a_value_that_differs_is_unstable():
    cells = [cell({ONE: value}, stack("0.105.0")) for value in ("b", "a", "b")]
    found = combined(cells)
    assert (found.observations[ONE].value, found.observations[ONE].unstable) == ("a or b", True)
    assert found.repeat == 3


def test_merging_joins_what_two_machines_measured():
    here, there = cell({ONE: "a"}, stack("0.105.0")), cell({ONE: "b"}, stack("0.118.0"))
    assert merge([here, there]) == [here, there]
    (same,) = merge([here, cell({ONE: "b"}, stack("0.105.0"))])
    assert same.observations[ONE].unstable


def test_merging_prefers_a_cell_that_was_measured():
    measured = cell({ONE: "a"}, stack("0.105.0"))
    crashed = Cell(measured.name, {}, {}, "crashed", "the run stopped before its end")
    assert merge([crashed, measured])[0].status == "measured"


def test_merging_refuses_unequal_probes():
    one = cell({ONE: "a", "BGF-ORDER-02": "a"}, stack("0.105.0"))
    with pytest.raises(CellError) as raised:
        merge([one, cell({ONE: "a"}, stack("0.118.0"))])
    assert str(raised.value) == (
        "the cells measured unequal sets of probes: "
        "py3.13.0-fastapi0.118.0-starlette0.40.0-anyio4.0.0 lacks BGF-ORDER-02; measure all with "
        "the same bgcheck and --select"
    )


def test_cells_are_read_from_directories_and_files(tmp_path):
    (tmp_path / "cells").mkdir()
    one = cell({ONE: "a"}, stack("0.105.0"))
    write_cell(one, tmp_path / "cells" / "one.json")
    results = tmp_path / "results.jsonl"
    results.write_text("".join(json.dumps(line) + "\n" for line in (HEADER, RESULT, FOOTER)))
    assert read_cells([tmp_path / "cells"]) == [one]
    assert read_cell(results).observations[ONE].value == "holds"


def test_what_holds_no_cell_is_refused(tmp_path):
    with pytest.raises(CellError, match="holds no cell"):
        read_cells([tmp_path])
    (tmp_path / "x.json").write_text('{"format": 0}')
    with pytest.raises(CellError) as raised:
        read_cell(tmp_path / "x.json")
    assert str(raised.value) == f"{tmp_path / 'x.json'} holds no cell: its format is 0, not 1"
