"""The smallest conditions that tell stacks where something fails from those where it holds."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise

from packaging.version import Version

from bgcheck_suites.matrix.database import PACKAGES, version_of

Stack = Mapping[str, str]


class ConditionError(ValueError):
    """Stacks that no condition tells apart."""


def smallest(failing: Sequence[Stack], holding: Sequence[Stack]) -> list[str]:
    """Return the fewest conditions such that each failing stack satisfies one, and no holding one.

    A bound is a version that was measured: the first where it fails, and the next where it holds.
    Where nothing says otherwise a side stays open.

    Raises:
        ConditionError: it both fails and holds on the same versions.
    """
    by_one = [_by(package, failing, holding) for package in PACKAGES]
    by_two = (
        _by_two(first, second, failing, holding)
        for first in PACKAGES
        for second in PACKAGES
        if first != second
    )
    for found in (by_one, by_two):
        possible = [conditions for conditions in found if conditions]
        if possible:
            return min(possible, key=_size)
    return _exact(failing, holding)


def _size(conditions: Sequence[str]) -> tuple[int, int]:
    return len(conditions), sum(condition.count(",") + 1 for condition in conditions)


def _by(package: str, failing: Sequence[Stack], holding: Sequence[Stack]) -> list[str]:
    """Return conditions on one package, none where its versions do not tell."""
    fails = {version_of(package, stack) for stack in failing}
    holds = {version_of(package, stack) for stack in holding}
    if None in fails | holds or fails & holds:
        return []
    return list(_ranges(package, {str(v): v in fails for v in fails | holds}))


def _ranges(package: str, wanted: Mapping[str, bool]) -> Iterator[str]:
    """Yield a condition for each stretch of versions that are wanted."""
    versions = sorted(wanted, key=Version)
    groups = [(key, list(found)) for key, found in groupby(versions, wanted.__getitem__)]
    before = False
    for (key, found), (_, following) in pairwise([*groups, (False, [])]):
        if key:
            low = f">= {found[0]}" if before or not following else ""
            high = f"< {following[0]}" if following else ""
            yield f"{package} {', '.join(part for part in (low, high) if part)}"
        before = True


def _by_two(
    first: str, second: str, failing: Sequence[Stack], holding: Sequence[Stack]
) -> list[str]:
    """Return conditions on two packages: those on the second, for stretches of the first."""
    versions = {version_of(first, stack) for stack in (*failing, *holding)}
    if None in versions:
        return []
    inner: dict[str, tuple[str, ...]] = {}
    for version in map(str, versions):
        fails = [stack for stack in failing if version_of(first, stack) == version]
        holds = [stack for stack in holding if version_of(first, stack) == version]
        inner[version] = tuple(_by(second, fails, holds) if holds else [""]) if fails else ()
        if fails and not inner[version]:
            return []
    return [
        f"{outer} and {condition}" if condition else outer
        for conditions in dict.fromkeys(inner.values())
        for outer in _ranges(first, {v: inner[v] == conditions for v in inner})
        for condition in conditions
    ]


def _exact(failing: Sequence[Stack], holding: Sequence[Stack]) -> list[str]:
    wanted, refused = ({_exactly(stack) for stack in one} for one in (failing, holding))
    both = sorted(wanted & refused)
    if both:
        raise ConditionError(f"it both fails and holds on {both[0]}")
    return sorted(wanted)


def _exactly(stack: Stack) -> str:
    parts = ((package, version_of(package, stack)) for package in PACKAGES)
    wild = {"python": ".*"}
    return " and ".join(f"{p} == {version}{wild.get(p, '')}" for p, version in parts if version)
