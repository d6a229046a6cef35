"""The measured behaviour database: one JSON file a probe, derived from cells."""

import functools
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from packaging.version import Version

from bgcheck_suites.values import NOT_APPLICABLE, NOT_MEASURED

from .cells import Cell, Observation

SHIPPED = Path(__file__).parent.parent / "database"
CELLS = "cells.json"
PACKAGES = ("fastapi", "starlette", "anyio", "python")
_STRETCHES = 2
"""Into how many stretches of versions a second package may split the values of a first one."""


@dataclass(frozen=True)
class Given:
    """The versions of a second package that a range is about; up to the newest without `last`."""

    package: str
    since: str
    last: str = ""

    def covers(self, stack: Mapping[str, str]) -> bool:
        """Whether a stack has one of these versions."""
        found = version_of(self.package, stack)
        if found is None:
            return False
        version = Version(found)
        return Version(self.since) <= version and (not self.last or version <= Version(self.last))

    def __str__(self) -> str:
        if self.last == self.since:
            return f"{self.package} {self.since}"
        return f"{self.package} {self.since} {f'to {self.last}' if self.last else 'and newer'}"


@dataclass(frozen=True)
class Range:
    """A value, and the versions it was measured for: from `since` on, and before `until`.

    `last` is the newest version that it was measured for. `cell` is where the evidence is from.
    Where two packages decide, `given` says for which versions of the other one it is.
    """

    package: str
    since: str
    until: str | None
    value: str
    cell: str
    evidence: tuple[str, ...] = ()
    last: str = ""
    given: Given | None = None

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

    `package` is what explains the values, alone or with the one of `Range.given`; it is empty for a
    value that is the same everywhere (one range), and where no two packages explain them (none).
    """

    id: str
    package: str
    ranges: tuple[Range, ...]
    values: Mapping[str, str]
    unstable: bool = False

    @property
    def explained(self) -> bool:
        """Whether the versions of one package, or of two, explain every value."""
        return bool(self.ranges)

    def value_for(self, stack: Mapping[str, str]) -> str | None:
        """Return the value to expect on a stack; None where nothing was measured that tells."""
        if self.unstable:
            return None
        measured = self._value_of_cell(stack)
        if not self.explained or measured == NOT_APPLICABLE or self._never_applied(stack):
            return measured
        if not self.package:
            return self.ranges[0].value
        version = version_of(self.package, stack)
        given = (r for r in self.ranges if r.given is None or r.given.covers(stack))
        return next((r.value for r in given if version and r.covers(version)), None)

    def _never_applied(self, stack: Mapping[str, str]) -> bool:
        """Whether the probe applied in none of the cells that share a version with a stack."""
        if NOT_APPLICABLE not in self.values.values():
            return False
        for package in PACKAGES:
            here = version_of(package, stack)
            sharing = [
                value
                for name, value in self.values.items()
                if here and version_of(package, _stacks().get(name, {})) == here
            ]
            if sharing and set(sharing) == {NOT_APPLICABLE}:
                return True
        return False

    def _value_of_cell(self, stack: Mapping[str, str]) -> str | None:
        """Return what was measured on the very same versions, where it tells anything."""
        found = (v for name, v in self.values.items() if _same(_stacks().get(name), stack))
        return next((value for value in found if value != NOT_MEASURED), None)


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
    if not ranges:
        # Where a probe does not apply is a reason of its own, beside the one for its values.
        applied = [c for c in telling if c.observations[id_].value != NOT_APPLICABLE]
        package, ranges = _explain(id_, applied)
        if applied and not ranges:
            package, ranges = _explain_by_two(id_, applied)
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


def _explain_by_two(id_: str, cells: Sequence[Cell]) -> tuple[str, tuple[Range, ...]]:
    """Return the package that explains the values for each stretch of versions of another one."""
    found = [
        (package, ranges)
        for package, other in itertools.permutations(PACKAGES, 2)
        if (ranges := _ranges_given(package, other, id_, cells))
    ]
    return min(found, key=lambda pair: (len(pair[1]), -_support(pair[1], cells)), default=("", ()))


def _support(ranges: Sequence[Range], cells: Sequence[Cell]) -> int:
    """Return how many cells the smallest stretch has: one cell alone is easily explained."""
    stretches = {one.given for one in ranges if one.given}
    return min(sum(given.covers(c.stack) for c in cells) for given in stretches)


def _ranges_given(package: str, other: str, id_: str, cells: Sequence[Cell]) -> tuple[Range, ...]:
    """Return the ranges of a package in each of at most `_STRETCHES` stretches of another one."""
    found: list[tuple[list[str], tuple[Range, ...]]] = []
    for version in sorted({version_of(other, c.stack) or "0" for c in cells}, key=Version):
        versions = [*(found[-1][0] if found else []), version]
        joined = _ranges(package, id_, _of_versions(other, versions, cells))
        if found and joined:
            found[-1] = (versions, joined)
        else:
            alone = _ranges(package, id_, _of_versions(other, [version], cells))
            if not alone or len(found) == _STRETCHES:
                return ()
            found.append(([version], alone))
    lasts = [*(versions[-1] for versions, _ in found[:-1]), ""]
    return tuple(
        replace(one, given=Given(other, versions[0], last))
        for (versions, ranges), last in zip(found, lasts, strict=True)
        for one in ranges
    )


def _of_versions(package: str, versions: Sequence[str], cells: Sequence[Cell]) -> list[Cell]:
    return [cell for cell in cells if (version_of(package, cell.stack) or "0") in versions]


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
    ranges = tuple(_load_range(entry) for entry in record.pop("ranges"))
    return Record(ranges=ranges, **record)


def _load_range(entry: dict[str, Any]) -> Range:
    given = entry.pop("given", None)
    evidence = tuple(entry.pop("evidence"))
    return Range(**entry, evidence=evidence, given=Given(**given) if given else None)
