"""The baseline: new findings fail, and so do listed ones that are gone; `bgcheck baseline`."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from checks_plugin_lab import APP, TESTS, Project, assert_outcomes, codes, summary

from bgcheck.cli import main

FIXED = APP.replace("tasks.add_task(boom)", "...")
GATE = "--bgcheck-baseline=known.json"


@pytest.fixture
def listed(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose findings are in its baseline."""
    monkeypatch.chdir(project.path)
    project.run("--bgcheck-json=r.jsonl")
    assert main(["baseline", "write", "--file=known.json", "--from=r.jsonl"]) == 0
    return project


def entries(project: Project) -> list[dict[str, Any]]:
    """Read the baseline."""
    found: list[dict[str, Any]] = json.loads((project.path / "known.json").read_text())["findings"]
    return found


def rewrite(project: Project, app: str) -> None:
    """Change the app."""
    project.write(shop=app)
    sys.modules.pop("shop", None)


def test_file(listed: Project) -> None:
    assert entries(listed)[0] == {
        "code": "BG105",
        "file": "shop.py",
        "function": "twice",
        "func": "send",
        "reason": "",
        "tests": ["test_shop.py::test_twice"],
    }
    assert [entry["code"] for entry in entries(listed)] == ["BG105", "BG201"]


@pytest.mark.parametrize("mode", ["report", "strict"])
def test_known_findings_pass(listed: Project, mode: str) -> None:
    result = listed.run(GATE, f"--bgcheck={mode}")
    assert result.ret == 0
    assert codes(result) == []


def test_line_does_not_count(listed: Project) -> None:
    rewrite(listed, "# moved\n\n" + APP)
    assert listed.run(GATE).ret == 0


def test_new_finding_fails_the_session(listed: Project) -> None:
    rewrite(listed, FIXED.replace("def fine(tasks: BackgroundTasks):\n", "def fine(tasks: "
            "BackgroundTasks):\n    tasks.add_task(boom)\n"))  # fmt: skip
    result = listed.run(GATE, "-k", "fine")
    assert result.ret == 1
    assert_outcomes(result, passed=1, deselected=2)
    assert "BG201" in codes(result)
    result.stdout.fnmatch_lines(
        ["=* bgcheck: * new finding*, 0 in the baseline, 0 of it no longer found =*"]
    )


def test_new_finding_fails_its_test_in_strict_mode(listed: Project) -> None:
    rewrite(listed, APP.replace("def fine(tasks: BackgroundTasks):\n", "def fine(tasks: "
            "BackgroundTasks):\n    tasks.add_task(boom)\n"))  # fmt: skip
    assert_outcomes(listed.run(GATE, "--bgcheck=strict"), passed=2, failed=1)


def test_finding_that_is_gone_fails(listed: Project) -> None:
    rewrite(listed, FIXED)
    result = listed.run(GATE)
    assert result.ret == 1
    assert_outcomes(result, passed=3)
    assert summary(result)[:2] == [
        "shop.py: BG201 of boom in fails is in the baseline and was not found any more",
        "  way out    bgcheck baseline write --file known.json",
    ]


@pytest.mark.parametrize(
    "options",
    [["-k", "fine"], ["test_shop.py::test_fine"], ["--deselect", "test_shop.py::test_fails"],
     ["--ignore", "test_shop.py"]],
)  # fmt: skip
def test_finding_of_a_test_that_did_not_run_is_not_gone(
    listed: Project, options: list[str]
) -> None:
    rewrite(listed, FIXED)
    listed.write(test_more="def test_more(): ...")
    assert listed.run(GATE, *options).ret == 0


def test_finding_of_a_test_that_is_deleted_is_gone(listed: Project) -> None:
    listed.write(test_shop=TESTS.replace("test_fails", "test_renamed_and_fixed"))
    rewrite(listed, FIXED)
    assert listed.run(GATE).ret == 1
    (listed.path / "test_shop.py").unlink()
    listed.write(test_more="def test_more(): ...")
    assert listed.run(GATE).ret == 1


