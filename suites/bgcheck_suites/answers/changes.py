"""What differs between two sides."""

from dataclasses import dataclass

from bgcheck_suites.values import NOT_MEASURED

from .sides import Seen, Side


@dataclass(frozen=True)
class Change:
    """One probe whose value differs; a side whose suite does not have the probe has none."""

    id: str
    before: Seen | None
    after: Seen | None

    @property
    def kind(self) -> str:
        """`added`, `removed` or `changed`."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


@dataclass(frozen=True)
class Difference:
    """What differs between two sides, what does not, and what is unstable or not measured."""

    before: Side
    after: Side
    changes: tuple[Change, ...]
    unchanged: tuple[str, ...]
    untold: tuple[str, ...]

    @property
    def conclusive(self) -> bool:
        """Whether at least one probe was measured, with a stable value, on both sides."""
        return bool(self.unchanged) or any(change.kind == "changed" for change in self.changes)


def compare(before: Side, after: Side) -> Difference:
    """Return what differs between two sides; what is unstable or not measured is no change."""
    changes, unchanged, untold = [], [], []
    for id_ in sorted({*before.seen, *after.seen}):
        left, right = before.seen.get(id_), after.seen.get(id_)
        if any(seen is not None and not _tells(seen) for seen in (left, right)):
            untold.append(id_)
        elif left is not None and right is not None and left.value == right.value:
            unchanged.append(id_)
        else:
            changes.append(Change(id_, left, right))
    return Difference(before, after, tuple(changes), tuple(unchanged), tuple(untold))


def _tells(seen: Seen) -> bool:
    return not seen.unstable and seen.value != NOT_MEASURED
