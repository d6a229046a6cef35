"""`bgcheck conform` as a user runs it: on the installed stack, sound and broken on purpose."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bgcheck.report.results import Run, read_run
from bgcheck_suites.faults import FAULTS
from bgcheck_suites.registry import registry, select


def conform(directory: Path, *options: str) -> "tuple[subprocess.CompletedProcess[str], Run]":
    """Run the command in a directory; return how it ended, and the results it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "bgcheck", "conform", *options],
        cwd=directory,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, read_run(directory / "bgcheck-report" / "results.jsonl")


def test_the_installed_stack_conforms(tmp_path):
    done, run = conform(tmp_path)
    assert done.returncode == 0, done.stdout
    assert {result.id for result in run.results} == set(registry())
    assert run.complete
    assert "Conforms: MUST " in done.stdout
    report = tmp_path / "bgcheck-report"
    assert "This stack conforms" in (report / "index.html").read_text()
    cases = list(ET.parse(report / "junit.xml").iter("testcase"))
    assert len(cases) == len(registry())


def test_selection_measures_what_it_names(tmp_path):
    done, run = conform(tmp_path, "--select", "BGF-ORDER", "--select", "BGF-ARGS-01", "-v")
    chosen = select(registry(), prefixes=["BGF-ORDER", "BGF-ARGS-01"])
    assert done.returncode == 0
    assert {result.id for result in run.results} == set(chosen)
    assert run.expected == len(chosen)


def test_one_suite_alone(tmp_path):
    done, run = conform(tmp_path, "--framework-only", "--select", "BGF-APP")
    assert done.returncode == 0
    assert {result.suite for result in run.results} == {"framework"}


# All of them are planted by `bgcheck selftest`, which CI runs.
@pytest.mark.parametrize("name", ["task-before-response", "runs-twice", "arguments-copied"])
def test_a_planted_fault_is_found_by_what_it_names(tmp_path, name):
    fault = FAULTS[name]
    options = [word for id_ in fault.kills for word in ("--select", id_)]
    done, run = conform(tmp_path, "--plant", fault.name, *options)
    assert done.returncode == 1, done.stdout
    assert {result.id: result.status for result in run.results} == dict.fromkeys(
        fault.kills, "fail"
    )
    for id_ in fault.kills:
        assert f"{id_}: fail" in " ".join(done.stdout.split())


def test_the_suites_run_under_plain_pytest_too(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --strict-config\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--pyargs", "bgcheck_suites.framework", "-k", "order"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