def test_reasons_stay(listed: Project) -> None:
    known = listed.path / "known.json"
    known.write_text(known.read_text().replace('"reason": ""', '"reason": "see 12"'))
    listed.run("--bgcheck-json=r.jsonl")
    main(["baseline", "write", "--file=known.json", "--from=r.jsonl"])
    assert {entry["reason"] for entry in entries(listed)} == {"see 12"}


def test_configured(listed: Project) -> None:
    rewrite(listed, FIXED)
    listed.configure('[tool.bgcheck]\nbaseline = "known.json"')
    assert listed.run().ret == 1
    assert listed.run("--bgcheck=off").ret == 0
    assert listed.run("--bgcheck-baseline=").ret == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "*there is no baseline file *known.json. Make it with: bgcheck baseline write "
         "--file known.json"),
        ("[]", "*known.json is no baseline file: *"),
        ('{"version": 9}', "*known.json has version 9; this bgcheck reads 1."),
    ],
)  # fmt: skip
def test_wrong_file(project: Project, text: str | None, message: str) -> None:
    if text is not None:
        (project.path / "known.json").write_text(text)
    result = project.run(GATE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --bgcheck-baseline: {message}"])


def test_command_runs_the_tests(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.path)
    monkeypatch.setenv("PYTHONPATH", str(project.path))
    monkeypatch.setenv("PYTEST_ADDOPTS", "-q -p bgcheck.plugin -p no:cacheprovider -W ignore")
    assert main(["baseline", "write"]) == 0
    file = "--file", "bgcheck-baseline.json"
    assert main(["baseline", "check", *file, "--", "-k", "twice"]) == 0
    rewrite(project, FIXED)
    assert main(["baseline", "check", "--", "-k", "twice"]) == 0
    assert main(["baseline", "check"]) == 1


def test_command_check(listed: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baseline", "check", "--file=known.json", "--from=r.jsonl"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 findings, all in known.json"
    rewrite(listed, FIXED + "\n\n@app.post('/new')\nasync def new(tasks: BackgroundTasks):\n"
            "    tasks.add_task(boom)\n")  # fmt: skip
    listed.write(test_shop=TESTS + "\n\ndef test_new():\n    client.post('/new')\n")
    listed.run("--bgcheck-json=r.jsonl")
    capsys.readouterr()
    assert main(["baseline", "check", "--file=known.json", "--from=r.jsonl"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "new:  shop.py:31: BG201 task-failed: boom failed with ValueError, and the test did not "
        "expect it.",
        "gone: shop.py: BG201 of boom in fails",
        "1 new finding, 1 of known.json no longer found",
    ]


def test_command_on_an_incomplete_run(listed: Project, capsys: pytest.CaptureFixture[str]) -> None:
    results = listed.path / "r.jsonl"
    results.write_text("\n".join(results.read_text().splitlines()[:-1]) + "\n")
    assert main(["baseline", "write", "--file=known.json", "--from=r.jsonl"]) == 2
    assert capsys.readouterr().out.splitlines()[-1].startswith("inconclusive: ")


def test_command_on_a_run_without_tests(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.path)
    project.run("-k", "no such test", "--bgcheck-json=r.jsonl")
    capsys.readouterr()
    assert main(["baseline", "write", "--from=r.jsonl"]) == 2
    message = "inconclusive: no test ran, so that nothing can be said of the findings"
    assert capsys.readouterr().out.splitlines() == [message]
    assert not (project.path / "bgcheck-baseline.json").exists()


def test_command_whose_tests_cannot_be_collected(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-q -p bgcheck.plugin -p no:cacheprovider -W ignore")
    with pytest.raises(SystemExit) as exit_:
        main(["baseline", "write", "--", "nowhere.py"])
    assert exit_.value.code == 3
    assert capsys.readouterr().err.endswith(
        "pytest ended with exit code 4, and has no results of all tests\n"
    )
    assert not (project.path / "bgcheck-baseline.json").exists()
