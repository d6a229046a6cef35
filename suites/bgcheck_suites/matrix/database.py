"""The measured behaviour database: one JSON file a probe, derived from cells."""

import functools
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

from bgcheck_suites.values import NOT_MEASURED

from .cells import Cell, Observation

SHIPPED = Path(__file__).parent.parent / "database"
CELLS = "cells.json"
PACKAGES = ("fastapi", "starlette", "anyio", "python")


@dataclass(frozen=True)
class Range:
    """A value, and the versions it was measured for: from `since` on, and before `until`.

    `last` is the newest version that it was measured for. `cell` is where the evidence is from.
    """

    package: str
    since: str
    until: str | None
    value: str
    cell: str
    evidence: tuple[str, ...] = ()
    last: str = ""

    def covers(self, version: str) -> bool:
        """Whether the value was measured around this version.

        It was not between the last version that has it and the first that has another.
        """
        wanted = Version(version)
        end = Version(self.last) if self.until is not None else None
        return Version(self.since) <= wanted and (end is None or wanted <= end)


@dataclass(frozen=True)
class Record:
    """What was measured for one probe, in all cells.

    `package` is what alone explains the values; it is empty for a value that is the same
    everywhere (one range), and where no single package explains them (no range).
    """

    id: str
    package: str
    ranges: tuple[Range, ...]
    values: Mapping[str, str]
    unstable: bool = False

    @property
    def explained(self) -> bool:
        """Whether the versions of one package explain every value."""
        return bool(self.ranges)

    def value_for(self, stack: Mapping[str, str]) -> str | None:
        """Return the value to expect on a stack; None where nothing was measured that tells."""
        if self.unstable:
            return None
        if not self.explained:
            return self._value_of_cell(stack)
        if not self.package:
            return self.ranges[0].value
        version = version_of(self.package, stack)
        covering = (r.value for r in self.ranges if version and r.covers(version))
        return next(covering, None)

    def _value_of_cell(self, stack: Mapping[str, str]) -> str | None:
        return next(
            (self.values[name] for name in self.values if _same(_stacks().get(name), stack)), None
        )


def version_of(package: str, stack: Mapping[str, str]) -> str | None:
    """Return the version that explains values: of Python, the minor one."""
    version = stack.get(package)
    return ".".join(version.split(".")[:2]) if version and package == "python" else version


def _same(cell: Mapping[str, str] | None, stack: Mapping[str, str]) -> bool:
    return cell is not None and all(
        version_of(package, cell) == version_of(package, stack) for package in PACKAGES
    )


def derive(cells: Sequence[Cell]) -> dict[str, Record]:
    """Return the record of every probe that was measured, by id."""
    measured = [cell for cell in cells if cell.status == "measured"]
    ids = sorted({id_ for cell in measured for id_ in cell.observations})
    return {id_: _record(id_, measured) for id_ in ids}


def _record(id_: str, cells: Sequence[Cell]) -> Record:
    seen = [cell for cell in cells if id_ in cell.observations]
    values = {cell.name: cell.observations[id_].value for cell in seen}
    unstable = any(cell.observations[id_].unstable for cell in seen)
    telling = [cell for cell in seen if _tells(cell.observations[id_])]
    package, ranges = _explain(id_, telling)
    return Record(id_, package, ranges, dict(sorted(values.items())), unstable)


def _tells(observation: Observation) -> bool:
    return not observation.unstable and observation.value != NOT_MEASURED


def _explain(id_: str, cells: Sequence[Cell]) -> tuple[str, tuple[Range, ...]]:
    """Return the package with the fewest change points whose versions explain the values."""
    if not cells:
        return "", ()
    if len({cell.observations[id_].value for cell in cells}) == 1:
        return "", (_range("", "", None, id_, cells),)
    found = [(package, _ranges(package, id_, cells)) for package in PACKAGES]
    explaining = [(package, ranges) for package, ranges in found if ranges]
    return min(explaining, key=lambda pair: len(pair[1]), default=("", ()))


def _ranges(package: str, id_: str, cells: Sequence[Cell]) -> tuple[Range, ...]:
    """Return the ranges of a package, or none where a version of it has several values."""
    by_version: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_version[version_of(package, cell.stack) or ""].append(cell)
    if "" in by_version:
        return ()
    groups: list[list[str]] = []
    last = None
    for version in sorted(by_version, key=Version):
        different = {cell.observations[id_].value for cell in by_version[version]}
        if len(different) > 1:
            return ()
        if different != last:
            groups.append([])
        groups[-1].append(version)
        last = different
    return tuple(
        _range(package, versions[0], after, id_, [c for v in versions for c in by_version[v]])
        for versions, after in zip(groups, [*(g[0] for g in groups[1:]), None], strict=True)
    )


def _range(package: str, since: str, until: str | None, id_: str, cells: Sequence[Cell]) -> Range:
    """Return a range, with the evidence that most of its cells have."""
    shown = Counter(cell.observations[id_].evidence for cell in cells)
    evidence = max(shown, key=lambda lines: (shown[lines], lines))
    cell = next(cell for cell in cells if cell.observations[id_].evidence == evidence)
    newest = (
        max((version_of(package, cell.stack) or "" for cell in cells), key=Version)
        if package
        else ""
    )
    value = cells[0].observations[id_].value
    return Range(package, since, until, value, cell.name, evidence, newest)


def write(records: Mapping[str, Record], directory: Path) -> None:
    """Write one file a record, and delete those of records that are gone."""
    directory.mkdir(parents=True, exist_ok=True)
    for file in directory.glob("BG*.json"):
        if file.stem not in records:
            file.unlink()
    for id_, record in records.items():
        _dump(asdict(record), directory / f"{id_}.json")


def write_cells(cells: Sequence[Cell], directory: Path) -> None:
    """Write the list of the cells: their names, stacks, and what kept one from being measured."""
    _dump(listed(cells), directory / CELLS)


def listed(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Return the list of the cells, as `load_cells` reads it."""
    return [
        {
            "name": c.name,
            "wanted": c.wanted,
            "stack": c.stack,
            "status": c.status,
            "reason": c.reason,
        }
        for c in cells
    ]


def _dump(value: object, file: Path) -> None:
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load_database(directory: Path = SHIPPED) -> Mapping[str, Record]:
    """Read the records of a directory, by id: of the one that ships, unless told otherwise."""
    return {file.stem: _load(file) for file in sorted(directory.glob("BG*.json"))}


@functools.cache
def shipped_record(id_: str) -> Record | None:
    """Return the record of a probe that ships with the package, if there is one."""
    file = SHIPPED / f"{id_}.json"
    return _load(file) if file.is_file() else None


def load_cells(directory: Path = SHIPPED) -> list[dict[str, Any]]:
    """Read the list of the cells that the database was derived from."""
    file = directory / CELLS
    listed: list[dict[str, Any]] = json.loads(file.read_text("utf-8")) if file.is_file() else []
    return listed


@functools.cache
def _stacks() -> Mapping[str, Mapping[str, str]]:
    return {cell["name"]: cell["stack"] for cell in load_cells()}


def _load(file: Path) -> Record:
    record = json.loads(file.read_text(encoding="utf-8"))
    ranges = (Range(**{**r, "evidence": tuple(r["evidence"])}) for r in record.pop("ranges"))
    return Record(ranges=tuple(ranges), **record)
