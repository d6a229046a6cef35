"""`bgcheck conform --app module:app --request 'POST /items/1'`: the contract of one endpoint."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bgcheck import __version__
from bgcheck.report.gate import Gate, decide
from bgcheck.report.results import Result, Run, read_run, write_line, write_result
from bgcheck.report.stack import resolved_stack

from .errors import UsageError, need

if TYPE_CHECKING:
    from bgcheck_suites.answers.expectations import Expectations
    from bgcheck_suites.endpoint.subject import Subject

RESULTS = "results.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of one endpoint."""
    group = parser.add_argument_group("the contract of an endpoint, instead of the suites")
    group.add_argument("--app", metavar="MODULE:APP", help="an app, or a function that makes one")
    group.add_argument("--request", metavar="REQUEST", help="such as 'POST /items/1'")
    group.add_argument("--json", metavar="BODY", help="the body of the request, as JSON")
    group.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="a header of the request; may be repeated",
    )


def run(arguments: argparse.Namespace, directory: Path, listed: Expectations) -> tuple[Run, Gate]:
    """Verify each selected requirement of the contract, and write the results.

    `listed` is what is known to fail. Raises UsageError where the app or the request cannot be
    used.
    """
    need("conform --app", "suites", "starlette", "httpx2|httpx")
    subject = _subject(arguments)
    wanted = _selected(arguments.select)
    results = directory / RESULTS
    with results.open("w", encoding="utf-8") as stream:
        write_line(stream, "header", _header(arguments, len(wanted)))
        for id_ in wanted:
            write_result(stream, _result(subject, id_, listed))
        write_line(stream, "suite-end", {"suite": "contract", "emitted": len(wanted)})
    counts = read_run(results).counts()
    with results.open("a", encoding="utf-8") as stream:
        write_line(stream, "footer", {"complete": True, "counts": counts})
    outcome = read_run(results)
    return outcome, decide(outcome)


def _subject(arguments: argparse.Namespace) -> Subject:
    if not arguments.app or not arguments.request:
        missing = "--request" if arguments.app else "--app"
        raise UsageError(f"--app and --request go together; {missing} is missing")
    from bgcheck_suites.endpoint.subject import RequestSpec, Subject, SubjectError, load_app

    sys.path.insert(0, str(Path.cwd()))
    try:
        spec = RequestSpec(
            arguments.request,
            json=_body(arguments.json),
            headers=dict(map(_header_of, arguments.header)),
        )
        return Subject(load_app(arguments.app), spec)
    except SubjectError as error:
        raise UsageError(str(error)) from error


def _body(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise UsageError(f"--json {text!r} is no JSON: {error}") from error


def _header_of(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"--header {text!r} has no colon: write 'NAME: VALUE'")
    return name.strip(), value.strip()


def _selected(prefixes: list[str]) -> list[str]:
    from bgcheck_suites.endpoint.verify import VERIFICATIONS

    wanted = [id_ for id_ in VERIFICATIONS if id_.startswith(tuple(prefixes) or ("",))]
    if not wanted:
        raise UsageError(
            f"no requirement of the contract matches {', '.join(prefixes)}; "
            f"there are {', '.join(VERIFICATIONS)}"
        )
    return wanted


def _header(arguments: argparse.Namespace, expected: int) -> dict[str, Any]:
    argv = ["conform", "--app", arguments.app, "--request", arguments.request]
    return {
        "version": __version__,
        "stack": resolved_stack(),
        "argv": argv,
        "expected": expected,
        "planted": None,
    }


def _result(subject: Subject, id_: str, listed: Expectations) -> Result:
    from bgcheck_suites.answers.expectations import expecting
    from bgcheck_suites.endpoint.verify import contract_rows, expect, verify

    row, began = contract_rows()[id_], perf_counter()
    verdict = verify(subject, id_)
    known = expecting(row, listed, subject.request.line).known_failure(resolved_stack())
    if known is not None:
        verdict = expect(verdict, known)
    return Result(
        id=id_,
        suite="contract",
        status=verdict.status,
        requirement=row.text,
        level=row.level,
        message=verdict.message,
        evidence=verdict.evidence,
        duration=round(perf_counter() - began, 4),
        suite_error=verdict.suite_error,
        tests=(f"{subject.request.line}",),
        source=str(row.source),
    )
