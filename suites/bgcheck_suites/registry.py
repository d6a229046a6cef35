"""Requirements and behaviours, read from `requirements/*.toml`.

A *requirement* must (or should) hold. A *behaviour* is a value that differs between versions and is
neither right nor wrong; what to expect on a stack is in the measured database.
"""

import functools
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Condition
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports] - pytest brings it

DIRECTORY = Path(__file__).parent / "requirements"
ID = re.compile(r"BG([FRC])-([A-Z]+)-(\d{2,3})")
SUITES = {"F": "framework", "R": "reference", "C": "contract"}
LEVELS = ("MUST", "SHOULD")


class RegistryError(ValueError):
    """A row of the registry that cannot be used."""


@dataclass(frozen=True)
class Source:
    """Where a row comes from: a document, or lines of a package."""

    document: str = ""
    section: str = ""
    package: str = ""
    version: str = ""
    file: str = ""
    lines: str = ""
    sha256: str = ""

    def __str__(self) -> str:
        if self.package:
            return f"{self.package} {self.version}, {self.file}:{self.lines}"
        return f"{self.document}, {self.section}"


@dataclass(frozen=True)
class Expectation:
    """A value, or a failure, that is expected where the condition holds.

    `of` and `was` make it one for stacks where another probe was measured to have a value.
    `request` limits a failure of the contract to one endpoint, such as `POST /items/1`.
    """

    when: str = ""
    value: str = ""
    reason: str = ""
    link: str = ""
    request: str = ""
    of: str = ""
    was: str = ""

    def holds(self, stack: Mapping[str, str]) -> bool:
        """Whether the stack satisfies every condition (joined by ` and `)."""
        return all(satisfies(part, stack) for part in self.when.split(" and ") if part)


@dataclass(frozen=True)
class Row:
    """One requirement or behaviour.

    `on_queue` says what of a requirement changes for tasks that go to a queue; it does not apply to
    them where it is for the process of the request only.
    """

    id: str
    text: str
    source: Source
    kind: Literal["requirement", "behaviour"]
    level: str | None = None
    areas: tuple[str, ...] = ()
    since: Mapping[str, str] = field(default_factory=dict)
    until: Mapping[str, str] = field(default_factory=dict)
    remedy: str = ""
    on_queue: str = ""
    in_process_only: bool = False
    expected: tuple[Expectation, ...] = ()
    expected_fail: tuple[Expectation, ...] = ()

    @property
    def suite(self) -> str:
        """The suite that the row belongs to, read from its id."""
        return SUITES[self.id[2]]

    def not_applicable(self, stack: Mapping[str, str]) -> str:
        """Return why the row does not apply to a stack, or an empty string where it does."""
        for package, version in self.since.items():
            if not satisfies(f"{package}>={version}", stack):
                return f"since {package} {version}; {_have(package, stack)}"
        for package, version in self.until.items():
            if not satisfies(f"{package}<{version}", stack):
                return f"until {package} {version}; {_have(package, stack)}"
        return ""

    def value_for(
        self, stack: Mapping[str, str], measured: Callable[[str], str | None] = lambda _: None
    ) -> Expectation | None:
        """Return the expected value of a behaviour on a stack, the first that fits.

        `measured` gives the value that another probe was measured to have there.
        """
        fitting = (entry for entry in self.expected if entry.holds(stack))
        return next((e for e in fitting if not e.of or measured(e.of) == e.was), None)

    def known_failure(self, stack: Mapping[str, str]) -> Expectation | None:
        """Return the listed failure of a requirement on a stack, if there is one."""
        return next((entry for entry in self.expected_fail if entry.holds(stack)), None)


def _have(package: str, stack: Mapping[str, str]) -> str:
    return f"this stack has {stack[package]}" if package in stack else "it is not installed"


def satisfies(condition: str, stack: Mapping[str, str]) -> bool:
    """Whether a stack satisfies a condition such as `fastapi>=0.106,<0.118`.

    Raises RegistryError where the condition cannot be read. An absent package satisfies none.
    """
    try:
        parsed = Condition(condition)
    except InvalidRequirement as error:
        raise RegistryError(f"cannot read the condition {condition!r}: {error}") from None
    version = stack.get(parsed.name)
    return version is not None and parsed.specifier.contains(Version(version), prereleases=True)


@functools.cache
def registry() -> Mapping[str, Row]:
    """Return the rows that ship with the package, by id."""
    return load(sorted(DIRECTORY.glob("*.toml")))


def load(files: Iterable[Path]) -> dict[str, Row]:
    """Read rows from TOML files, by id.

    Raises RegistryError for an id that is malformed, used twice or retired, and for a row that
    lacks what its kind needs.
    """
    rows: dict[str, Row] = {}
    retired: set[str] = set()
    for file in files:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        retired.update(data.pop("retired", ()))
        for row in _rows(data, file.name):
            if row.id in rows:
                raise RegistryError(f"{file.name}: {row.id} is used twice")
            rows[row.id] = row
    reused = sorted(retired & set(rows))
    if reused:
        raise RegistryError(f"{reused[0]} is retired; an id is never used again")
    return rows


def _rows(data: dict[str, Any], file: str) -> Iterable[Row]:
    unknown = sorted(set(data) - {"requirement", "behaviour"})
    if unknown:
        raise RegistryError(f"{file}: unknown table {unknown[0]!r}")
    for kind, tables in data.items():
        for table in tables:
            yield _checked(_row(kind, table, file), file)


def _row(kind: Any, table: dict[str, Any], file: str) -> Row:
    unknown = sorted(set(table) - {column.name for column in fields(Row)})
    if unknown:
        raise RegistryError(f"{file}: {table.get('id', 'a row')}: unknown key {unknown[0]!r}")
    try:
        return Row(
            kind=kind,
            source=Source(**table.pop("source")),
            areas=tuple(table.pop("areas", ())),
            expected=tuple(Expectation(**entry) for entry in table.pop("expected", ())),
            expected_fail=tuple(Expectation(**entry) for entry in table.pop("expected_fail", ())),
            **table,
        )
    except (KeyError, TypeError) as error:
        raise RegistryError(f"{file}: {table.get('id', 'a row')}: lacks {error}") from None


def _checked(row: Row, file: str) -> Row:
    problems = {
        "its id is not BGF-AREA-NN, BGR-AREA-NN or BGC-AREA-NN": not ID.fullmatch(row.id),
        "a requirement needs the level MUST or SHOULD": (
            row.kind == "requirement" and row.level not in LEVELS
        ),
        "a behaviour has no level": row.kind == "behaviour" and row.level is not None,
        "only a behaviour has expected values": row.kind == "requirement" and bool(row.expected),
        "its source names neither a document nor a package": (
            not row.source.document and not row.source.package
        ),
        "an expected failure needs a condition, a reason and a link": any(
            not (entry.when and entry.reason and entry.link) for entry in row.expected_fail
        ),
    }
    for problem, found in problems.items():
        if found:
            raise RegistryError(f"{file}: {row.id}: {problem}")
    return row


def select(
    rows: Mapping[str, Row], *, suites: Iterable[str] = (), prefixes: Iterable[str] = ()
) -> dict[str, Row]:
    """Return the rows of some suites (all by default) whose id starts with one of the prefixes."""
    chosen, starts = frozenset(suites), tuple(prefixes) or ("",)
    return {
        id_: row
        for id_, row in rows.items()
        if (not chosen or row.suite in chosen) and id_.startswith(starts)
    }
