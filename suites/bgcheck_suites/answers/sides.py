"""What was measured on one side of a comparison: a version, a cell, or a results file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from bgcheck_suites.matrix.cells import Cell, CellError, read_cell
from bgcheck_suites.matrix.database import SHIPPED, Record, load_cells, load_database

NEWEST = "newest"


class SideError(ValueError):
    """A side that was not measured; the message lists what was."""


@dataclass(frozen=True)
class Seen:
    """The value of one probe, with its evidence."""

    value: str
    evidence: tuple[str, ...] = ()
    unstable: bool = False


@dataclass(frozen=True)
class Side:
    """A cell, and what was seen in it, by the id of the probe."""

    name: str
    seen: Mapping[str, Seen]


def find_side(wanted: str, directory: Path = SHIPPED) -> Side:
    """Return the side that a version, the name of a cell, or a path stands for.

    Args:
        wanted: such as `0.105`, `starlette 0.40`, `newest`, a cell's name, or a results file.
        directory: the database.

    Raises:
        SideError: nothing like it was measured.
    """
    path = Path(wanted)
    if path.exists():
        return _from_file(path)
    cells = [cell for cell in load_cells(directory) if cell["status"] == "measured"]
    package, _, version = wanted.rpartition(" ")
    package = package.strip() or "fastapi"
    fitting = [cell for cell in cells if cell["name"] == wanted] or [
        cell for cell in cells if _fits(version, cell["stack"].get(package), package, cells)
    ]
    if not fitting:
        raise SideError(f"{wanted!r} was not measured; there are {_known(package, cells)}")
    return _from_database(max(fitting, key=_age), load_database(directory))


def _from_file(path: Path) -> Side:
    try:
        cell: Cell = read_cell(path)
    except CellError as error:
        raise SideError(str(error)) from None
    if cell.status != "measured":
        raise SideError(f"{path} is no measured cell: {cell.reason}")
    seen = {o.id: Seen(o.value, o.evidence, o.unstable) for o in cell.observations.values()}
    return Side(cell.name, seen)


def _from_database(cell: Mapping[str, Any], records: Mapping[str, Record]) -> Side:
    name = cell["name"]
    found = {id_: record for id_, record in records.items() if name in record.values}
    return Side(name, {id_: _seen(record, name) for id_, record in found.items()})


def _seen(record: Record, name: str) -> Seen:
    value = record.values[name]
    evidence = next((entry.evidence for entry in record.ranges if entry.value == value), ())
    return Seen(value, evidence, record.unstable)


def _fits(
    wanted: str, version: str | None, package: str, cells: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether a version is the wanted one, or one of its patch releases."""
    if version is None:
        return False
    if wanted == NEWEST:
        return version == max((_versions(package, cells)), key=Version)
    try:
        release = Version(wanted).release
    except InvalidVersion:
        return False
    return Version(version).release[: len(release)] == release


def _versions(package: str, cells: Sequence[Mapping[str, Any]]) -> list[str]:
    found = {cell["stack"][package] for cell in cells if package in cell["stack"]}
    return sorted(found, key=Version)


def _known(package: str, cells: Sequence[Mapping[str, Any]]) -> str:
    versions = _versions(package, cells)
    if not versions:
        return f"no measured versions of {package}"
    return f"{package} {', '.join(versions)}, {NEWEST}"


def _age(cell: Mapping[str, Any]) -> list[Version]:
    """Sort cells from old to new, by FastAPI first."""
    return [
        Version(cell["stack"].get(package, "0"))
        for package in ("fastapi", "starlette", "anyio", "python")
    ]
