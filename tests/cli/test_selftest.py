"""`bgcheck selftest`: faults are planted in child processes, and found or not."""

import json

import pytest

from bgcheck.cli import main
from bgcheck_suites.faults import FAULTS, planting
from bgcheck_suites.selftest import HEALTHY, Matrix, Trial, markdown

FAULT = "reverse-order"


def selftest(tmp_path, *options):
    return main(["selftest", "--report-dir", str(tmp_path), "-n", "1", *options])


def test_a_fault_is_killed_by_the_requirement_that_names_it(tmp_path, capsys):
    page = tmp_path / "page.md"
    options = ("--fault", FAULT, "--select", "BGF-ORDER-01", "--markdown", str(page))
    assert selftest(tmp_path, *options) == 0
    shown = capsys.readouterr().out
    assert "BGF-ORDER-01" in shown
    assert "1/1 faults killed, 1/1 kills by the requirements that name them" in shown
    report = json.loads((tmp_path / "selftest.json").read_text())
    assert report["healthy"] == {"BGF-ORDER-01": "pass"}
    assert report["faults"][FAULT]["killed_by"] == ["BGF-ORDER-01"]
    assert "| `reverse-order` | the last task runs first | BGF-ORDER-01 | - |" in page.read_text()


def test_a_fault_that_nobody_finds_survives(tmp_path, capsys, monkeypatch):
    named = {**planting._kills(), FAULT: ("BGF-CALL-17",)}
    monkeypatch.setattr(planting, "_kills", lambda: named)
    assert selftest(tmp_path, "--fault", FAULT) == 1
    assert "survived reverse-order: BGF-CALL-17 does not find it" in capsys.readouterr().out


def test_an_unknown_fault_is_refused_with_the_list(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        selftest(tmp_path, "--fault", "no-such-fault")
    assert exit_.value.code == 3
    told = capsys.readouterr().err
    assert "no fault is called 'no-such-fault'; there are:" in told
    assert "  reverse-order: the last task runs first" in told


def test_a_prefix_without_requirement_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        selftest(tmp_path, "--select", "BGF-NEW")
    assert exit_.value.code == 3
    assert "no requirement of the framework matches BGF-NEW" in capsys.readouterr().err


def trial(fault, **statuses):
    ids = {id_.replace("_", "-"): status for id_, status in statuses.items()}
    return Trial(fault, tuple(ids), ids)


def test_what_is_not_applicable_does_not_survive():
    found = Matrix({}, trial(HEALTHY), (trial(FAULT, BGF_ORDER_01="not-applicable"),))
    assert found.survivors == []


def test_a_broken_probe_has_not_found_the_fault():
    found = Matrix({}, trial(HEALTHY), (trial(FAULT, BGF_ORDER_01="broken"),))
    assert found.survivors == [(FAULT, "BGF-ORDER-01")]


def test_a_requirement_without_answer_is_inconclusive():
    silent = Trial(FAULT, ("BGF-ORDER-01",), {})
    assert Matrix({}, trial(HEALTHY), (silent,)).inconclusive == [(FAULT, "BGF-ORDER-01")]


def test_the_page_names_every_fault():
    trials = tuple(trial(name) for name in FAULTS)
    page = markdown(Matrix({"python": "3"}, trial(HEALTHY), trials))
    assert all(f"| `{name}` | {fault.summary} |" in page for name, fault in FAULTS.items())
