"""The rows of the grid: one a probe, with its values as bars over neighbouring columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from bgcheck.report.html import TITLES
from bgcheck_suites.matrix.cells import Cell, read_cells
from bgcheck_suites.matrix.database import Record, derive, listed, load_cells, load_database
from bgcheck_suites.registry import Row, registry
from bgcheck_suites.values import DOES_NOT_HOLD, HOLDS, NOT_APPLICABLE, NOT_MEASURED

from .columns import Column, Group, arrange

SIGNS = {HOLDS: "✓", DOES_NOT_HOLD: "✗", NOT_APPLICABLE: "-", NOT_MEASURED: "?"}
KINDS = {HOLDS: "holds", DOES_NOT_HOLD: "broken", NOT_APPLICABLE: "absent", NOT_MEASURED: "unknown"}
TINTS = 6
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class NothingMeasuredError(ValueError):
    """A database, or runs, without a measured cell."""


@dataclass(frozen=True)
class Bar:
    """One value in neighbouring columns of a group; `changed` where it was another before."""

    value: str
    sign: str
    kind: str
    span: int
    changed: bool


@dataclass(frozen=True)
class Line:
    """One probe.

    `bars` are by group; `code` has one sign a column, the same for the same value; `where` names
    the versions that have each value, none for a value of all.
    """

    id: str
    row: Row | None
    record: Record
    bars: tuple[tuple[Bar, ...], ...]
    code: str
    where: Mapping[str, str]

    @property
    def text(self) -> str:
        """What is required or observed."""
        return self.row.text if self.row else "This bgcheck does not have this probe any more."

    @property
    def level(self) -> str:
        """MUST, SHOULD or behaviour."""
        return (self.row.level if self.row else None) or "behaviour"

    @property
    def changing(self) -> bool:
        """Whether cells differ, apart from unstable values and what was not measured."""
        return not self.record.unstable and len({*self.record.values.values()} - {NOT_MEASURED}) > 1

    @property
    def holds(self) -> bool | None:
        """Whether a requirement holds in every cell that has it; None where none has it."""
        values = {*self.record.values.values()} - {NOT_APPLICABLE}
        return values == {HOLDS} if values else None


@dataclass(frozen=True)
class Grid:
    """All of it: groups of columns, areas with their lines, and the cells that were not measured.

    `moving` has the number of lines whose value changes in each column.
    """

    groups: Sequence[Group]
    areas: Sequence[tuple[str, Sequence[Line]]]
    unmeasured: Sequence[Mapping[str, Any]]

    @property
    def columns(self) -> list[Column]:
        """The columns of all groups, from left to right."""
        return [column for group in self.groups for column in group.columns]

    @property
    def lines(self) -> list[Line]:
        """The lines of all areas, from top to bottom."""
        return [line for _, lines in self.areas for line in lines]

    @property
    def moving(self) -> list[int]:
        """How many values change in each column."""
        counts = [0] * len(self.columns)
        for line in self.lines:
            place = 0
            for bar in (bar for bars in line.bars for bar in bars):
                counts[place] += bar.changed
                place += bar.span
        return counts


def grid_of_runs(paths: Sequence[Path]) -> Grid:
    """Return the grid of files and directories of runs.

    Raises CellError where a path holds no cell.
    """
    cells: list[Cell] = read_cells(paths)
    return make_grid(derive(cells), listed(cells))


def grid_of_database(directory: Path) -> Grid:
    """Return the grid of a database."""
    return make_grid(load_database(directory), load_cells(directory))


def make_grid(records: Mapping[str, Record], cells: Sequence[Mapping[str, Any]]) -> Grid:
    """Arrange records and cells.

    Raises NothingMeasuredError where there are none.
    """
    groups = arrange(cells)
    if not groups or not records:
        raise NothingMeasuredError("nothing was measured")
    ordered = sorted(records.values(), key=lambda record: (_area(record), record.id))
    areas = [
        (TITLES.get(name, name.capitalize()), [_line(record, groups) for record in found])
        for (_, name), found in groupby(ordered, key=_area)
    ]
    return Grid(groups, areas, [cell for cell in cells if cell["status"] != "measured"])


def _area(record: Record) -> tuple[str, str]:
    suite, area, _ = record.id.split("-")
    return suite, area


def _line(record: Record, groups: Sequence[Group]) -> Line:
    names = [column.name for group in groups for column in group.columns]
    distinct = list(dict.fromkeys(_value(record, name) for name in names))
    return Line(
        id=record.id,
        row=registry().get(record.id),
        record=record,
        bars=tuple(tuple(_bars(record, group, distinct)) for group in groups),
        code="".join(_digit(distinct, _value(record, name)) for name in names),
        where={value: _where(record, groups, value) if distinct[1:] else "" for value in distinct},
    )


def _where(record: Record, groups: Sequence[Group], value: str) -> str:
    """Return the columns that have a value, `FastAPI: 0.105.0, 0.106.0; Starlette: 0.46.2`."""
    found = {
        group.title: [
            column.stack[group.package]
            for column in group.columns
            if _value(record, column.name) == value
        ]
        for group in groups
    }
    return "; ".join(
        f"{title}: {', '.join(columns)}" for title, columns in found.items() if columns
    )


def _value(record: Record, cell: str) -> str:
    return record.values.get(cell, NOT_MEASURED)


def _digit(distinct: Sequence[str], value: str) -> str:
    return "-" if value == NOT_MEASURED else DIGITS[distinct.index(value)]


def _bars(record: Record, group: Group, distinct: Sequence[str]) -> Iterator[Bar]:
    observed = [value for value in distinct if value not in SIGNS]
    last = ""
    for value, columns in groupby(_value(record, column.name) for column in group.columns):
        number = observed.index(value) if value in observed else 0
        differs = bool(last) and value not in (NOT_MEASURED, last)
        yield Bar(
            value=value,
            sign=SIGNS.get(value, chr(ord("A") + number)),
            kind=KINDS.get(value, f"tint{number % TINTS}"),
            span=len(list(columns)),
            changed=differs and not record.unstable,
        )
        last = last if value == NOT_MEASURED else value
