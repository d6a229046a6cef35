"""The change points of the database: which release changed what, and how often."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from packaging.version import Version

from bgcheck_suites.matrix.database import PACKAGES, Given
from bgcheck_suites.values import NOT_APPLICABLE

from .columns import NAMES
from .table import Grid, Line


@dataclass(frozen=True)
class ChangePoint:
    """A release whose value differs from the one measured before it, for one probe.

    `since` is the first measured release with the new value, `last` the newest with the old one.
    """

    line: Line
    package: str
    since: str
    last: str
    before: str
    after: str
    given: Given | None = None

    @property
    def news(self) -> str:
        """Whether the probe is new there, gone, or another value (empty)."""
        if self.before == NOT_APPLICABLE:
            return "New"
        return "Gone" if self.after == NOT_APPLICABLE else ""


@dataclass(frozen=True)
class Release:
    """A release that changed something; `came_with` tells other packages that changed with it."""

    package: str
    version: str
    points: tuple[ChangePoint, ...]
    came_with: str

    @property
    def title(self) -> str:
        """`FastAPI 0.106.0`."""
        return f"{NAMES[self.package]} {self.version}"


@dataclass(frozen=True)
class Counts:
    """The numbers of a grid.

    `levels` has, by level, how many requirements hold in every cell, and how many there are.
    """

    probes: int
    cells: int
    unmeasured: int
    levels: Mapping[str, tuple[int, int]]
    behaviours: int
    changing: int
    change_points: int
    unstable: int
    unexplained: int


def changes_of(line: Line) -> list[ChangePoint]:
    """Return the change points of one probe, oldest first."""
    return [
        ChangePoint(line, new.package, new.since, old.last, old.value, new.value, new.given)
        for old, new in pairwise(line.record.ranges)
        if old.given == new.given
    ]


def by_release(grid: Grid) -> Iterator[tuple[str, list[Release]]]:
    """Yield each package with its releases that changed something, oldest first."""
    found = [point for line in grid.lines for point in changes_of(line)]
    for package in PACKAGES:
        own = [point for point in found if point.package == package]
        versions = sorted({point.since for point in own}, key=Version)
        if versions:
            yield NAMES[package], [_release(grid, package, version, own) for version in versions]


def _release(grid: Grid, package: str, version: str, points: Sequence[ChangePoint]) -> Release:
    own = tuple(point for point in points if point.since == version)
    return Release(package, version, own, _came_with(grid, package, own[0].last, version))


def _came_with(grid: Grid, package: str, last: str, since: str) -> str:
    """Return what else was resolved, `Starlette 0.27.0 to 0.29.0`: it may be what changed values.

    Only cells of FastAPI leave that to the resolver.
    """
    series = [c for group in grid.groups if group.package == "fastapi" for c in group.columns]
    pairs = (
        (old, new)
        for old in series
        for new in series
        if (old.stack.get(package), new.stack.get(package), old.python) == (last, since, new.python)
    )
    old, new = next(pairs, (None, None))
    if old is None or new is None or package != "fastapi":
        return ""
    return ", ".join(
        f"{NAMES[p]} {old.stack[p]} to {new.stack[p]}"
        for p in PACKAGES
        if p != package and old.stack.get(p) != new.stack.get(p)
    )


def unexplained(grid: Grid) -> Sequence[Line]:
    """Return the lines whose differing values the versions of no two packages explain."""
    return [line for line in grid.lines if line.changing and not line.record.explained]


def count(grid: Grid) -> Counts:
    """Count what a grid has."""
    lines = grid.lines
    levels = {level: [x.holds for x in lines if x.level == level] for level in ("MUST", "SHOULD")}
    return Counts(
        probes=len(lines),
        cells=len(grid.columns),
        unmeasured=len(grid.unmeasured),
        levels={
            level: (sum(h is True for h in holding), sum(h is not None for h in holding))
            for level, holding in levels.items()
        },
        behaviours=sum(line.level == "behaviour" for line in lines),
        changing=sum(line.changing for line in lines),
        change_points=sum(len(changes_of(line)) for line in lines),
        unstable=sum(line.record.unstable for line in lines),
        unexplained=len(unexplained(grid)),
    )
