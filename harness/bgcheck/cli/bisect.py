"""`bgcheck bisect`: finds the releases where the value of a probe changes."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgcheck.report.gate import ExitCode

from .errors import UsageError, need

if TYPE_CHECKING:
    from bgcheck_suites.matrix.bisection import Change
    from bgcheck_suites.matrix.running import Job

PACKAGES = ("fastapi", "starlette", "anyio")
EPILOG = """\
exit codes:
  0  done; the change points are printed, if there are any
  2  inconclusive: too little could be measured
  3  usage error
"""


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "bisect",
        help="find the release where a behaviour changed",
        description="Measure one probe over the releases of FastAPI, Starlette or anyio, and find "
        "the exact releases where its value changes.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("probe", metavar="PROBE", help="an id, such as BGF-DEPS-04")
    group = parser.add_mutually_exclusive_group()
    for package in PACKAGES:
        group.add_argument(
            f"--{package}", metavar="A..B", help="from release A to B (default: all since 0.100)"
        )
    parser.add_argument("--python", default="", metavar="VERSION", help="such as 3.12")
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path("bgcheck-matrix"),
        metavar="DIR",
        help="where the measured cells are kept (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Search, print each step and the change points, and return the exit code."""
    need("bisect", "suites", "packaging")
    from bgcheck_suites.matrix.bisection import bisect

    package, versions = _versions(arguments)
    measure = _measure(arguments, package, _job(arguments))
    changes, values = bisect(versions, measure, known=_known(arguments.probe, package))
    measured = [value for value in values.values() if value is not None]
    if len(measured) < 2:
        _say(f"{arguments.probe}: fewer than two releases could be measured")
        return ExitCode.INCONCLUSIVE
    _say(_verdict(arguments.probe, package, changes, measured[0], len(measured)))
    return ExitCode.HOLDS


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _verdict(
    probe: str, package: str, changes: "Sequence[Change]", value: str, measured: int
) -> str:
    from bgcheck_suites.registry import registry

    head = f"{probe}: {registry()[probe].text} ({measured} releases of {package} measured)"
    if not changes:
        return f"{head}\n  no change: {value}"
    lines = [
        f"  {package} {change.first}: {change.after} (up to {change.last}: {change.before})"
        + (f"; not measured between: {', '.join(change.skipped)}" if change.skipped else "")
        for change in changes
    ]
    return "\n".join([head, *lines])


def _versions(arguments: argparse.Namespace) -> tuple[str, list[str]]:
    """Return the package, and its releases between the two ends."""
    from packaging.version import InvalidVersion, Version

    from bgcheck_suites.matrix.releases import IndexUnreadableError, releases

    given = {p: getattr(arguments, p) for p in PACKAGES if getattr(arguments, p)}
    package, text = next(iter(given.items()), ("fastapi", "0.100.."))
    low, dots, high = text.partition("..")
    if not dots:
        raise UsageError(f"--{package} {text}: write two releases, such as 0.105.0..0.120.0")
    try:
        found = [v for v in releases(package) if not low or Version(v) >= Version(low)]
        found = [v for v in found if not high or Version(v) <= Version(high)]
    except InvalidVersion as error:
        raise UsageError(f"--{package} {text}: {error}") from None
    except IndexUnreadableError as error:
        raise UsageError(str(error)) from None
    if len(found) < 2:
        raise UsageError(f"--{package} {text}: fewer than two releases lie between these")
    return package, found


def _job(arguments: argparse.Namespace) -> "Job":
    from bgcheck_suites.matrix.running import Job
    from bgcheck_suites.matrix.wheels import make_wheel
    from bgcheck_suites.registry import registry

    row = registry().get(arguments.probe)
    if row is None or row.suite != "framework":
        raise UsageError(f"no probe is called {arguments.probe!r}; `bgcheck conform` lists them")
    directory = arguments.dir / "bisect" / arguments.probe
    return Job(directory, make_wheel(directory / "wheel"), (arguments.probe,))


def _measure(
    arguments: argparse.Namespace, package: str, job: "Job"
) -> "Callable[[str], str | None]":
    from bgcheck_suites.matrix.interpreters import RUNNING
    from bgcheck_suites.matrix.running import measure
    from bgcheck_suites.matrix.specs import Spec

    base = Spec(arguments.python or RUNNING)

    def value(version: str) -> str | None:
        cell = measure(job, replace(base, **{package: version}))
        seen = cell.observations.get(arguments.probe)
        _say(f"  {package} {version}: {seen.value if seen else cell.reason or cell.status}")
        return seen.value if seen else None

    return value


def _known(probe: str, package: str) -> list[str]:
    """Return the releases around the changes that the database knows."""
    from bgcheck_suites.matrix.database import shipped_record

    record = shipped_record(probe)
    if record is None or record.package != package:
        return []
    return [version for part in record.ranges for version in (part.since, part.last)]
