"""`bgcheck conform --app module:app --request 'POST /items/1'`: the contract of one endpoint."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bgcheck import __version__
from bgcheck.report.gate import Gate, decide
from bgcheck.report.results import Result, Run, read_run, worst, write_line, write_result
from bgcheck.report.stack import resolved_stack

from .errors import UsageError, need

if TYPE_CHECKING:
    from bgcheck_suites.answers.expectations import Expectations
    from bgcheck_suites.endpoint.subject import RequestSpec, Subject
    from bgcheck_suites.judge import Verdict

RESULTS = "results.jsonl"
OPTIONS = {
    "REQUEST": ("--request", "such as 'POST /items/1'"),
    "BODY": ("--json", "the body of the request, as JSON"),
    "NAME=VALUE": ("--form", "a field of a form; may be repeated"),
    "NAME=PATH": ("--file", "a file to upload; may be repeated"),
    "NAME:VALUE": ("--header", "a header of the request; may be repeated"),
}
"""The options of a request by what they take, which tells them apart."""


class OfRequest(argparse.Action):
    """Keeps the options of requests in the order in which they are written."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Take an option."""
        namespace.request = [*namespace.request, (self.metavar, values)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of endpoints."""
    group = parser.add_argument_group(
        "the contract of an endpoint, instead of the suites",
        "--request may be repeated. --json, --form, --file and --header belong to the --request "
        "before them, and to all where they come first.",
    )
    group.add_argument("--app", metavar="MODULE:APP", help="an app, or a function that makes one")
    group.add_argument(
        "--backend",
        choices=("asyncio", "trio"),
        default="asyncio",
        help="the event loop that the app runs on (default: %(default)s)",
    )
    for metavar, (option, text) in OPTIONS.items():
        group.add_argument(
            option, action=OfRequest, dest="request", default=[], metavar=metavar, help=text
        )


def run(arguments: argparse.Namespace, directory: Path, listed: Expectations) -> tuple[Run, Gate]:
    """Verify each selected requirement of the contract, and write the results.

    `listed` is what is known to fail. Raises UsageError where the app or the request cannot be
    used.
    """
    need("conform --app", "suites", "starlette", "httpx2|httpx")
    from bgcheck.runner.clock import lasting_sleep

    subjects = _subjects(arguments)
    wanted = _selected(arguments.select)
    results = directory / RESULTS
    with results.open("w", encoding="utf-8") as stream:
        write_line(stream, "header", _header(arguments, subjects, len(wanted)))
        with lasting_sleep():
            for id_ in wanted:
                write_result(stream, _result(subjects, id_, listed))
        write_line(stream, "suite-end", {"suite": "contract", "emitted": len(wanted)})
    counts = read_run(results).counts()
    with results.open("a", encoding="utf-8") as stream:
        write_line(stream, "footer", {"complete": True, "counts": counts})
    outcome = read_run(results)
    return outcome, decide(outcome)


def _subjects(arguments: argparse.Namespace) -> list[Subject]:
    given: list[tuple[str, str]] = arguments.request
    if not arguments.app or not any(kind == "REQUEST" for kind, _ in given):
        missing = "--request" if arguments.app else "--app"
        raise UsageError(f"--app and --request go together; {missing} is missing")
    from bgcheck_suites.endpoint.loading import load_app
    from bgcheck_suites.endpoint.subject import Subject, SubjectError
    from bgcheck_suites.endpoint.verify import check

    sys.path.insert(0, str(Path.cwd()))
    try:
        specs = _requests(given)
        app = load_app(arguments.app)
        subjects = [Subject(app, spec, backend=arguments.backend) for spec in specs]
        for subject in subjects:
            check(subject)
    except SubjectError as error:
        raise UsageError(str(error)) from error
    return subjects


def _requests(given: Sequence[tuple[str, str]]) -> list[RequestSpec]:
    """Read the requests, each with the options that follow it."""
    from bgcheck_suites.endpoint.subject import RequestSpec

    first = next(number for number, (kind, _) in enumerate(given) if kind == "REQUEST")
    starts = [number for number, (kind, _) in enumerate(given) if kind == "REQUEST"]
    ends = [*starts[1:], len(given)]
    found = []
    for start, end in zip(starts, ends, strict=True):
        line, options = given[start][1], [*given[:first], *given[start + 1 : end]]
        bodies = [text for kind, text in options if kind == "BODY"]
        if len(bodies) > 1:
            raise UsageError(f"{line!r} has {len(bodies)} bodies: give --json once")
        pairs = {kind: _pairs(kind, options) for kind in OPTIONS}
        found.append(
            RequestSpec(
                line,
                _body(*bodies),
                data=pairs["NAME=VALUE"] or None,
                files={name: _upload(path) for name, path in pairs["NAME=PATH"].items()} or None,
                headers=pairs["NAME:VALUE"],
            )
        )
    return found


def _body(text: str | None = None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise UsageError(f"--json {text!r} is no JSON: {error}") from error


def _pairs(kind: str, options: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Read the options of a kind that are a name and a value."""
    found = {}
    mark = ":" if kind == "NAME:VALUE" else "="
    for text in (text for given, text in options if given == kind and mark in kind):
        name, separator, value = text.partition(mark)
        if not separator or not name.strip():
            raise UsageError(f"{OPTIONS[kind][0]} {text!r} is no {kind}: write it so")
        found[name.strip()] = value.strip() if mark == ":" else value
    return found


def _upload(path: str) -> tuple[str, bytes]:
    try:
        return Path(path).name, Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"--file: cannot read {path}: {error.strerror}") from None


