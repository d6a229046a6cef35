"""`bgcheck baseline`: write the known findings of a test run, or compare a run with them."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bgcheck.report.baseline import BaselineError, Comparison, Ran, compare, read, write
from bgcheck.report.findings import Line, counted
from bgcheck.report.gate import ExitCode
from bgcheck.report.messages import headline, place

from .errors import UsageError

FILE = Path("bgcheck-baseline.json")

EPILOG = """\
Arguments after `--` go to pytest: `bgcheck baseline write -- tests/api`.

exit codes:
  0  written; or the run is as the baseline says
  1  there are new findings, or listed ones that no longer occur
  2  the run is incomplete or had no test, so that nothing can be said
  3  usage error
"""


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "baseline",
        help="write the known findings of a test run, or compare a run with them",
        description="Run the tests under the checks, then write their findings as the baseline, "
        "or compare them with it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=("write", "check"))
    parser.add_argument(
        "--file", type=Path, default=FILE, help="the baseline file (default: %(default)s)"
    )
    parser.add_argument(
        "--from",
        dest="results",
        type=Path,
        metavar="FILE",
        help="a file that `pytest --bgcheck-json` wrote, instead of running the tests",
    )
    parser.add_argument("pytest_args", nargs="*", metavar="PYTEST_ARG")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write or compare, and return the exit code."""
    lines = _results(arguments)
    footer = next((line for line in lines if line["type"] == "footer"), None)
    if footer is None or not footer["complete"]:
        _print("inconclusive: the test run is incomplete, so that findings may be missing")
        return ExitCode.INCONCLUSIVE
    if not footer["tests"]["ran"]:
        _print("inconclusive: no test ran, so that nothing can be said of the findings")
        return ExitCode.INCONCLUSIVE
    findings = [line for line in lines if line["type"] == "finding"]
    try:
        if arguments.action == "write":
            return _write(arguments.file, findings)
        return _check(arguments.file, findings, Ran.of(footer["tests"]))
    except BaselineError as error:
        raise UsageError(str(error)) from None


def _results(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    if arguments.results is not None:
        return read_lines(arguments.results)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "results.jsonl"
        command = [sys.executable, "-m", "pytest", "--bgcheck=report", "--bgcheck-baseline="]
        done = subprocess.run(
            [*command, f"--bgcheck-json={file}", *arguments.pytest_args, *arguments.rest],
            check=False,
        )
        if not file.exists() or done.returncode not in _RAN:
            raise UsageError(
                f"pytest ended with exit code {done.returncode}, and has no results of all tests"
            )
        return read_lines(file)


_RAN = (0, 1, 5)
"""Exit codes of pytest when no test failed, when one did, and when there was none."""


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines; raises UsageError where it is none."""
    try:
        text = file.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]
    except FileNotFoundError:
        raise UsageError(f"there is no file {file}") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{file} is no file of JSON lines: {error}") from None


def _write(file: Path, findings: list[Line]) -> int:
    known = read(file) if file.exists() else []
    entries = write(file, findings, known)
    gone = len({entry.key for entry in known} - {entry.key for entry in entries})
    _print(
        f"{file}: {counted(len(entries), 'finding')} written, {gone} of the old ones gone; give "
        'each a "reason"'
    )
    return ExitCode.HOLDS


def _check(file: Path, findings: list[Line], ran: Ran) -> int:
    comparison = compare(file, findings, ran, Path.cwd())
    for line in comparison.new:
        _print(f"new:  {place(line)}: {headline(line)}")
    for entry in comparison.stale:
        _print(f"gone: {entry.file}: {entry.code} of {entry.func or '-'} in {entry.function}")
    _print(_verdict(comparison, len(findings)))
    return ExitCode.HOLDS if comparison.holds else ExitCode.FAILED


def _verdict(comparison: Comparison, findings: int) -> str:
    if comparison.holds:
        return f"{counted(findings, 'finding')}, all in {comparison.path}"
    new, gone = len(comparison.new), len(comparison.stale)
    return f"{counted(new, 'new finding')}, {gone} of {comparison.path} no longer found"


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
