"""The exit codes of `bgcheck conform`, on suites that end in every way there is."""

import json
from pathlib import Path

import pytest

from bgcheck.cli import conform, main
from bgcheck.report.results import read_run
from bgcheck_suites import registry

INI = "[pytest]\npython_files = test_*.py\n"
CONFTEST = "from bgcheck_suites.conftest import *\n"
HEAD = """
import os
import pytest
from bgcheck_suites.events import Contradiction
from bgcheck_suites.marks import NotApplicable, NotTestable, requirement
"""
HOLDS = """
@requirement("BGF-ORDER-{number}")
def test_holds_{number}():
    pass
"""
BODY = """
@requirement("BGF-ORDER-02")
def test_two():
    {body}
"""
ONE = HOLDS.format(number="01")


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Have `conform` measure two requirements by the given test modules; returns (code, run)."""
    directory = tmp_path / "suites"
    (directory / "framework").mkdir(parents=True)
    (directory / "conform.ini").write_text(INI)
    (directory / "conftest.py").write_text(CONFTEST)
    monkeypatch.setattr(conform, "suite_directory", lambda: directory)

    def measure(*modules: str, select: tuple[str, ...] = ("BGF-ORDER-01", "BGF-ORDER-02")):
        for number, text in enumerate(modules):
            (directory / "framework" / f"test_{number}.py").write_text(HEAD + text)
        options = [word for prefix in select for word in ("--select", prefix)]
        report = tmp_path / "report"
        code = main(["conform", "--framework-only", "--report-dir", str(report), *options])
        assert (report / "index.html").exists()
        assert (report / "junit.xml").exists()
        return code, read_run(report / "results.jsonl")

    return measure


LISTED = """
[[requirement]]
id = "BGF-ORDER-01"
level = "MUST"
text = "Tasks run in order."
source = { document = "Docs", section = "Tasks" }
[[requirement]]
id = "BGF-ORDER-02"
level = "MUST"
text = "Tasks run in sequence."
source = { document = "Docs", section = "Tasks" }
expected_fail = [{ when = "python>=3", reason = "A known bug.", link = "issue 7" }]
"""


@pytest.fixture
def listed(tmp_path: Path, suite, monkeypatch: pytest.MonkeyPatch):
    """Have the second requirement listed as a known failure."""
    rows = tmp_path / "rows"
    rows.mkdir()
    (rows / "order.toml").write_text(LISTED)
    monkeypatch.setattr(registry, "DIRECTORY", rows)
    registry.registry.cache_clear()
    patch = (
        "import pathlib, bgcheck_suites.testcase, bgcheck_suites.registry as r\n"
        f"r.DIRECTORY = pathlib.Path({str(rows)!r})\n"
        "r.registry.cache_clear()\n"
    )
    (tmp_path / "suites" / "conftest.py").write_text(patch + CONFTEST)
    yield suite
    registry.registry.cache_clear()


def test_a_listed_failure_is_expected(listed, capsys):
    code, run = listed(ONE + BODY.format(body="assert False, 'Both at once.'"))
    assert code == 0
    assert outcome(run).status == "expected-fail"
    assert outcome(run).message == "Both at once. A known bug. (issue 7)"
    assert "Conforms: MUST 1/2" in capsys.readouterr().out


def test_a_listed_failure_that_holds_fails(listed):
    code, run = listed(ONE + HOLDS.format(number="02"))
    assert code == 1
    assert outcome(run).status == "unexpected-pass"


def outcome(run, id_="BGF-ORDER-02"):
    return next(result for result in run.results if result.id == id_)


def test_all_must_hold(suite):
    code, run = suite(ONE + HOLDS.format(number="02"))
    assert code == 0
    assert [result.status for result in run.results] == ["pass", "pass"]
    assert run.footer == {"complete": True, "counts": {"pass": 2}}


def test_a_failed_must(suite, capsys):
    body = "raise Contradiction('It ran twice.', '#1 task', '#2 task')"
    code, run = suite(ONE + BODY.format(body=body))
    assert code == 1
    assert outcome(run).status == "fail"
    assert outcome(run).message == "It ran twice."
    assert outcome(run).evidence == ("#1 task", "#2 task")
    out = capsys.readouterr().out
    assert "Does not conform: BGF-ORDER-02: fail" in out
    assert "    It ran twice.\n    #1 task\n    #2 task\n" in out


def test_a_failed_should_is_a_warning(suite):
    should = BODY.replace("BGF-ORDER-02", "BGF-RESP-10").format(body="assert False, 'slow'")
    code, run = suite(ONE + should, select=("BGF-ORDER-01", "BGF-RESP-10"))
    assert code == 0
    assert outcome(run, "BGF-RESP-10").status == "warn"


def test_the_worst_of_several_tests_counts(suite):
    code, run = suite(
        ONE
        + """
@requirement("BGF-ORDER-02")
@pytest.mark.parametrize("place", ["in-process", "server"])
def test_two(place):
    assert place == "in-process", "It differs."
