"""A conformance run as one HTML page that needs nothing else."""

from collections.abc import Iterable
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined

from .gate import Gate
from .reproductions import reproduction_of
from .results import Result, Run
from .stack import describe

TITLES = {
    "APP": "Apps and routers",
    "ARGS": "Arguments",
    "CALL": "Callables",
    "CTX": "Context",
    "DEPS": "Dependencies",
    "ERR": "Errors",
    "INJ": "Injection",
    "MW": "Middleware",
    "ORDER": "Order",
    "RESP": "Responses",
    "THREAD": "Threads and event loop",
}
MARKS = {
    "pass": "✓",
    "fail": "✗",
    "warn": "!",
    "expected-fail": "≈",
    "unexpected-pass": "✗",
    "not-applicable": "-",
    "not-testable": "?",
}


def render_page(run: Run, gate: Gate) -> str:
    """Return the page of a run."""
    environment = Environment(
        loader=PackageLoader("bgcheck.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("conform.html.j2").render(
        run=run,
        gate=gate,
        stack=describe(run.header.get("stack", {})),
        groups=list(_groups(run.results)),
        problems=[r for r in run.results if r.failing or r.status in ("warn", "expected-fail")],
        tallies=[(level, *run.tally(level)) for level in ("MUST", "SHOULD", None)],
        marks=MARKS,
        reproduction_of=reproduction_of,
    )


def _groups(results: Iterable[Result]) -> Iterable[tuple[str, str, list[Result]]]:
    """Yield (suite, title, results) for each area, in the order of the ids."""
    for (suite, area), group in groupby(sorted(results, key=_place), key=_area):
        yield suite, TITLES.get(area, area.capitalize()), list(group)


def _area(result: Result) -> tuple[str, str]:
    return result.suite, result.id.split("-")[1]


def _place(result: Result) -> tuple[str, str, str]:
    return (*_area(result), result.id)
