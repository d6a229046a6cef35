"""What was measured on one side of a comparison: a version, a cell, or a results file."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from bgcheck_suites.matrix.cells import CellError, read_cell
from bgcheck_suites.matrix.database import (
    PACKAGES,
    SHIPPED,
    Record,
    load_cells,
    load_database,
    version_of,
)

NEWEST = "newest"
Listed = Mapping[str, Any]
"""A cell as the database lists it: name, wanted, stack, status, reason."""


class SideError(ValueError):
    """A side that nobody knows; the message lists what there is."""


@dataclass(frozen=True)
class Seen:
    """The value of one probe, with its evidence."""

    value: str
    evidence: tuple[str, ...] = ()
    unstable: bool = False


@dataclass(frozen=True)
class Side:
    """A cell, and what was seen in it, by the id of the probe.

    `unmeasured` says why nothing was seen, where a cell could not be measured.
    """

    name: str
    seen: Mapping[str, Seen]
    stack: Mapping[str, str] = field(default_factory=dict)
    unmeasured: str = ""


@dataclass(frozen=True)
class _Choice:
    """The cells that a wanted side may stand for; a file is a side at once."""

    package: str
    cells: Sequence[Listed] = ()
    side: Side | None = None


def find_sides(before: str, after: str, directory: Path = SHIPPED) -> tuple[Side, Side]:
    """Return the sides that two versions, names of cells, or paths stand for.

    Where a version was measured in several cells, those two are taken that have the same Python
    (and FastAPI, where another package is asked for), and the newest of the rest.

    Args:
        before: such as `0.105`, `starlette 0.40`, `newest`, a cell's name, or a results file.
        after: the same.
        directory: the database.

    Raises:
        SideError: nothing like it was ever to be measured.
    """
    listed = load_cells(directory)
    first, second = _choose(before, listed), _choose(after, listed)
    asked = {first.package, second.package}
    equal = [package for package in ("python", "fastapi") if package not in asked]
    left, right = max(
        itertools.product(first.cells or [{}], second.cells or [{}]),
        key=lambda pair: _closeness(pair, equal),
    )
    records = load_database(directory)
    return first.side or _side(left, records), second.side or _side(right, records)


def _closeness(pair: tuple[Listed, Listed], equal: Iterable[str]) -> tuple[Any, ...]:
    stacks = [cell.get("stack", {}) for cell in pair]
    same = [version_of(p, stacks[0]) == version_of(p, stacks[1]) for p in equal]
    return (*same, _age(stacks[1]), _age(stacks[0]))


def _age(stack: Mapping[str, str]) -> list[Version]:
    """Sort stacks from old to new, by FastAPI first."""
    return [Version(stack.get(package, "0")) for package in PACKAGES]


def _choose(wanted: str, listed: Sequence[Listed]) -> _Choice:
    path = Path(wanted)
    if path.exists():
        return _Choice("", side=_from_file(path))
    named = [cell for cell in listed if cell["name"] == wanted]
    if named:
        return _Choice("", named)
    package, _, version = wanted.strip().rpartition(" ")
    package = package.strip() or "fastapi"
    for status in (True, False):
        cells = [cell for cell in listed if (cell["status"] == "measured") is status]
        fitting = _fitting(version, package, cells)
        if fitting:
            return _Choice(package, fitting)
    known = ", ".join([*_versions(package, listed), NEWEST] if listed else ())
    raise SideError(
        f"{wanted!r} was not measured; there are {package} {known}; the name of a cell, a results "
        "file and a report directory do too"
        if _versions(package, listed)
        else f"{wanted!r} was not measured; there are no measured versions of {package}"
    )


def _fitting(version: str, package: str, cells: Sequence[Listed]) -> list[Listed]:
    """Return the cells with a version, or with the last one of its patch releases."""
    versions = _versions(package, cells)
    if version != NEWEST:
        versions = [found for found in versions if _is_of(found, version)]
    return [cell for cell in cells if versions and _version(package, cell) == versions[-1]]


def _is_of(found: str, wanted: str) -> bool:
    try:
        release = Version(wanted).release
    except InvalidVersion:
        return False
    return Version(found).release[: len(release)] == release


def _versions(package: str, cells: Iterable[Listed]) -> list[str]:
    found = {_version(package, cell) for cell in cells}
    return sorted(found - {""}, key=Version)


def _version(package: str, cell: Listed) -> str:
    """Return the version in a cell; where it could not be built, the one that was asked for."""
    version = str(cell["stack"].get(package) or cell["wanted"].get(package, ""))
    try:
        Version(version)
    except InvalidVersion:
        return ""
    return version


def _from_file(path: Path) -> Side:
    try:
        cell = read_cell(path)
    except CellError as error:
        raise SideError(str(error)) from None
    seen = {o.id: Seen(o.value, o.evidence, o.unstable) for o in cell.observations.values()}
    unmeasured = "" if cell.status == "measured" else f"{cell.status}: {cell.reason}"
    return Side(cell.name, seen, cell.stack, unmeasured)


def _side(cell: Listed, records: Mapping[str, Record]) -> Side:
    name = cell["name"]
    if cell["status"] != "measured":
        return Side(name, {}, cell["stack"], f"{cell['status']}: {cell['reason']}")
    found = {id_: record for id_, record in records.items() if name in record.values}
    return Side(name, {id_: _seen(record, name) for id_, record in found.items()}, cell["stack"])


def _seen(record: Record, name: str) -> Seen:
    value = record.values[name]
    evidence = next((entry.evidence for entry in record.ranges if entry.value == value), ())
    return Seen(value, evidence, record.unstable)
