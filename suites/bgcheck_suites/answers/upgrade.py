"""What an upgrade changes for an app, worst first."""

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.version import Version

from bgcheck_suites.matrix.database import Range, Record, version_of
from bgcheck_suites.registry import Row
from bgcheck_suites.values import DOES_NOT_HOLD, HOLDS

from .changes import ABSENT, Change, Difference
from .sides import Side
from .used import Use, Used, is_refused, needs

NO_REMEDY = "See whether the app or its tests count on the value before."


@dataclass(frozen=True)
class Answer:
    """One probe that an upgrade is about, and the places of the app that it concerns."""

    row: Row
    before: str
    after: str
    cells: tuple[str, str]
    uses: tuple[Use, ...] = ()
    between: tuple[Range, ...] = ()

    @property
    def todo(self) -> str:
        """What to do."""
        return self.row.remedy or NO_REMEDY

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns for which the probe is about these places."""
        wanted = frozenset[str]().union(*needs(self.row))
        shown = frozenset[str]().union(*(use.patterns for use in self.uses))
        return tuple(sorted(wanted & shown))

    @property
    def severity(self) -> str:
        """How bad it is: `breaks`, `should-breaks`, `changes` or `improves`."""
        if self.row.kind == "requirement" and self.after == DOES_NOT_HOLD:
            return "breaks" if self.row.level == "MUST" else "should-breaks"
        return "improves" if self.after == HOLDS else "changes"


SEVERITIES = ("breaks", "should-breaks", "changes", "improves")


@dataclass(frozen=True)
class Upgrade:
    """The answers: what is different after, what is new, and what differs only on the way."""

    before: Side
    after: Side
    changes: tuple[Answer, ...]
    new: tuple[Answer, ...]
    passing: tuple[Answer, ...]
    unsure: tuple[Row, ...]


def answer(
    found: Difference, rows: Mapping[str, Row], records: Mapping[str, Record], used: Used | None
) -> Upgrade:
    """Return what a difference means for an app; without `used`, for an app that uses everything.

    Args:
        found: the difference between the two sides.
        rows: the registry.
        records: the database, for what lies between the sides.
        used: what the app uses.
    """
    cells = (found.before.name, found.after.name)
    changes: list[Answer] = []
    new: list[Answer] = []
    for change in found.changes:
        row = rows.get(change.id)
        uses = () if row is None or used is None else used.concerned(row)
        before, after = _values(change)
        if row is None or (used is not None and (not uses or is_refused(before))):
            continue
        between = _between(records.get(row.id), found)
        made = Answer(row, before, after, cells, uses, between)
        (new if change.kind == "added" else changes).append(made)
    return Upgrade(
        found.before,
        found.after,
        tuple(sorted(changes, key=_rank)),
        tuple(sorted(new, key=_rank)),
        tuple(sorted(_passing(found, rows, records, used), key=_rank)),
        tuple(rows[i] for i in found.unsure if i in rows and (not used or used.concerned(rows[i]))),
    )


def _rank(one: Answer) -> tuple[object, ...]:
    """Sort the worst first; then what is about few patterns, has a remedy, concerns most places."""
    severity, general = SEVERITIES.index(one.severity), not needs(one.row)
    return severity, general, not one.row.remedy, -len(one.uses), one.row.id


def _values(change: Change) -> tuple[str, str]:
    before, after = change.before, change.after
    return (before.value if before else ABSENT[0], after.value if after else ABSENT[0])


def _passing(
    found: Difference, rows: Mapping[str, Row], records: Mapping[str, Record], used: Used | None
) -> list[Answer]:
    """Return the probes that have the same value at both ends, and another one in between."""
    answers = []
    for id_ in found.unchanged:
        row, between = rows.get(id_), _between(records.get(id_), found)
        uses = () if row is None or used is None else used.concerned(row)
        if row is not None and between and (used is None or uses):
            value = found.after.seen[id_].value
            cells = (found.before.name, found.after.name)
            answers.append(Answer(row, value, value, cells, uses, between))
    return answers


def _between(record: Record | None, found: Difference) -> tuple[Range, ...]:
    """Return the ranges of other values that begin after the one side and end before the other."""
    if record is None or not record.package:
        return ()
    ends = [version_of(record.package, side.stack) for side in (found.before, found.after)]
    if not all(ends):
        return ()
    low, high = sorted(Version(end) for end in ends if end)
    known = [
        side.seen[record.id].value for side in (found.before, found.after) if record.id in side.seen
    ]
    stacks = (found.before.stack, found.after.stack)
    ranges = [r for r in record.ranges if not r.given or all(map(r.given.covers, stacks))]
    return tuple(
        entry
        for entry in ranges
        if low < Version(entry.since) and Version(entry.last) < high and entry.value not in known
    )
