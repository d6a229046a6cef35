"""The `bgcheck` command: help, version, usage errors, and the list of fixtures."""

import os
import platform
import subprocess
import sys
from importlib import metadata

import pytest

import bgcheck
from bgcheck import cli
from bgcheck.cli import errors


def exit_of(*argv: str) -> int:
    """Return the exit code of the command in this process."""
    try:
        return cli.main(argv)
    except SystemExit as stop:
        return int(stop.code or 0)


def run_bgcheck(*argv: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "bgcheck", *argv]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_help_lists_the_commands(capsys):
    assert exit_of("--help") == 0
    out = capsys.readouterr().out
    assert "conform" in out
    assert "fixtures" in out


def test_help_of_conform_explains_the_exit_codes(capsys):
    assert exit_of("conform", "--help") == 0
    out = capsys.readouterr().out
    assert "2  inconclusive: nothing was measured, or not everything" in out
    assert "4  bug in the suite itself" in out


def test_version_shows_the_resolved_stack():
    done = run_bgcheck("--version")
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert done.returncode == 0
    assert lines["bgcheck"] == bgcheck.__version__
    assert lines["python"] == platform.python_version()
    for name in ("fastapi", "starlette", "anyio", "pydantic", "pytest"):
        assert lines[name] == metadata.version(name)


def test_the_command_starts_without_framework_and_report_libraries():
    code = (
        "import sys; from bgcheck.cli import main; main(['--version']); "
        "heavy = {'fastapi', 'starlette', 'rich', 'jinja2', 'pytest'}; "
        "print('loaded:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "loaded: []" in done.stdout


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "bgcheck: error: a command is required; `bgcheck --help` lists them"),
        (["--nothing"], "bgcheck: error: unrecognized arguments: --nothing"),
        (["nothing"], "invalid choice: 'nothing'"),
        (["conform", "--suite", "nothing"], "argument --suite: invalid choice: 'nothing'"),
        (["conform", "--select", "BGX"], "bgcheck: error: no requirement matches BGX; there are "),
        (
            ["conform", "--plant", "nothing"],
            "bgcheck: error: no fault is called 'nothing'; there are:\n"
            "  arguments-copied: arguments are deep copies\n",
        ),
    ],
)
def test_usage_errors(argv, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert exit_of(*argv) == 3
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_cannot_be_written_is_a_usage_error(capsys, tmp_path):
    (tmp_path / "file").touch()
    assert exit_of("conform", "--report-dir", str(tmp_path / "file")) == 3
    assert f"cannot write the report to {tmp_path / 'file'}: File exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (
            {"rich", "jinja2"},
            "`bgcheck conform` needs rich and jinja2, not installed here; install with: "
            "python -m pip install 'bgcheck[suites]'",
        ),
        (
            {"fastapi", "httpx", "httpx2"},
            "`bgcheck conform --suite framework` needs fastapi and httpx2 or httpx, not installed "
            "here; install with: python -m pip install 'bgcheck[suites]'",
        ),
    ],
)
def test_a_missing_library_is_named_with_its_extra(missing, message, capsys, monkeypatch):
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name in missing else object())
    assert exit_of("conform", "--suite", "framework") == 3
    assert f"bgcheck: error: {message}\n" in capsys.readouterr().err


def test_fixtures_are_listed_with_their_documentation(capsys):
    assert exit_of("fixtures") == 0
    out = capsys.readouterr().out
    assert out.startswith("bgtasks -- ")
    assert "The background tasks scheduled in this test, in order" in out
    assert "tmp_path" not in out


def test_fixtures_do_not_depend_on_the_project_around(monkeypatch, tmp_path, capsys):
    (tmp_path / "conftest.py").write_text("raise RuntimeError('not loaded')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    assert exit_of("fixtures") == 0
    assert "bgtasks" in capsys.readouterr().out
