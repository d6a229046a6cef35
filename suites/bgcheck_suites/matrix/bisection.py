"""Find the exact releases where the value of a probe changes."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from packaging.version import Version

Measure = Callable[[str], str | None]
"""Takes a version, returns the value there; None where it cannot be measured."""


@dataclass(frozen=True)
class Change:
    """A change point: the last release with a value, and the first with another.

    `skipped` are the releases between them that could not be measured.
    """

    last: str
    before: str
    first: str
    after: str
    skipped: tuple[str, ...] = ()


@dataclass
class Bisection:
    """The search for the change points of one probe; `values` is what was measured."""

    versions: Sequence[str]
    measure: Measure
    values: dict[str, str | None]

    def value(self, place: int) -> str | None:
        """Return the value at a release, measured once."""
        version = self.versions[place]
        if version not in self.values:
            self.values[version] = self.measure(version)
        return self.values[version]

    def changes(self, start: int, end: int) -> list[Change]:
        """Return the changes between two measured releases, none where their values are equal."""
        before, after = self.value(start), self.value(end)
        if before == after or before is None or after is None:
            return []
        middle = self._measurable_between(start, end)
        if middle is None:
            gap = tuple(self.versions[start + 1 : end])
            return [Change(self.versions[start], before, self.versions[end], after, gap)]
        return [*self.changes(start, middle), *self.changes(middle, end)]

    def _measurable_between(self, start: int, end: int) -> int | None:
        """Return the release nearest to the middle that can be measured, or None."""
        middle = (start + end) // 2
        between = sorted(range(start + 1, end), key=lambda place: abs(place - middle))
        return next((place for place in between if self.value(place) is not None), None)


def bisect(
    versions: Sequence[str], measure: Measure, known: Iterable[str] = (), steps: int = 8
) -> tuple[list[Change], dict[str, str | None]]:
    """Return every change point between the first and the last version, and what was measured.

    Args:
        versions: all releases, oldest first.
        measure: gives the value at a release.
        known: releases to look at in any case, such as those around changes that are known.
        steps: into how many stretches the releases are cut first, since a value that changes
            twice may be the same at both ends.
    """
    search = Bisection(versions, measure, {})
    grid = [place for place in _grid(versions, known, steps) if search.value(place) is not None]
    found = [
        change for start, end in itertools.pairwise(grid) for change in search.changes(start, end)
    ]
    return found, dict(sorted(search.values.items(), key=lambda item: Version(item[0])))


def _grid(versions: Sequence[str], known: Iterable[str], steps: int) -> list[int]:
    last = len(versions) - 1
    even = {round(last * step / steps) for step in range(steps + 1)}
    return sorted(even | {versions.index(v) for v in known if v in versions})
