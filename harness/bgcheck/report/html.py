"""A conformance run as one HTML page that needs nothing else."""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from .gate import Gate
from .reproductions import reproduction_of
from .results import Result, Run
from .stack import describe

TITLES = {
    "APP": "Apps and routers",
    "ARGS": "Arguments",
    "CALL": "Callables",
    "CANCEL": "Cancellation",
    "CLIENT": "Test clients and servers",
    "CTX": "Context",
    "DEPS": "Dependencies",
    "ERR": "Errors",
    "INJ": "Injection",
    "LOOP": "Event loops",
    "MW": "Middleware",
    "ORDER": "Order",
    "REQ": "Request objects",
    "RESP": "Responses",
    "SESSION": "Database sessions",
    "SHUTDOWN": "Shutdown",
    "THREAD": "Threads and event loop",
    "TRACE": "Tracing",
    "WS": "Websockets",
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


def render(template: str, /, **values: Any) -> str:
    """Return a template of this package, filled in; only pages of HTML are escaped."""
    environment = Environment(
        loader=PackageLoader("bgcheck.report"),
        autoescape=lambda name: name is not None and ".html" in name,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["code"] = code_span
    return environment.get_template(template).render(**values)


def code_span(text: str) -> str:
    """Return text as code in Markdown, whatever backticks it has."""
    longest = max((len(found) for found in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{' '.join(text.split())}{pad}{fence}"


def render_page(run: Run, gate: Gate) -> str:
    """Return the page of a run."""
    return render(
        "conform.html.j2",
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
