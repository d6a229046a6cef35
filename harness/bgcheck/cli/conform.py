"""`bgcheck conform`: measures the installed stack against the requirements."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgcheck import __version__
from bgcheck.report.gate import Gate, decide
from bgcheck.report.results import Run, read_run, write_line
from bgcheck.report.stack import resolved_stack

from . import contract, expect
from .child import Child, SuiteRun, follow
from .errors import UsageError, need

if TYPE_CHECKING:
    from bgcheck.report.table import Screen
    from bgcheck_suites.answers.expectations import Expectations
    from bgcheck_suites.registry import Row

SUITES = ("framework", "reference", "contract")
NEEDS: dict[str, tuple[str, ...]] = {
    "framework": ("fastapi", "uvicorn", "httpx2|httpx"),
    "reference": (
        *("fastapi", "httpx2|httpx", "sqlalchemy", "greenlet", "aiosqlite"),
        *("pydantic_settings", "email_validator"),
    ),
}
NEEDS["contract"] = NEEDS["reference"]
RESULTS, LOG = "results.jsonl", "pytest.log"

EPILOG = """\
exit codes:
  0  every MUST holds
  1  a requirement failed, or a recorded expectation is stale
  2  inconclusive: nothing was measured, or not everything
  3  usage error
  4  bug in the suite itself
"""


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "conform",
        help="measure the installed stack against the requirements",
        description="Measure what the installed FastAPI, Starlette, anyio and Python do with "
        "background tasks, and write a report.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--report-dir",
        type=Path,
        default=Path("bgcheck-report"),
        metavar="DIR",
        help="where the report goes (default: %(default)s)",
    )
    parser.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="PREFIX",
        help="only requirements whose id starts so, such as BGF-ORDER; may be repeated",
    )
    parser.add_argument(
        "--suite",
        action="append",
        choices=SUITES,
        help="only this suite; may be repeated (default: all)",
    )
    parser.add_argument(
        "--framework-only",
        action="store_const",
        const=["framework"],
        dest="suite",
        help="the same as --suite framework",
    )
    parser.add_argument(
        "--plant",
        metavar="FAULT",
        help="self-test: break the framework in this way first; an unknown name lists them",
    )
    parser.add_argument(
        "--perturb",
        type=int,
        default=0,
        metavar="SEED",
        help="shuffle the probes, and let threads change places all the time: a value that "
        "differs from an undisturbed run is a race",
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="only record what behaviours do, without the measured database's expectations",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show each result as it comes")
    expect.add_expectations(parser)
    contract.add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the selected suites, write the report, and return the exit code."""
    need("conform", "suites", "rich", "jinja2", "packaging")
    arguments.expectations, listed = expect.expected(arguments.expectations)
    if arguments.app or arguments.request:
        return _run_contract(arguments, listed)
    rows = _selected(arguments)
    for suite in {row.suite for row in rows.values()}:
        need(f"conform --suite {suite}", "suites", *NEEDS[suite])
    _check_fault(arguments.plant)
    from bgcheck.report.table import Screen

    screen = Screen(verbose=arguments.verbose)
    directory = _prepared(arguments.report_dir)
    children = _measure(arguments, rows, directory, screen)
    outcome = read_run(directory / RESULTS)
    gate = decide(outcome, broken=_broken(outcome, children))
    _write_report(outcome, gate, directory)
    screen.show(outcome, gate, directory)
    return gate.code


def _run_contract(arguments: argparse.Namespace, listed: "Expectations") -> int:
    """Verify one endpoint in this process, write the report, and return the exit code."""
    from bgcheck.report.table import Screen

    directory = _prepared(arguments.report_dir)
    outcome, gate = contract.run(arguments, directory, listed)
    _write_report(outcome, gate, directory)
    Screen(verbose=arguments.verbose).show(outcome, gate, directory)
    return gate.code


def _selected(arguments: argparse.Namespace) -> "Mapping[str, Row]":
    from bgcheck_suites.registry import registry, select

    rows = select(registry(), suites=arguments.suite or (), prefixes=arguments.select)
    if not rows:
        wanted = ", ".join(arguments.select) or ", ".join(arguments.suite or ())
        areas = sorted({id_.rpartition("-")[0] for id_ in registry()})
        raise UsageError(f"no requirement matches {wanted}; there are {', '.join(areas)}")
    return rows


def _check_fault(name: str | None) -> None:
    if name is None:
        return
    from bgcheck_suites.faults import FAULTS

    if name not in FAULTS:
        listed = "".join(f"\n  {fault.name}: {fault.summary}" for fault in FAULTS.values())
        raise UsageError(f"no fault is called {name!r}; there are:{listed}")


def _prepared(directory: Path) -> Path:
    """Make the directory of the report, without the files of an earlier run."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write the report to {directory}: {error.strerror}") from None
    for name in (RESULTS, LOG, "index.html", "junit.xml"):
        (directory / name).unlink(missing_ok=True)
    return directory.resolve()


def _measure(
    arguments: argparse.Namespace, rows: "Mapping[str, Row]", directory: Path, screen: "Screen"
) -> list[Child]:
    """Run each suite in a process of its own, between the header and the footer."""
    results = directory / RESULTS
    header = {
        "version": __version__,
        "stack": resolved_stack(),
        "argv": _argv(arguments),
        "expected": len(rows),
        "planted": arguments.plant,
    }
    with results.open("w", encoding="utf-8") as stream:
        write_line(stream, "header", header)
    children = []
    with screen.progress(len(rows)) as advance:
        for suite in sorted({row.suite for row in rows.values()}, key=SUITES.index):
            plan = _plan(suite, arguments, directory)
            children.append(follow(plan, lambda line: advance(json.loads(line))))
    outcome = read_run(results)
    if len(outcome.suites_ended) == len(children):
        complete = len(outcome.results) == len(rows) and not outcome.collection_errors
        with results.open("a", encoding="utf-8") as stream:
            write_line(stream, "footer", {"complete": complete, "counts": outcome.counts()})
    return children


def suite_directory() -> Path:
    """Return the directory that holds the suites."""
    import bgcheck_suites

    return Path(bgcheck_suites.__file__).parent


def _plan(suite: str, arguments: argparse.Namespace, directory: Path) -> SuiteRun:
    return SuiteRun(
        suite=suite,
        directory=suite_directory(),
        results=directory / RESULTS,
        log=directory / LOG,
        select=arguments.select,
        fault=arguments.plant,
        perturb=arguments.perturb,
        record=arguments.record,
        expectations=arguments.expectations,
        # The framework is measured raw: only the suite of an app has bgcheck's own plugin.
        plugins=() if suite == "framework" else ("bgcheck.plugin",),
    )


def _argv(arguments: argparse.Namespace) -> list[str]:
    """Return the options that decide what is measured."""
    options = [word for prefix in arguments.select for word in ("--select", prefix)]
    options += [word for suite in arguments.suite or () for word in ("--suite", suite)]
    return ["conform", *options, *(("--plant", arguments.plant) if arguments.plant else ())]


def _broken(outcome: Run, children: list[Child]) -> tuple[str, ...]:
    reasons = [f"cannot be collected: {error}" for error in outcome.collection_errors]
    return (*reasons, *(child.broken for child in children if child.broken))


def _write_report(outcome: Run, gate: Gate, directory: Path) -> None:
    from bgcheck.report.html import render_page
    from bgcheck.report.junit import render_junit

    (directory / "index.html").write_text(render_page(outcome, gate), encoding="utf-8")
    (directory / "junit.xml").write_bytes(render_junit(outcome, gate))
