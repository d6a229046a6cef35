"""The columns of the grid: one a measured cell, in groups along which versions ascend."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.version import Version

from bgcheck_suites.matrix.database import version_of

NAMES = {"fastapi": "FastAPI", "starlette": "Starlette", "anyio": "anyio", "python": "Python"}
OWN = ("starlette", "anyio")
"""Packages whose cells are a group of their own where their version was asked for."""


@dataclass(frozen=True)
class Column:
    """One measured cell."""

    name: str
    stack: Mapping[str, str]
    wanted: Mapping[str, str]

    @property
    def python(self) -> str:
        """The minor version of Python."""
        return version_of("python", self.stack) or "0"

    @property
    def label(self) -> str:
        """The versions that tell it from others."""
        return f"FastAPI {self.stack['fastapi']}, Starlette {self.stack['starlette']}"

    def version(self, package: str) -> Version:
        """The version of a package that is sorted by."""
        return Version(self.stack.get(package, "0"))


@dataclass(frozen=True)
class Group:
    """Columns in which the versions of one package ascend, so that neighbours are compared.

    `title` says what else they have in common; `short` fits above a few narrow columns.
    """

    title: str
    short: str
    package: str
    columns: tuple[Column, ...]


def arrange(cells: Iterable[Mapping[str, Any]]) -> list[Group]:
    """Return the measured cells in groups: FastAPI first, then other packages and Pythons.

    Of two cells with the same versions the first stays.
    """
    measured = [
        Column(cell["name"], cell["stack"], cell["wanted"])
        for cell in cells
        if cell["status"] == "measured"
    ]
    columns = list({column.name: column for column in reversed(measured)}.values())
    plain = [column for column in columns if not _owner(column)]
    main = _series(plain)
    rest = [column for column in plain if column not in main]
    found = [_group("FastAPI", "FastAPI", "fastapi", main)]
    for package in OWN:
        found += _same_fastapi(package, [c for c in columns if _owner(c) == package])
    for python in sorted({column.python for column in rest}, key=Version):
        own = [column for column in rest if column.python == python]
        found.append(_group(f"Python {python}", f"Python {python}", "fastapi", own))
    return [group for group in found if group.columns]


def _owner(column: Column) -> str:
    return next((package for package in OWN if column.wanted.get(package)), "")


def _same_fastapi(package: str, columns: Sequence[Column]) -> Iterator[Group]:
    """Yield groups of columns that differ in one package, and not in FastAPI or Python."""
    fixed = {(c.version("fastapi"), Version(c.python)) for c in columns}
    for fastapi, python in sorted(fixed):
        own = [c for c in columns if (c.version("fastapi"), Version(c.python)) == (fastapi, python)]
        title = f"{NAMES[package]} with FastAPI {fastapi} on Python {python}"
        yield _group(title, NAMES[package], package, own)


def _group(title: str, short: str, package: str, columns: Sequence[Column]) -> Group:
    ordered = sorted(columns, key=lambda c: (c.version(package), c.name))
    return Group(title, short, package, tuple(ordered))


def _series(columns: Sequence[Column]) -> list[Column]:
    """Return one column a release of FastAPI: those of the Python that most columns have.

    Other Pythons join where they measured other releases only, so that there is a series at all.
    """
    common = Counter(column.python for column in columns)
    releases: dict[str, Column] = {}
    for python in sorted(common, key=lambda p: (common[p], Version(p)), reverse=True):
        own = {column.stack["fastapi"]: column for column in columns if column.python == python}
        if not own.keys() & releases.keys():
            releases |= own
    return list(releases.values())
