"""The results of a conformance run, and the JSON lines they are kept in."""

import json
import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

Status = Literal[
    "pass",
    "fail",
    "warn",
    "expected-fail",
    "unexpected-pass",
    "not-applicable",
    "not-testable",
]

# Worst first. An expected failure of one test outweighs the pass of a sibling test.
SEVERITY: tuple[Status, ...] = (
    "fail",
    "not-testable",
    "expected-fail",
    "unexpected-pass",
    "warn",
    "pass",
    "not-applicable",
)
FAILING: frozenset[Status] = frozenset({"fail", "unexpected-pass", "not-testable"})


@dataclass(frozen=True)
class Result:
    """What was measured for one requirement.

    `level` is None for a behaviour, `duration` is in seconds, `observed` is what a behaviour's
    test observed, `value` is what the matrix compares, over all places where it was measured, and
    `suite_error` says that the suite itself broke while measuring.
    """

    id: str
    suite: str
    status: Status
    requirement: str
    level: str | None = None
    kind: str = "requirement"
    message: str = ""
    evidence: tuple[str, ...] = ()
    observed: str | None = None
    value: str = ""
    duration: float = 0.0
    suite_error: bool = False
    tests: tuple[str, ...] = ()
    source: str = ""

    @property
    def failing(self) -> bool:
        """Whether this result keeps the stack from conforming."""
        return self.status in FAILING


@dataclass
class Run:
    """One conformance run as read back: header, results so far, and the footer if it got one."""

    header: dict[str, Any] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    collection_errors: list[str] = field(default_factory=list)
    suites_ended: list[str] = field(default_factory=list)
    footer: dict[str, Any] | None = None
    precondition: str = ""

    @property
    def expected(self) -> int:
        """How many requirements the run set out to measure."""
        return int(self.header.get("expected", 0))

    @property
    def complete(self) -> bool:
        """Whether the run reached its end and measured everything that it set out to."""
        return self.footer is not None and bool(self.footer.get("complete"))

    def repeat(self, id_: str) -> str:
        """Return the command that measures one requirement again."""
        options = self.header.get("endpoint", ())
        return shlex.join(["bgcheck", "conform", *options, "--select", id_])

    def counts(self) -> dict[str, int]:
        """Return the number of results for each status that occurs, worst first."""
        found = Counter(result.status for result in self.results)
        return {status: found[status] for status in SEVERITY if found[status]}

    def tally(self, level: str | None) -> tuple[int, int]:
        """Return (holding, measured) for a level; expected failures do not hold."""
        measured = [r for r in self.results if r.level == level and r.status != "not-applicable"]
        return sum(r.status == "pass" for r in measured), len(measured)


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of some statuses (at least one)."""
    return min(statuses, key=SEVERITY.index)


def write_line(stream: TextIO, kind: str, record: dict[str, Any]) -> None:
    """Write one JSON line of the given type, and flush it so that a crash loses nothing."""
    stream.write(json.dumps({"type": kind, **record}, default=str) + "\n")
    stream.flush()


def write_result(stream: TextIO, result: Result) -> None:
    """Write the line of one requirement."""
    write_line(stream, "requirement", asdict(result))


def read_run(path: Path) -> Run:
    """Read a results file; a file cut off in the middle gives what was complete.

    Raises FileNotFoundError where there is none.
    """
    run = Run()
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            _add(run, json.loads(line))
    return run


def _add(run: Run, record: dict[str, Any]) -> None:
    kind = record.pop("type")
    if kind == "header":
        run.header = record
    elif kind == "requirement":
        record["evidence"] = tuple(record["evidence"])
        record["tests"] = tuple(record["tests"])
        run.results.append(Result(**record))
    elif kind == "collection-error":
        run.collection_errors.append(f"{record['module']}: {record['message']}")
    elif kind == "suite-end":
        run.suites_ended.append(record["suite"])
    elif kind == "precondition":
        run.precondition = record["message"]
    elif kind == "footer":
        run.footer = record