"""
    )
    assert code == 1
    assert outcome(run).status == "fail"
    assert outcome(run).message == "[server] It differs."
    assert len(outcome(run).tests) == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("pytest.skip('later')", "It was skipped without a declared reason: later"),
        ("raise NotTestable('no server')", "no server"),
    ],
)
def test_what_was_not_measured_does_not_hold(suite, body, message):
    code, run = suite(ONE + BODY.format(body=body))
    assert code == 1
    assert (outcome(run).status, outcome(run).message) == ("not-testable", message)


@pytest.mark.parametrize("mark", ["skip(reason='later')", "xfail(reason='later')"])
def test_a_marker_of_pytest_turns_nothing_green(suite, mark):
    marked = f"@pytest.mark.{mark}" + BODY.format(body="assert False")
    code, run = suite(ONE + marked)
    assert code == 1
    assert outcome(run).failing


def test_what_does_not_apply_is_left_out_with_its_reason(suite):
    code, run = suite(ONE + BODY.format(body="raise NotApplicable('no trio')"))
    assert code == 0
    assert (outcome(run).status, outcome(run).message) == ("not-applicable", "no trio")


def test_nothing_that_applies_is_inconclusive(suite, capsys):
    body = BODY.format(body="raise NotApplicable('no trio')")
    code, _ = suite(body, select=("BGF-ORDER-02",))
    assert code == 2
    assert "Inconclusive: nothing was measured" in capsys.readouterr().out


def test_no_test_at_all_is_inconclusive(suite, capsys):
    code, run = suite("")
    assert code == 2
    assert run.results == []
    assert "0 of 2 requirements were measured; nothing was measured" in capsys.readouterr().out


def test_a_requirement_without_test_is_inconclusive(suite, capsys):
    code, run = suite(ONE)
    assert code == 2
    assert not run.complete
    assert "Inconclusive: 1 of 2 requirements were measured" in capsys.readouterr().out


def test_a_crash_keeps_what_was_measured_and_leaves_no_footer(suite, capsys):
    code, run = suite(ONE + BODY.format(body="os._exit(0)"))
    assert code == 2
    assert [result.id for result in run.results] == ["BGF-ORDER-01"]
    assert run.footer is None
    assert "Inconclusive: the run has no footer" in capsys.readouterr().out


@pytest.mark.parametrize("body", ["raise KeyError('oops')", "undefined_name"])
def test_an_error_of_the_test_itself_is_a_bug(suite, body, capsys):
    code, run = suite(ONE + BODY.format(body=body))
    assert code == 4
    assert outcome(run).suite_error
    assert "Bug in the suite: BGF-ORDER-02: its test broke: " in capsys.readouterr().out


def test_an_error_in_a_fixture_is_a_bug(suite):
    code, run = suite(
        ONE
        + """
@pytest.fixture
def broken():
    yield
    raise KeyError("oops")

@requirement("BGF-ORDER-02")
def test_two(broken):
    pass
"""
    )
    assert code == 4
    assert outcome(run).message == "KeyError: 'oops'"


def test_a_module_that_cannot_be_collected_is_a_bug(suite, capsys):
    code, run = suite(ONE, "import no_such_module\n")
    assert code == 4
    assert [result.id for result in run.results] == ["BGF-ORDER-01"]
    out = " ".join(capsys.readouterr().out.split())
    assert "Bug in the suite: cannot be collected: framework/test_1.py: " in out
    assert "No module named 'no_such_module'" in out


def test_a_behaviour_without_a_value_is_a_bug(suite):
    behaviour = HOLDS.replace("BGF-ORDER-{number}", "BGF-DEPS-04").format(number="x")
    code, _ = suite(behaviour, select=("BGF-DEPS-04",))
    assert code == 4


def test_a_stale_expectation_fails(suite):
    code, run = suite(
        """
@requirement("BGF-DEPS-04")
def test_exit(observe):
    observe("never")
""",
        select=("BGF-DEPS-04",),
    )
    assert code == 1
    result = outcome(run, "BGF-DEPS-04")
    assert (result.status, result.observed, result.level) == ("fail", "never", None)
    assert result.message.startswith("The recorded expectation is stale. ")


def test_the_environment_of_the_user_does_not_reach_the_suite(suite, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    code, _ = suite(ONE + HOLDS.format(number="02"))
    assert code == 0


def test_results_are_lines_with_header_and_footer(suite, tmp_path):
    suite(ONE + HOLDS.format(number="02"))
    lines = (tmp_path / "report" / "results.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["type"] for record in records] == [
        "header",
        "requirement",
        "requirement",
        "suite-end",
        "footer",
    ]
    assert records[0]["expected"] == 2
    assert records[0]["argv"][:3] == ["conform", "--select", "BGF-ORDER-01"]
    assert records[0]["stack"]["python"]


def test_an_earlier_report_is_replaced(suite, tmp_path):
    suite(ONE + BODY.format(body="assert False"))
    code, run = suite(ONE + HOLDS.format(number="02"))
    assert code == 0
    assert len(run.results) == 2


EXPECTED = """
[[BGF-ORDER-02]]
when = "python >= 3"
reason = "A known bug."
link = "issue 7"
"""


@pytest.fixture
def expected(suite, tmp_path, monkeypatch):
    """Have the project of the user list the second requirement as a known failure."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "expectations.toml").write_text(EXPECTED)
    return suite


def test_a_failure_that_the_project_expects(expected):
    code, run = expected(ONE + BODY.format(body="assert False, 'Both at once.'"))
    assert code == 0
    assert outcome(run).status == "expected-fail"
    assert outcome(run).message == "Both at once. A known bug. (issue 7)"


def test_an_expected_failure_that_holds_fails(expected):
    code, run = expected(ONE + HOLDS.format(number="02"))
    assert code == 1
    assert outcome(run).status == "unexpected-pass"
    assert outcome(run).message == (
        "It holds, but is listed as failing on python >= 3: A known bug. (issue 7)"
    )


def test_an_expectation_about_no_known_stack_is_a_usage_error(expected, tmp_path, capsys):
    other = tmp_path / "other.toml"
    other.write_text(EXPECTED.replace("python >= 3", "fastapi >= 0.900"))
    with pytest.raises(SystemExit) as exit_:
        main(["conform", "--expectations", str(other), "--select", "BGF-ORDER-02"])
    assert exit_.value.code == 3
    assert "BGF-ORDER-02: no known stack satisfies 'fastapi >= 0.900'" in capsys.readouterr().err