def _selected(prefixes: list[str]) -> list[str]:
    from bgcheck_suites.endpoint.verify import VERIFICATIONS

    wanted = [id_ for id_ in VERIFICATIONS if id_.startswith(tuple(prefixes) or ("",))]
    if not wanted:
        raise UsageError(
            f"no requirement of the contract matches {', '.join(prefixes)}; "
            f"there are {', '.join(VERIFICATIONS)}"
        )
    return wanted


def _header(
    arguments: argparse.Namespace, subjects: Sequence[Subject], expected: int
) -> dict[str, Any]:
    endpoint = ["--app", arguments.app]
    endpoint += ["--backend", "trio"] if arguments.backend == "trio" else []
    endpoint += [word for kind, text in arguments.request for word in (OPTIONS[kind][0], text)]
    return {
        "version": __version__,
        "stack": resolved_stack(),
        "argv": ["conform", *endpoint],
        "endpoint": endpoint,
        "expected": expected,
        "planted": None,
    }


def _result(subjects: Sequence[Subject], id_: str, listed: Expectations) -> Result:
    """Verify a requirement by all requests; the worst verdict counts, and the others are named."""
    from bgcheck_suites.endpoint.verify import contract_rows

    row, began = contract_rows()[id_], perf_counter()
    lines = [subject.request.line for subject in subjects]
    verdicts = [_verdict(subject, id_, listed) for subject in subjects]
    status = worst([verdict.status for verdict in verdicts])
    number = next(n for n, verdict in enumerate(verdicts) if verdict.status == status)
    speaker = verdicts[number]
    several = len(subjects) > 1 and status != "pass"
    return Result(
        id=id_,
        suite="contract",
        status=status,
        requirement=row.text,
        level=row.level,
        message=f"[{lines[number]}] {speaker.message}" if several else speaker.message,
        evidence=(*speaker.evidence, *_others(lines, verdicts, number)),
        duration=round(perf_counter() - began, 4),
        suite_error=any(verdict.suite_error for verdict in verdicts),
        tests=tuple(lines),
        source=str(row.source),
    )


def _verdict(subject: Subject, id_: str, listed: Expectations) -> Verdict:
    from bgcheck_suites.answers.expectations import expecting
    from bgcheck_suites.endpoint.verify import contract_rows, expect, verify

    verdict = verify(subject, id_)
    row = expecting(contract_rows()[id_], listed, subject.request.line)
    known = row.known_failure(resolved_stack())
    return verdict if known is None else expect(verdict, known)


def _others(lines: Sequence[str], verdicts: Sequence[Verdict], speaker: int) -> list[str]:
    return [
        f"[{line}] {verdict.status}: {verdict.message}"
        for number, (line, verdict) in enumerate(zip(lines, verdicts, strict=True))
        if number != speaker and verdict.status not in ("pass", "not-applicable")
    ]
